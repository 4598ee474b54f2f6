"""Protocol users at a Streamlit page, in a process of their own that other benchmarks command.

One JSON object a line in, one out; run by `streamlit_browser.py` and `streamlit_capacity.py`.

    {"open": 3}                                   have so many users with the page open
    {"ask": "text [n=30]"}                        the first user asks once
    {"each": "text"}                              every user asks once, ten at a time
    {"stream": "text", "seconds": 10}             all users ask back to back for so long
    {"reload": true}                              every user leaves and comes again
"""

import gc
import itertools
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import gevent

from glm_locust.config import WebTarget
from glm_locust.records import Measurement, Phase, RequestRecord, encode_line
from glm_locust.transport.clock import now_ns
from glm_locust.users.streamlit_client import StreamlitClient
from glm_locust.workload.prompt import Prompt

AT_A_TIME = 10
"""Users who ask at once where all ask one question: as many as a Streamlit process serves well."""


class Crowd:
    """Users at one page."""

    def __init__(self, url: str) -> None:
        self._target = WebTarget(url)
        self._users: list[StreamlitClient] = []
        self._numbers = itertools.count(1)

    def open(self, users: int) -> dict[str, Any]:
        """Have so many users."""
        while len(self._users) < users:
            client = StreamlitClient(self._target)
            client.open()
            self._users.append(client)
        while len(self._users) > users:
            self._users.pop().close()
        return {"users": users}

    def ask(self, text: str) -> dict[str, Any]:
        """One question of the first user, with the CPU time of this process meanwhile."""
        cpu_ns = time.process_time_ns()
        record = self._ask(self._users[0], text, Phase.MEASURE)
        return {**_shown(record), "cpu_ms": (time.process_time_ns() - cpu_ns) / 1e6}

    def each(self, text: str) -> dict[str, Any]:
        """One question of each, ten at a time."""
        failed = 0
        for start in range(0, len(self._users), AT_A_TIME):
            clients = self._users[start : start + AT_A_TIME]
            asking = [gevent.spawn(self._ask, client, text, Phase.MEASURE) for client in clients]
            gevent.joinall(asking, raise_error=True)
            failed += sum(greenlet.value.error_kind is not None for greenlet in asking)
        gc.collect()
        return {"failed": failed}

    def stream(self, text: str, seconds: float) -> dict[str, Any]:
        """All at once, back to back; each one's first question does not count."""
        until_ns = now_ns() + int(seconds * 1e9)
        cpu_ns = time.process_time_ns()
        working = [gevent.spawn(self._work, client, text, until_ns) for client in self._users]
        gevent.joinall(working, raise_error=True)
        cpu_s = (time.process_time_ns() - cpu_ns) / 1e9
        records = [record for greenlet in working for record in greenlet.value]
        return {"questions": len(records), "cpu_s": cpu_s, "records": [_shown(record) for record in records]}

    def reload(self, _: bool) -> dict[str, Any]:
        """New tabs."""
        users = len(self._users)
        self.open(0)
        return self.open(users)

    def _work(self, client: StreamlitClient, text: str, until_ns: int) -> list[RequestRecord]:
        client.idle(random.uniform(0, 2))
        records: list[RequestRecord] = []
        while now_ns() < until_ns:
            phase = Phase.MEASURE if records else Phase.WARMUP
            records.append(self._ask(client, text, phase))
        return records

    def _ask(self, client: StreamlitClient, text: str, phase: Phase) -> RequestRecord:
        number = next(self._numbers)
        prompt = Prompt("chat", f"question {number} {text}")
        measurement = Measurement(
            path="web", task="chat", phase=phase, prompt_id=prompt.prompt_id, scheduled_ns=now_ns()
        )
        client.ask(prompt, measurement)
        record = measurement.seal(run_id="benchmark", worker_id="crowd", seq=number)
        encode_line(record)  # what a worker's spool gets
        return record


def _shown(record: RequestRecord) -> dict[str, Any]:
    start_ns = record.submitted_ns or record.scheduled_ns
    return {
        "warmup": record.phase is Phase.WARMUP,
        "error": record.error_kind and f"{record.error_kind}: {record.error_detail}",
        "ttft_ms": record.first_token_ns and (record.first_token_ns - start_ns) / 1e6,
        "accepted_ms": record.accepted_ns and (record.accepted_ns - start_ns) / 1e6,
        "e2e_ms": (record.finished_ns - start_ns) / 1e6,
        "updates": len(record.output_gaps_us) + 1,
    }


def main() -> None:
    crowd = Crowd(sys.argv[1])
    while line := gevent.get_hub().threadpool.apply(sys.stdin.readline):
        command = json.loads(line)
        name = next(iter(command))
        argument = command.pop(name)
        print(json.dumps(getattr(crowd, name)(argument, **command)), flush=True)


if __name__ == "__main__":
    main()
