"""How long after the model server's first token a simulated user sees it, app by app.

    python benchmarks/streamlit_apps.py [--turns 10] [--version 1.67.0]

Each app of tests/apps/gallery runs on a real Streamlit server and streams from the testbed's model
server, whose own log says when each answer's first token left it (for apps that show their answer in
one piece: its last). One user, one question after the other, nothing else running. An answer counts
only with the right text. Other versions than the installed one are found in `.cache/streamlit/`, made
by `python -m tests.setup.streamlit_envs`.
"""

import argparse
import os
import statistics
import sys
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from glm_locust.testbed.launcher import Testbed
from glm_locust.testbed.presets import MODEL
from tests.setup.streamlit_envs import NEWEST, environment
from tests.streamlit_versions.asking import Model, Way, ask
from tests.streamlit_versions.gallery import APPS, KEY, KEY_ENV, App, gallery_server

LIMIT_MS = 60


def main() -> int:
    """Print the table; exit code 1 where an app's answers were wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--version", default=NEWEST)
    options = parser.parse_args()
    env = environment(options.version)
    os.environ[KEY_ENV] = KEY
    apps = [app for app in APPS if app.since <= env.number]
    print(f"Streamlit {env.version}; {options.turns} questions to each app; load {os.getloadavg()[0]:.1f}\n")
    print(f"| {'app':16} | right | lag, median | lag, worst | within {LIMIT_MS} ms | said about it |")
    print(f"|{'-' * 18}|------:|------------:|-----------:|-------------:|---|")
    wrong = 0
    with tempfile.TemporaryDirectory() as workdir, Testbed(web=False, jupyter=False) as testbed:
        server = gallery_server(Path(workdir), testbed.api_url, MODEL, python=env.python)
        server.start()
        try:
            way, model = Way(server.url), Model(testbed)
            for app in apps:
                ask(replace(app, turns=1), way, model, f"a warm-up {uuid.uuid4().hex[:8]}")
                wrong += row(replace(app, turns=options.turns), way, model)
        finally:
            server.kill()
    return 1 if wrong else 0


def row(app: App, way: Way, model: Model) -> int:
    """Ask one app, print its row; how many answers were wrong."""
    answers = ask(app, way, model, uuid.uuid4().hex[:8])
    complaints = [complaint for answer in answers if (complaint := answer.complaint()) is not None]
    lags = sorted(answer.lag_ms for answer in answers if answer.lag_ms is not None) or [float("nan")]
    within = sum(lag <= LIMIT_MS for lag in lags)
    said = ", ".join(f"{name} = {value}" for name, value in app.choices.items())
    print(
        f"| {app.page:16} | {len(answers) - len(complaints)}/{len(answers)} "
        f"| {statistics.median(lags):8.1f} ms | {lags[-1]:7.1f} ms | {within}/{len(answers)} | {said} |",
        flush=True,
    )
    for complaint in complaints[:1]:
        print(f"  {complaint}")
    return len(complaints)


if __name__ == "__main__":
    sys.exit(main())
