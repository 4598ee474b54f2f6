"""What a run is to do, read from TOML and command lines into frozen dataclasses."""

from glm_locust.config.targets import ApiTarget, Deadlines, Secret, WebTarget, WidgetChoice

__all__ = ["ApiTarget", "Deadlines", "Secret", "WebTarget", "WidgetChoice"]
