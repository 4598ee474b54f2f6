"""Whether a sampled reading (GPU, host, engine) moves with TTFT, with honest error rates.

`verdict` judges readings, by the statistics of `association` on the step functions of `series`;
`probes` and `offset` compare the clocks of two hosts. Import from these modules: all but `probes`
need numpy, which a worker is spared.
"""
