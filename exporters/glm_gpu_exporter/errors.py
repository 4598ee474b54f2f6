"""The exceptions that the exporter raises on purpose."""


class ConfigError(Exception):
    """Something the user gave is wrong; the text is one line that says what was expected and where."""
