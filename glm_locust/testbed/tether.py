"""Becomes, or runs, a given command that dies with the process that started it.

Run as a script: `python tether.py PARENT_PID COMMAND...`, or `python tether.py --group PARENT_PID COMMAND...`
for a command whose own children must die with it; it then leads their process group. It uses the standard
library only, so that it is fast to start and needs no import path.
"""

import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

PR_SET_PDEATHSIG = 1


def tie_to(parent_pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel signal this process when its parent ends; elsewhere than on Linux do nothing.

    The parent's thread that started this process counts as the parent: it must live as long.
    """
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        sys.exit("the parent ended first")


def run_group(parent_pid: int, command: list[str]) -> int:
    """Run a command to its end and return its exit code; without the parent, kill the process group."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        # From the parent itself the command has got this signal, too, and ends by itself.
        if os.getppid() != parent_pid:
            os.killpg(0, signal.SIGKILL)

    signal.signal(signal.SIGTERM, on_signal)
    tie_to(parent_pid, signal.SIGTERM)
    with subprocess.Popen(command) as process:
        code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    if sys.argv[1] == "--group":
        sys.exit(run_group(int(sys.argv[2]), sys.argv[3:]))
    tie_to(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  # the command is the launcher's own argument list
