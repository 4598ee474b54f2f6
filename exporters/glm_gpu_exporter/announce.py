"""One line for a person whenever NVML or a GPU has changed its state."""

import logging

from glm_gpu_exporter import policy
from glm_gpu_exporter.rows import Row

WHY = {
    policy.LIBRARY_NOT_FOUND: "libnvidia-ml.so.1 not found",
    policy.DRIVER_NOT_LOADED: "driver not loaded",
    policy.NO_PERMISSION: "no permission to use the driver",
    policy.GPU_IS_LOST: "the GPU is lost",
    policy.RESET_REQUIRED: "the GPU needs a reset",
    policy.LIB_RM_VERSION_MISMATCH: "driver and library versions do not match",
    policy.UNKNOWN: "unknown error",
}

logger = logging.getLogger(__name__)


def why(row: Row) -> str:
    """A row's failure in words."""
    code = row["code"]
    return f"{WHY.get(code, 'NVML error')} ({row['call']}: {code})"


class Announcer:
    """Says what has changed, once: a fault that repeats is silent until something else was said."""

    def __init__(self) -> None:
        self._nvml: object = None
        self._gpu_faults: dict[int, int] = {}
        self._end_told = False

    def hear(self, row: Row) -> None:
        """One more row of a source."""
        kind = row["kind"]
        if kind == "nvml":
            self._hear_nvml(row)
        elif kind == "gpu_fault" and self._gpu_faults.get(row["gpu"]) != row["code"]:
            self._gpu_faults[row["gpu"]] = row["code"]
            logger.warning("GPU %d gives no values: %s", row["gpu"], why(row))
        elif kind == "gpu":
            self._end_told = False
            if row["gpu"] in self._gpu_faults:
                del self._gpu_faults[row["gpu"]]
                logger.warning("GPU %d is back", row["gpu"])
        elif kind == "xid":
            logger.warning("GPU %d: XID %d", row["gpu"], row["xid"])

    def _hear_nvml(self, row: Row) -> None:
        state = row["state"]
        if state == "ended":
            if not self._end_told:
                logger.warning("the NVML child has ended; starting a new one")
            self._end_told = True
            return
        news = (state, row.get("code"), row.get("count"))
        if news == self._nvml:
            return
        self._nvml = news
        if state == "ok":
            logger.info("sampling %d GPUs, driver %s", row["count"], row["driver_version"])
        elif state == "no_driver":
            logger.warning("no NVIDIA driver here: %s; serving host and process metrics only", why(row))
        else:
            logger.warning("NVML fails: %s; serving host and process metrics, trying again", why(row))
