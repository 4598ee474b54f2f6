"""How long after the model server's first token a simulated user sees it, app by app.

    python benchmarks/streamlit_apps.py [--turns 10] [--version 1.67.0]

Each app of tests/apps/gallery runs on a real Streamlit server and streams from the testbed's model
server, whose own log says when each answer's first token left it (for apps that show their answer in
one piece: its last). One user, one question after the other, nothing else running. An answer counts
only with the right text. "Of it ours" is the part between the kernel's stamp on the bytes and our
reading them.

Streamlit collects garbage when a script ends, which holds back what the script wrote last. Apps that
answer in one piece are therefore asked on a second server too, in which `gc.collect` does nothing: the
difference is the page's own, and its visitors wait for it as well.

What a pause of the machine holds up is told apart: a late answer counts as "beside a pause" where a process
that did nothing but sleep was woken up late in the same span.

Other versions than the installed one are found in `.cache/streamlit/`, made by
`python -m tests.setup.streamlit_envs`.
"""

import argparse
import math
import os
import statistics
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.pauses import Pauses, watched
from glm_locust.testbed.launcher import Testbed
from glm_locust.testbed.presets import MODEL
from tests.setup.streamlit_envs import NEWEST, environment
from tests.streamlit_versions.asking import Answered, Model, Way, ask
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
    print(
        f"| {'app':16} | right | lag, median | lag, worst | of it ours, worst | within {LIMIT_MS} ms "
        "| late beside a pause | said about it |"
    )
    print(f"|{'-' * 18}|------:|------------:|-----------:|------------------:|-------------:|---:|---|")
    with tempfile.TemporaryDirectory() as workdir, Testbed(web=False, jupyter=False) as testbed:
        bench = Bench(Path(workdir), testbed, env.python, options.turns)
        bench.rows(apps)
        one_piece = [app for app in apps if not app.streams]
        bench.rows(one_piece, env=without_collection(Path(workdir)), remark="no gc.collect")
    late = [row for row in bench.told if row.app.streams or row.remark]
    print(
        f"\nOf {sum(len(row.lags_ms) for row in late)} answers that stream, or came without a collection, "
        f"{sum(row.late for row in late)} were later than {LIMIT_MS} ms, "
        f"{sum(row.beside_a_pause for row in late)} of them beside a pause of the machine."
    )
    return 1 if any(row.complaints for row in bench.told) else 0


def without_collection(workdir: Path) -> dict[str, str]:
    """The environment of a Python whose `gc.collect` does nothing."""
    folder = workdir / "without-collection"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import gc\n\ngc.collect = lambda generation=2: 0\n")
    return {"PYTHONPATH": str(folder)}


@dataclass
class Bench:
    """A model server, and pages in front of it."""

    workdir: Path
    testbed: Testbed
    python: Path
    turns: int
    told: list["Row"] = field(default_factory=list)

    def rows(self, apps: Sequence[App], env: Mapping[str, str] | None = None, remark: str = "") -> None:
        """Ask these apps on a server of their own and print their rows."""
        server = gallery_server(self.workdir, self.testbed.api_url, MODEL, python=self.python, env=env)
        server.start()
        try:
            way, model = Way(server.url), Model(self.testbed)
            for app in apps:
                ask(replace(app, turns=1), way, model, f"a warm-up {uuid.uuid4().hex[:8]}")
                with watched() as pauses:
                    answers = ask(replace(app, turns=self.turns), way, model, uuid.uuid4().hex[:8])
                self.told.append(Row(app, answers, pauses, remark))
                print(self.told[-1], flush=True)
        finally:
            server.kill()


@dataclass(frozen=True)
class Row:
    """What came of one app."""

    app: App
    answers: Sequence[Answered]
    pauses: Pauses
    remark: str

    @property
    def complaints(self) -> list[str]:
        """What is wrong with its answers."""
        return [told for answer in self.answers if (told := answer.complaint()) is not None]

    @property
    def lags_ms(self) -> list[float]:
        return sorted(answer.lag_ms for answer in self.answers if answer.lag_ms is not None)

    @property
    def late(self) -> int:
        return sum(lag > LIMIT_MS for lag in self.lags_ms)

    @property
    def beside_a_pause(self) -> int:
        """How many of the late ones the machine itself held up."""
        found = 0
        for answer in self.answers:
            if (lag_ms := answer.lag_ms) is not None and lag_ms > LIMIT_MS:
                seen_ns = answer.record.first_token_ns or 0
                found += self.pauses.during_ms(seen_ns - int(lag_ms * 1e6), seen_ns) > 0
        return found

    def __str__(self) -> str:
        lags = self.lags_ms or [math.nan]
        own = max((answer.record.first_token_lag_us or 0) / 1e3 for answer in self.answers)
        choices = (f"{name} = {value}" for name, value in self.app.choices.items())
        said = ", ".join([*choices, *filter(None, [self.remark])])
        right = len(self.answers) - len(self.complaints)
        line = (
            f"| {self.app.page:16} | {right}/{len(self.answers)} | {statistics.median(lags):8.1f} ms "
            f"| {lags[-1]:7.1f} ms | {own:14.1f} ms | {len(self.lags_ms) - self.late}/{len(self.answers)} "
            f"| {self.beside_a_pause} | {said} |"
        )
        return "\n".join([line, *(f"  {complaint}" for complaint in self.complaints[:1])])


if __name__ == "__main__":
    sys.exit(main())
