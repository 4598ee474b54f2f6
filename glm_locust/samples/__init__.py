"""Samples of GPU, host and engine: fetched during the run, kept raw, joined with each request's windows.

`sources` names and checks the places they come from, `fetch` is the process that collects them,
`probing` compares clocks, `store` keeps everything raw; afterwards `readings` makes named series of
it and `windows` joins them with requests. Import from these modules: only the last two need numpy.
"""
