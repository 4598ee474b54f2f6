"""Becomes a given command that dies with the process that started it.

Run as a script: `python tether.py PARENT_PID COMMAND...`. It uses the standard library only, so that
it is fast to start and needs no import path.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tie_to(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends; elsewhere than on Linux do nothing.

    The parent's thread that started this process counts as the parent: it must live as long.
    """
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        sys.exit("the parent ended first")


if __name__ == "__main__":
    tie_to(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  # the command is the launcher's own argument list
