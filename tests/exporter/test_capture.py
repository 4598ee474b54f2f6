"""Captures: recorded here, replayed as if live; a broken one is named in one line."""

import gzip
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from glm_gpu_exporter.capture import Recorder, Replay, read_capture, shifted
from glm_gpu_exporter.errors import ConfigError
from glm_gpu_exporter.rows import encoded

from tests.exporter.rig import Exporter, Journal

HEADER = b'{"kind":"capture","format":1,"exporter":"0","started_ns":0}\n'


def row(at_s: float, **content: Any) -> dict[str, Any]:
    at_ns = int(at_s * 1e9)
    return {"kind": "host", "t0_ns": at_ns, "t1_ns": at_ns, "v": {}, **content}


@pytest.mark.parametrize("name", ["capture", "capture.gz"])
def test_what_is_recorded_is_read_again(tmp_path: Path, name: str) -> None:
    rows = [row(1.0), row(2.0, kind="xid", gpu=0, xid=79)]
    recorder = Recorder(tmp_path / name)
    recorder.start()
    for each in rows:
        recorder.write(encoded(each))
    recorder.close()
    recorder.write(b"too late")
    assert list(read_capture(tmp_path / name)) == rows


def test_a_capture_that_was_cut_off_ends_where_it_was_cut(tmp_path: Path) -> None:
    whole = HEADER + b"".join(encoded(row(n)) + b"\n" for n in range(50))
    (tmp_path / "plain").write_bytes(whole[:-7])
    assert len(list(read_capture(tmp_path / "plain"))) == 49
    packed = gzip.compress(whole)
    (tmp_path / "packed.gz").write_bytes(packed[: len(packed) * 2 // 3])
    assert len(list(read_capture(tmp_path / "packed.gz"))) < 50


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "first line is no header"),
        (b"hello\n", "first line is no header"),
        (b'{"kind":"capture","format":2}\n', "format 1 expected, not 2"),
        (HEADER, "has no rows"),
        (HEADER + b"{}\n", "line 2 is not a row"),
        (HEADER + b"{...\n", "line 2 is not JSON"),
    ],
)
def test_what_is_no_capture_is_refused_with_its_place(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(ConfigError, match=words) as raised:
        Replay(tmp_path / "broken", False, lambda _: None)
    assert "\n" not in str(raised.value)


def test_a_missing_or_misnamed_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Replay(tmp_path / "nothing", False, lambda _: None)
    (tmp_path / "plain.gz").write_bytes(HEADER)
    with pytest.raises(ConfigError, match="not a gzip file"):
        Replay(tmp_path / "plain.gz", False, lambda _: None)
    with pytest.raises(ConfigError, match="--record"):
        Recorder(tmp_path / "no" / "folder")


def test_a_full_disk_ends_the_recording_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(Path("/dev/full"))
    recorder.start()
    recorder.write(b"x" * 100_000)
    recorder.join(30)
    recorder.write(b"more")
    recorder.close()
    assert "--record /dev/full ends here: No space left on device" in caplog.text


def test_times_move_together() -> None:
    moved = shifted({"kind": "gpu_buffer", "t0_ns": 5, "t1_ns": 7, "t_ns": [1, 2], "v": [0.5, 0.6]}, 100)
    assert moved == {"kind": "gpu_buffer", "t0_ns": 105, "t1_ns": 107, "t_ns": [101, 102], "v": [0.5, 0.6]}


def test_a_replay_keeps_the_pace_and_begins_again_with_loop(tmp_path: Path) -> None:
    rows = [row(1000.0 + n / 10) for n in range(4)]
    (tmp_path / "capture").write_bytes(HEADER + b"".join(encoded(each) + b"\n" for each in rows))
    arrived: list[tuple[int, int]] = []
    enough = threading.Event()

    def deliver(played: dict[str, Any]) -> None:
        arrived.append((played["t1_ns"], time.time_ns()))
        if len(arrived) == 8:
            enough.set()

    replay = Replay(tmp_path / "capture", True, deliver)
    replay.start()
    assert enough.wait(30)
    replay.close()
    replay.join(30)
    assert all(at_ns <= seen_ns + 1_000_000 for at_ns, seen_ns in arrived)
    assert arrived[3][0] - arrived[0][0] == 300_000_000


@pytest.mark.servers
@pytest.mark.compiler
def test_a_capture_of_one_machine_is_served_on_another(
    start: Callable[..., Exporter], journal: Journal, tmp_path: Path
) -> None:
    journal.add("gpus = 2", "*.util = 73", "*.util_period_us = 1000", "1.name = NVIDIA L40S")
    journal.add("*.ret.nvmlDeviceGetTotalEnergyConsumption = 3")
    capture = tmp_path / "capture.gz"
    recording = start("--record", str(capture))
    recording.wait_for("slow readings", lambda s: len(s.all("gpu_temperature_celsius")) == 2)
    recording.wait_for("some samples", lambda s: min(s.all("gpu_samples_total")) > 50)
    assert recording.stop() == 0
    assert json.loads(gzip.decompress(capture.read_bytes()).splitlines()[0])["kind"] == "capture"
    with Exporter(None, None, "--replay", str(capture), "--loop") as replaying:
        scrape = replaying.wait_for("both GPUs", lambda s: s.all("gpu_utilization_ratio") == [0.73, 0.73])
        assert scrape.one("gpu_info", gpu="1", name="NVIDIA L40S") == 1
        assert scrape.all(
            "gpu_metric_disabled", reason="not_supported", call="nvmlDeviceGetTotalEnergyConsumption"
        )
        clock_ns = replaying.json("/v1/clock")["t_in_ns"]
        newest = [r for r in replaying.rows() if r["kind"] == "gpu"][-1]
        assert abs(newest["t1_ns"] - clock_ns) < 2e9
        assert replaying.children() == []
        assert replaying.stop() == 0
