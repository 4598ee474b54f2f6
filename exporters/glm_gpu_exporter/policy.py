"""What an NVML return code means: for one reading, for a GPU's handle, for the process.  No I/O."""

from dataclasses import dataclass
from enum import Enum

UNINITIALIZED = 1
INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NO_PERMISSION = 4
NOT_FOUND = 6
DRIVER_NOT_LOADED = 9
TIMEOUT = 10
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
LIB_RM_VERSION_MISMATCH = 18
ARGUMENT_VERSION_MISMATCH = 25
DEPRECATED = 26
UNKNOWN = 999


class Verdict(Enum):
    """What to do after a call has failed."""

    DISABLE = "this reading is not to be had here: ask again only after the next initialisation"
    SKIP = "no value this time"
    DROP = "the handle is dead: take a new one after a pause"


DISABLING = {
    NOT_SUPPORTED: "not_supported",
    NO_PERMISSION: "no_permission",
    FUNCTION_NOT_FOUND: "function_not_found",
    ARGUMENT_VERSION_MISMATCH: "argument_version_mismatch",
    DEPRECATED: "deprecated",
}
"""Code -> the reason shown in gpu_metric_disabled."""

DROPPING = frozenset(
    {
        UNINITIALIZED,
        INVALID_ARGUMENT,
        DRIVER_NOT_LOADED,
        GPU_IS_LOST,
        RESET_REQUIRED,
        LIB_RM_VERSION_MISMATCH,
        UNKNOWN,
    }
)

NO_DRIVER = frozenset({LIBRARY_NOT_FOUND, DRIVER_NOT_LOADED})
"""This machine has no NVIDIA driver (yet): nothing is wrong with it."""

CURED_BY_A_NEW_PROCESS = frozenset({UNINITIALIZED, DRIVER_NOT_LOADED, LIB_RM_VERSION_MISMATCH, UNKNOWN})
"""Faults of the loaded library: it stays mapped after a driver upgrade, so no retry in place helps."""

FAULT_OF_ONE_CALL = frozenset({INVALID_ARGUMENT, UNKNOWN})
"""Codes that also come from one broken sensor on a GPU that otherwise answers."""


def verdict(code: int) -> Verdict:
    """What to do about one failed call."""
    if code in DISABLING:
        return Verdict.DISABLE
    if code in DROPPING:
        return Verdict.DROP
    return Verdict.SKIP


@dataclass(slots=True)
class Backoff:
    """Pauses that double from ``first_s`` to ``longest_s`` until something has gone well."""

    first_s: float
    longest_s: float
    next_s: float = 0.0

    def pause_s(self) -> float:
        """The pause to make now; the next one is twice as long."""
        now = self.next_s or self.first_s
        self.next_s = min(2 * now, self.longest_s)
        return now

    def reset(self) -> None:
        """Something has gone well: begin small again."""
        self.next_s = 0.0
