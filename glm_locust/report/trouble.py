"""Why a run cannot be trusted, whatever its figures say."""

from glm_locust.report.quality import Quality
from glm_locust.report.reading import RunEnds
from glm_locust.report.statement import Statement


def troubles(quality: Quality, ends: RunEnds, *, allow_lost_workers: bool = False) -> tuple[Statement, ...]:
    """One statement per reason; none where the run can be trusted."""
    found = []
    if ends.footer is None:
        found.append(Statement("trouble.no_end"))
    elif ends.footer.reason == "disk_full":
        found.append(Statement("trouble.disk_full"))
    if not allow_lost_workers:
        if lost := [worker.worker_id for worker in quality.workers if worker.lost]:
            found.append(Statement("trouble.lost", {"workers": ", ".join(lost)}))
        elif quality.missing:
            found.append(Statement("trouble.missing", {"missing": quality.missing}))
    if quality.unreadable_lines:
        found.append(Statement("trouble.unreadable", {"lines": quality.unreadable_lines}))
    return tuple(found)
