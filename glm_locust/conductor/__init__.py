"""The conductor leads all workers through the plan of a comparison, block by block.

Its two ends, `Conductor` on the master and one `Desk` on each worker, talk in states, not in
events: the master repeats the order that a worker is behind with, a worker repeats its status.
Any message may therefore be lost, doubled or late.
"""

from glm_locust.conductor.conductor import Conductor, Course
from glm_locust.conductor.desk import Desk, Errand
from glm_locust.conductor.messages import DeskState, Order, Status

__all__ = ["Conductor", "Course", "Desk", "DeskState", "Errand", "Order", "Status"]
