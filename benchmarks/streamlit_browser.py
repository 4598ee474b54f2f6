"""The protocol user beside a real Chromium at the same page: what a person sees later, and the costs.

    python benchmarks/streamlit_browser.py [--pairs 40] [--contexts 5] [--users 200]

A chat page (`tests/apps/chat.py`) whose answer is 30 tokens, 50 a second, the first after 0.25 s. One
browser tab and one protocol user ask in turn, in random order within each pair. TTFT of the browser
counts from the key press; `DOM` is the mutation that shows the first token, `painted` the next animation
frame. CPU per turn is that of all of Chromium's processes, or of the protocol user's process, from
just before the question to a quarter of a second after its answer. Memory per user is what each further
browser context, or each further protocol user, adds (PSS without files), after each has asked once.
"""

import argparse
import random
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine
from benchmarks.programs import ROOT, CrowdProcess, crowd, streamlit

TOKENS = 30
PACE = f"[ttft=0.25 gap=0.02 n={TOKENS}]"
PAGE = ROOT / "tests/apps/chat.py"
SETTLE_S = 0.25
TURNS_PER_TAB = 10
"""The page shows its whole history; after so many questions both begin anew."""
DRAWS = 10_000
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
INPUT = '[data-testid="stChatInputTextArea"]'
WATCH = f"""
() => {{
  const said = () => {{
    const messages = document.querySelectorAll('[data-testid="stChatMessage"]');
    return messages.length ? messages[messages.length - 1].textContent : "";
  }};
  const first = (text) => (text.match(/t0_\\d+/) || [""])[0];
  const turn = {{t0: 0, dom: 0, painted: 0, known: first(said())}};
  const key = (event) => {{ if (event.key === "Enter" && !turn.t0) turn.t0 = performance.now(); }};
  document.addEventListener("keydown", key, {{capture: true}});
  window.turn = new Promise((resolve) => {{
    const observer = new MutationObserver(() => {{
      if (!turn.t0) return;
      const text = said();
      const token = first(text);
      if (!token || token === turn.known) return;
      if (!turn.dom) {{
        turn.dom = performance.now();
        requestAnimationFrame(() => {{ turn.painted = performance.now(); }});
      }}
      if (text.includes("t{TOKENS - 1}_") && turn.painted) {{
        observer.disconnect();
        document.removeEventListener("keydown", key, {{capture: true}});
        resolve({{dom: turn.dom - turn.t0, painted: turn.painted - turn.t0}});
      }}
    }});
    observer.observe(document.body, {{subtree: true, childList: true, characterData: true}});
  }});
}}
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """One question in the browser and one by protocol; times in ms."""

    dom: float
    painted: float
    browser_cpu: float
    protocol: float
    protocol_cpu: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes."""

    bare: int
    """The browser without a page."""
    one_tab: int
    further_tab: float
    one_user: int
    further_user: float


