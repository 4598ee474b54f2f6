"""The ruler: a server whose truth is known, and how far a load generator's own figures are from it."""

from glm_locust.ruler.error import Reading, Truth, read_truth, reading

__all__ = ["Reading", "Truth", "read_truth", "reading"]
