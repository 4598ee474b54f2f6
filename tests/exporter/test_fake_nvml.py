"""The scripted library itself, through the real pynvml: what the other tests lean on holds.

Each case runs in a process of its own, since a library is loaded once per process.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.exporter.rig import DEADLINE_S, Journal

pytestmark = pytest.mark.compiler

PRELUDE = """
import os, threading, time
import pynvml as n

def add(line):
    with open(os.environ["FAKE_NVML_SCRIPT"], "a") as file:
        file.write(line + "\\n")

def code(function, *arguments):
    try:
        function(*arguments)
    except n.NVMLError as error:
        return error.value
    return 0

def soon(holds):
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.005)
"""

CASES = {
    "a call before the initialisation is refused": (
        "",
        "assert code(n.nvmlDeviceGetCount) == n.NVML_ERROR_UNINITIALIZED",
    ),
    "handles outlive a shutdown only together with the library": (
        "",
        """
        n.nvmlInit(); h = n.nvmlDeviceGetHandleByIndex(0); n.nvmlShutdown()
        assert code(n.nvmlDeviceGetPowerUsage, h) == n.NVML_ERROR_UNINITIALIZED
        n.nvmlInit(); assert n.nvmlDeviceGetPowerUsage(h) == 75000
        """,
    ),
    "memory version 1 counts the reserve as used, version 2 does not": (
        "*.mem_used = 1000\n*.mem_reserved = 696254464\n",
        """
        n.nvmlInit(); h = n.nvmlDeviceGetHandleByIndex(0)
        v1, v2 = n.nvmlDeviceGetMemoryInfo(h), n.nvmlDeviceGetMemoryInfo(h, n.nvmlMemory_v2)
        assert (v2.used, v1.used) == (1000, 1000 + 696254464)
        assert v2.total == v2.used + v2.free + v2.reserved == v1.total
        """,
    ),
    "utilisation is a mean that is held for a period": (
        "0.util = square(0,100,0.5)\n0.util_period_us = 100000\n",
        """
        n.nvmlInit(); h = n.nvmlDeviceGetHandleByIndex(0); seen = []
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            seen.append(n.nvmlDeviceGetUtilizationRates(h).gpu)
        assert {min(seen), max(seen)} == {0, 100}
        assert sum(a != b for a, b in zip(seen, seen[1:])) <= 7
        """,
    ),
    "the ring of samples is in order and hands out what is newer": (
        "0.power_mw = 300000\n",
        """
        n.nvmlInit(); h = n.nvmlDeviceGetHandleByIndex(0)
        get = lambda last: n.nvmlDeviceGetSamples(h, n.NVML_TOTAL_POWER_SAMPLES, last)
        soon(lambda: code(get, 0) == 0 and len(get(0)[1]) >= 5)
        kind, samples = get(0)
        times = [s.timeStamp for s in samples]
        assert kind == n.NVML_VALUE_TYPE_UNSIGNED_INT
        assert all(b - a == 20000 for a, b in zip(times, times[1:]))
        assert samples[0].sampleValue.uiVal == 300000
        soon(lambda: code(get, times[-1]) == 0)
        assert get(times[-1])[1][0].timeStamp == times[-1] + 20000
        assert code(get, times[-1] + 10**9) == n.NVML_ERROR_NOT_FOUND
        assert code(n.nvmlDeviceGetSamples, h, 4, 0) == n.NVML_ERROR_NOT_SUPPORTED
        """,
    ),
    "energy is the integral of power": (
        "0.power_mw = 500000\n",
        """
        n.nvmlInit(); h = n.nvmlDeviceGetHandleByIndex(0)
        a, t = n.nvmlDeviceGetTotalEnergyConsumption(h), time.time()
        soon(lambda: time.time() - t > 0.3)
        b, u = n.nvmlDeviceGetTotalEnergyConsumption(h), time.time()
        assert abs((b - a) / 1000 / (u - t) - 500) < 25
        """,
    ),
    "field values fail one by one": (
        "0.power_mw = 612345\n0.field.138 = 55\n",
        """
        n.nvmlInit(); h = n.nvmlDeviceGetHandleByIndex(0)
        power, known, unknown = n.nvmlDeviceGetFieldValues(h, [n.NVML_FI_DEV_POWER_INSTANT, (138, 0), 9999])
        assert (power.nvmlReturn, power.value.uiVal) == (0, 612345)
        assert (known.nvmlReturn, known.value.ullVal) == (0, 55)
        assert unknown.nvmlReturn == n.NVML_ERROR_NOT_SUPPORTED
        """,
    ),
    "a call that hangs lets other threads of Python go on": (
        "0.hang.nvmlDeviceGetPowerUsage = 1\n",
        """
        n.nvmlInit(); h = n.nvmlDeviceGetHandleByIndex(0)
        thread = threading.Thread(target=n.nvmlDeviceGetPowerUsage, args=(h,)); thread.start()
        for _ in range(100):
            n.nvmlDeviceGetUtilizationRates(h)
        assert thread.is_alive()
        add("0.hang.nvmlDeviceGetPowerUsage = 0")
        thread.join(20); assert not thread.is_alive()
        """,
    ),
    "lines come into force at their time, and later lines win": (
        "0.temp = 40\n+0.2 0.temp = 50\n@1 0.temp = 30\n0.temp = 41\n",
        """
        n.nvmlInit(); h = n.nvmlDeviceGetHandleByIndex(0)
        read = lambda: n.nvmlDeviceGetTemperature(h, 0)
        assert read() in (30, 41, 50); soon(lambda: read() == 50)
        add("0.temp = 60"); soon(lambda: read() == 60)
        """,
    ),
    "an occurrence comes once, to those who were registered before it": (
        "0.xid = 13\n",
        """
        n.nvmlInit(); h = n.nvmlDeviceGetHandleByIndex(0); events = n.nvmlEventSetCreate()
        n.nvmlDeviceRegisterEvents(h, n.nvmlEventTypeXidCriticalError, events)
        assert code(n.nvmlEventSetWait, events, 30) == n.NVML_ERROR_TIMEOUT
        add("0.xid = 79"); event = n.nvmlEventSetWait(events, 20000)
        assert (event.eventData, n.nvmlDeviceGetIndex(event.device)) == (79, 0)
        assert code(n.nvmlEventSetWait, events, 30) == n.NVML_ERROR_TIMEOUT
        """,
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_the_scripted_library(what: str, library: Path, journal: Journal) -> None:
    script, body = CASES[what]
    journal.path.write_text(script)
    environment = os.environ | {"LD_LIBRARY_PATH": str(library), "FAKE_NVML_SCRIPT": str(journal.path)}
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(body)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
