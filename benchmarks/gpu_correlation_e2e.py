"""Whether the report claims what is true of a GPU, end to end.

    python benchmarks/gpu_correlation_e2e.py [--seconds 200] [--seeds 1]

Scripted NVML, real pynvml, real exporter, real testbed, real Locust, real report. In one run the
simulated engine is 1.4 times slower while the scripted GPU is throttled: the report must claim SM
clock or throttling. In the other the GPU throttles just so and the engine does not care: it must
claim nothing of the GPU. Exit code 1 where it does otherwise.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.samples.throttled import Plan, findings, play

OF_THE_GPU = ("GPU 0 busy", "GPU 0 SM clock", "GPU 0 throttled")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=200.0, help="length of each run (default %(default)g)"
    )
    parser.add_argument("--seeds", type=int, default=1, help="pairs of runs (default %(default)s)")
    args = parser.parse_args()
    wrong = 0
    heads = f"{'raw':>7}{'partial':>9}{'interval':>16}{'p adj':>7}{'lag':>8}"
    print(f"{'engine while throttled':24}{'seed':>5}{'reading':>18}{'n':>6}{heads}")
    for seed in range(1, args.seeds + 1):
        for effect in (1.4, 1.0):
            with tempfile.TemporaryDirectory(prefix="glm-throttled-") as directory:
                found = findings(play(Plan(run_s=args.seconds, effect=effect, seed=seed), Path(directory)))
            claimed = [name for name in found if found[name]["claimed"]]
            for name in OF_THE_GPU:
                one = found[name]
                interval = f"{one['low']:+.2f} {one['high']:+.2f}"
                lag = "" if one["lag_s"] is None else f"{one['lag_s']:+.2f} s"
                mark = " claimed" if one["claimed"] else ""
                print(
                    f"{'x ' + format(effect, 'g'):24}{seed:5}{name:>18}{one['n']:6}{one['raw_rho']:+7.2f}"
                    f"{one['rho']:+9.2f}{interval:>16}{one['p_adjusted']:7.3f}{lag:>8}{mark}",
                    flush=True,
                )
            of_the_gpu = set(claimed) & set(OF_THE_GPU)
            right = bool(of_the_gpu & {"GPU 0 SM clock", "GPU 0 throttled"}) if effect > 1 else not of_the_gpu
            wrong += not right
            others = ", ".join(sorted(set(claimed) - set(OF_THE_GPU))) or "nothing"
            print(f"  {'as it should be' if right else 'WRONG'}; claimed of the others: {others}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
