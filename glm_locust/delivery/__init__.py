"""On a worker: every finished request goes to a spool file, then to the master until acknowledged."""

from glm_locust.delivery.recorder import Recorder, enroll, recorder_of
from glm_locust.delivery.shipping import Shipper
from glm_locust.delivery.spool import Spool

__all__ = ["Recorder", "Shipper", "Spool", "enroll", "recorder_of"]