class Chromium:
    """The browser, its processes and one tab."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._numbers = iter(range(10**6))
        self.page = self.open()

    def open(self) -> Page:
        """A tab in a context of its own."""
        page = self._browser.new_context().new_page()
        page.goto(self._url)
        page.wait_for_selector(INPUT, timeout=60_000)
        return page

    def reload(self) -> None:
        """Begin anew in the first tab."""
        self.page.reload()
        self.page.wait_for_selector(INPUT, timeout=60_000)
        pause(SETTLE_S)

    def ask(self, page: Page) -> tuple[float, float, float]:
        """One question: DOM and painted in ms from the key press, and CPU time of all processes in ms."""
        page.evaluate(WATCH)
        field = page.locator(INPUT)
        field.fill(f"browser question {next(self._numbers)} {PACE}")
        pause(SETTLE_S)
        cpu_s = machine.cpu_s(self.processes())
        field.press("Enter")
        seen = page.evaluate("() => window.turn")
        pause(SETTLE_S)
        return seen["dom"], seen["painted"], (machine.cpu_s(self.processes()) - cpu_s) * 1e3

    @staticmethod
    def processes() -> list[psutil.Process]:
        """All of Chromium's, not Playwright's own."""
        ours = psutil.Process().children(recursive=True)
        return [process for process in ours if re.search("chrom", _name(process))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=40, help="questions each (default %(default)s)")
    parser.add_argument("--contexts", type=int, default=5, help="further tabs (default %(default)s)")
    parser.add_argument("--users", type=int, default=200, help="further users (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order and the bootstrap")
    parser.add_argument("--chromium", default=CHROMIUM, help="default %(default)s")
    parser.add_argument(
        "--realtime", action="store_true", help="run before all other work of a machine that is not idle"
    )
    given = parser.parse_args()
    load = machine.load()
    rng = random.Random(given.seed)
    with (
        tempfile.TemporaryDirectory(prefix="glm-browser-") as directory,
        sync_playwright() as playwright,
        streamlit(PAGE, Path(directory)) as (url, server),
        crowd(url) as users,
    ):
        browser = playwright.chromium.launch(
            executable_path=given.chromium, headless=True, args=list(ARGUMENTS)
        )
        version = browser.version
        bare = machine.pss_bytes(Chromium.processes())
        if given.realtime:
            machine.go_first(server, users.pid, *(process.pid for process in Chromium.processes()))
        chromium = Chromium(browser, url)
        users.do(open=1)
        pairs = ask_pairs(chromium, users, given.pairs, rng)
        memory = Memory(bare, *browser_memory(chromium, given.contexts), *crowd_memory(users, given.users))
        browser.close()
    report(pairs, memory, given, version, load)


def ask_pairs(chromium: Chromium, users: CrowdProcess, count: int, rng: random.Random) -> list[Pair]:
    """So many pairs, after two questions each that do not count."""
    for _ in range(2):
        chromium.ask(chromium.page)
        users.do(ask=PACE)
    pairs = []
    for number in range(count):
        if number % TURNS_PER_TAB == 0:
            chromium.reload()
            users.do(reload=True)
        if rng.random() < 0.5:
            in_browser = chromium.ask(chromium.page)
            by_protocol = ask_protocol(users)
        else:
            by_protocol = ask_protocol(users)
            in_browser = chromium.ask(chromium.page)
        pairs.append(Pair(*in_browser, *by_protocol))
    return pairs


def ask_protocol(users: CrowdProcess) -> tuple[float, float]:
    """One question: TTFT and CPU time of the process, in ms."""
    answer = users.do(ask=PACE)
    pause(SETTLE_S)
    if answer["error"] is not None:
        raise SystemExit(answer["error"])
    return answer["ttft_ms"], answer["cpu_ms"]


def browser_memory(chromium: Chromium, contexts: int) -> tuple[int, float]:
    """Of one tab, and of each further one."""
    one, own = machine.pss_bytes(chromium.processes()), machine.own_bytes(chromium.processes())
    for _ in range(contexts):
        chromium.ask(chromium.open())
    return one, (machine.own_bytes(chromium.processes()) - own) / contexts


def crowd_memory(users: CrowdProcess, more: int) -> tuple[int, float]:
    """Of one protocol user, and of each further one."""
    process = [psutil.Process(users.pid)]
    users.do(each=PACE)
    one, own = machine.pss_bytes(process), machine.own_bytes(process)
    users.do(open=1 + more)
    users.do(each=PACE)
    return one, (machine.own_bytes(process) - own) / more


def report(pairs: Sequence[Pair], memory: Memory, given: argparse.Namespace, version: str, load: str) -> None:
    """Print and keep the tables."""
    rng = np.random.default_rng(given.seed)
    protocol = np.array([pair.protocol for pair in pairs])
    rows = [("protocol user", f"{np.median(protocol):.1f}", "", "")]
    for name, column in (("Chromium, DOM", "dom"), ("Chromium, painted", "painted")):
        ttft = np.array([getattr(pair, column) for pair in pairs])
        added = ttft - protocol
        low, high = interval(added, np.median, rng)
        quartiles = "{:.1f} to {:.1f}".format(*np.quantile(added, [0.25, 0.75]))
        rows.append(
            (
                name,
                f"{np.median(ttft):.1f}",
                f"{np.median(added):+.1f} ({low:+.1f} to {high:+.1f})",
                quartiles,
            )
        )
    head = ("", "TTFT ms, median", "later than the protocol user, median ms (95 % interval)", "quartiles")
    cpu = np.array([(pair.browser_cpu, pair.protocol_cpu) for pair in pairs])
    low, high = interval(cpu, ratio, rng)
    mib = 2**20
    costs = [
        (
            f"CPU per question of {TOKENS} updates",
            *(f"{mean:.1f} ms" for mean in cpu.mean(0)),
            f"**{ratio(cpu):.0f}×** ({low:.0f} to {high:.0f})",
            "≥ 30×",
        ),
        (
            "memory per further user",
            f"{memory.further_tab / mib:.1f} MiB",
            f"{memory.further_user / mib:.3f} MiB",
            f"**{memory.further_tab / memory.further_user:.0f}×**",
            "≥ 150×",
        ),
        (
            "memory with one user",
            f"{memory.one_tab / mib:.0f} MiB ({memory.bare / mib:.0f} without a page)",
            f"{memory.one_user / mib:.0f} MiB",
            f"{memory.one_tab / memory.one_user:.0f}×",
            "",
        ),
    ]
    machine.publish(
        "streamlit_browser",
        "The protocol user beside a real browser",
        load,
        f"Chromium {version}, headless; {len(pairs)} pairs; {given.contexts} further contexts, "
        f"{given.users} further protocol users.",
        machine.table(head, rows),
        machine.table(("", "Chromium", "protocol user", "ratio (95 % interval)", "wanted"), costs),
    )


def ratio(cpu: np.ndarray) -> float:
    """How many times the mean of the first column is that of the second."""
    browser, protocol = cpu.mean(0)
    return float(browser / protocol)


def interval(
    values: np.ndarray, statistic: Callable[[np.ndarray], float], rng: np.random.Generator
) -> tuple[float, float]:
    """95 % percentile bootstrap over the pairs."""
    drawn = [statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def pause(seconds: float) -> None:
    """Let both sides come to rest."""
    threading.Event().wait(seconds)


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""


if __name__ == "__main__":
    main()
