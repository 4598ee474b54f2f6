"""Labels: the bounded sets of paths, tasks and devices that a dashboard tells apart."""

MOST_CHARS = 80
OTHER = "(other)"


class Labels:
    """Gives each label back, cut to a bounded length; those beyond the first `most` all are `OTHER`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, str] = {}

    def __call__(self, label: str) -> str:
        """The label to count under."""
        if (known := self._known.get(label)) is not None:
            return known
        if len(self._known) >= self._most:
            return OTHER
        short = label if len(label) <= MOST_CHARS else label[: MOST_CHARS - 1] + "…"
        self._known[label] = short
        return short
