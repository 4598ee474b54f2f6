"""What the test apps answer: tokens that carry the instant at which they were made."""

import re
import time
from collections.abc import Iterator


def tokens(prompt: str) -> Iterator[str]:
    """`[ttft=0.1 gap=0.02 n=10]` in a prompt says when and how many."""
    said = dict(re.findall(r"(ttft|gap|n)=([\d.]+)", prompt))
    due = time.perf_counter() + float(said.get("ttft", 0.05))
    for number in range(int(said.get("n", 10))):
        time.sleep(max(0.0, due - time.perf_counter()))
        yield f"t{number}_{time.time_ns()} "
        due += float(said.get("gap", 0.02))
