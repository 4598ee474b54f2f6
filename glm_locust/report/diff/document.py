"""The comparison of two runs as a document: conditions, what is shown, every change, both runs."""

import shlex
from collections.abc import Iterable

from glm_locust import __version__
from glm_locust.overhead import Interval
from glm_locust.regression import Change, Measure, Verdict
from glm_locust.regression.change import ERROR_RATE
from glm_locust.report.catalogue import (
    NOT_AVAILABLE,
    Catalogue,
    bare_milliseconds,
    count,
    in_unit,
    percent,
    signed,
)
from glm_locust.report.diff.chart import relative_changes
from glm_locust.report.diff.difference import Difference, Side
from glm_locust.report.document import Banner, Cell, Document, Plot, Row, Section, Table, names, numbers, text
from glm_locust.report.sections.times import path_cell
from glm_locust.report.sections.trust import utc
from glm_locust.slo import FailureShare, MetricStatistic, Ruling
from glm_locust.slo.phrase import FAILURES, short_name

SHOWN_IN_HEAD = 6
"""Changes that are told in the sentences at the top."""
_TONES = {Ruling.PASS: "good", Ruling.FAIL: "alarm", Ruling.INVALID: "alarm"}


def compose(difference: Difference, words: Catalogue) -> Document:
    """The whole comparison in one language."""
    base, new = difference.base.ends.header, difference.new.ends.header
    sections = (
        _conditions(difference, words),
        _overview(difference, words),
        *(_table_of(measure, difference, words) for measure in _measures(difference)),
        _runs(difference, words),
        _method(difference, words),
    )
    return Document(
        language=words.language,
        title=words.text("diff.title"),
        subtitle=words.text("diff.subtitle", new=new.run_id, old=base.run_id),
        meta=(
            words.text("diff.meta.base", run_id=base.run_id, at=utc(base.started_ns)),
            words.text("diff.meta.new", run_id=new.run_id, at=utc(new.started_ns)),
        ),
        banners=tuple(_banners(difference, words)),
        verdict=sentences(difference, words),
        tiles=(),
        contents=words.text("contents"),
        sections=tuple(section for section in sections if section is not None),
        footer=words.text("footer", version=__version__),
    )


def sentences(difference: Difference, words: Catalogue) -> tuple[str, ...]:
    """What is shown: how many changes, and the largest of them."""
    worse, better = difference.of(Verdict.WORSE), difference.of(Verdict.BETTER)
    judged = sum(change.p is not None for change in difference.changes)
    if not judged:
        return (words.text("diff.head.nothing"),)
    if not worse and not better:
        return (words.text("diff.head.none", n=judged),)
    said = [words.text("diff.head.shown", worse=len(worse), better=len(better), n=judged)]
    for verdict, found in (("worse", worse), ("better", better)):
        if found:
            largest = sorted(found, key=_weight, reverse=True)[:SHOWN_IN_HEAD]
            told = "; ".join(f"{place_of(one, words)} {amount_of(one)}" for one in largest)
            said.append(words.text(f"diff.head.{verdict}", changes=told))
    return tuple(said)


def decision_lines(difference: Difference, words: Catalogue) -> tuple[str, ...]:
    """Every condition in one line, and what is wrong with the runs."""
    lines = [
        words.text(
            "diff.condition.line",
            condition=decision.condition.text,
            ruling=words.name("diff.ruling", decision.ruling),
            why=_why(decision.changes, decision.ruling, words),
        )
        for decision in difference.decisions
    ]
    lines += [
        words.text("diff.trouble", run_id=run_id, why=why) for run_id, why in _troubles(difference, words)
    ]
    return tuple(lines)


def name_of(measure: Measure) -> str:
    """As conditions write it: `ttft p95`."""
    if isinstance(measure, FailureShare):
        return FAILURES
    return f"{short_name(measure.metric)} {measure.statistic}"


def place_of(change: Change, words: Catalogue) -> str:
    """`ttft p50, API, Text in the image`."""
    place = change.place
    parts = [name_of(change.measure), words.name("path", place.path)]
    if place.task is not None:
        parts.append(words.name("task", place.task))
    if place.level is not None:
        parts.append(words.text("diff.level", level=place.level))
    return ", ".join(parts)


def amount_of(change: Change) -> str:
    """`+15 % (+11 % to +19 %)`; of shares and of what has no share, in their unit."""
    if change.relative is not None:
        return _told(change.relative, "share")
    return _told(change.difference, change.measure.unit)


def _told(interval: Interval, unit: str) -> str:
    value = signed(interval.value, in_unit(interval.value, unit))
    if interval.low is None or interval.high is None:
        return value
    low, high = (signed(bound, in_unit(bound, unit)) for bound in (interval.low, interval.high))
    return f"{value} ({low} … {high})"


def _weight(change: Change) -> tuple[bool, float]:
    """Whole paths before their tasks, then by size."""
    place = change.place
    size = change.difference.value if change.relative is None else change.relative.value
    return (place.task, place.level) == (None, None), abs(size)


def _measures(difference: Difference) -> tuple[Measure, ...]:
    return tuple(dict.fromkeys(change.measure for change in difference.changes))


def _why(changes: Iterable[Change], ruling: Ruling, words: Catalogue) -> str:
    found = "; ".join(f"{place_of(one, words)} {amount_of(one)}" for one in changes)
    if ruling is not Ruling.INVALID:
        return found
    return words.text("diff.why.not_shown", changes=found) if found else words.text("diff.why.not_measured")


def _troubles(difference: Difference, words: Catalogue) -> list[tuple[str, str]]:
    return [
        (side.ends.header.run_id, words.say(trouble))
        for side in (difference.base, difference.new)
        for trouble in side.troubles
    ]


def _banners(difference: Difference, words: Catalogue) -> Iterable[Banner]:
    if difference.decisions:
        ruling = difference.ruling
        text_ = "; ".join(
            words.text(
                "diff.condition.line",
                condition=decision.condition.text,
                ruling=words.name("diff.ruling", decision.ruling),
                why=_why(decision.changes, decision.ruling, words),
            )
            for decision in difference.decisions
            if decision.ruling is ruling or ruling is Ruling.PASS
        )
        yield Banner(words.text(f"diff.banner.{ruling}"), text_, _TONES[ruling])
    if troubles := _troubles(difference, words):
        told = "; ".join(words.text("diff.trouble", run_id=run_id, why=why) for run_id, why in troubles)
        yield Banner(words.text("diff.banner.trouble"), told, "alarm")
    if difference.workload:
        yield Banner(words.text("diff.banner.workload"), "; ".join(difference.workload), "alarm")
    cut_short = [
        side.ends.header.run_id
        for side in (difference.base, difference.new)
        if side.ends.footer is not None and side.ends.footer.partial
    ]
    if cut_short:
        yield Banner(words.text("banner.partial"), ", ".join(cut_short), "alarm")


def _conditions(difference: Difference, words: Catalogue) -> Section | None:
    if not difference.decisions:
        return None
    rows = [
        Row(
            (
                Cell(decision.condition.text, code=True),
                Cell(words.name("diff.ruling", decision.ruling), f"ruling-{decision.ruling}"),
                text(_why(decision.changes, decision.ruling, words)),
            )
        )
        for decision in difference.decisions
    ]
    return Section(
        "conditions",
        words.text("diff.conditions.title"),
        (words.text("diff.conditions.lead"),),
        tables=(
            Table(
                names(words.text("col.condition"), words.text("col.verdict"), words.text("col.decided_by")),
                tuple(rows),
            ),
        ),
    )


def _overview(difference: Difference, words: Catalogue) -> Section | None:
    chart = relative_changes(difference, words, name_of)
    if chart is None:
        return None
    plot = Plot("changes", words.text("diff.chart"), chart)
    return Section("overview", words.text("diff.overview.title"), plots=(plot,), brief=False)


def _table_of(measure: Measure, difference: Difference, words: Catalogue) -> Section:
    rows: list[Row] = []
    before = None
    for change in difference.changes:
        if change.measure != measure:
            continue
        place = change.place
        first = place.path != before
        before = place.path
        where = words.text("all_tasks")
        if place.task is not None:
            where = words.name("task", place.task)
        elif place.level is not None:
            where = words.text("diff.level", level=place.level)
        rows.append(
            Row(
                (
                    path_cell(words, place.path) if first else text(""),
                    text(where),
                    Cell(f"{count(change.n_base)} / {count(change.n_new)}"),
                    Cell(_bare(change.base, measure)),
                    Cell(_bare(change.new, measure), "strong"),
                    Cell(signed(change.difference.value, _bare(change.difference.value, measure))),
                    Cell(_interval(change)),
                    Cell(_relative(change)),
                    Cell(words.name("change", change.verdict), f"change-{change.verdict}"),
                ),
                first=first,
                total=place.task is None and place.level is None and isinstance(measure, MetricStatistic),
            )
        )
    unit = {"s": "ms", "share": "%"}.get(measure.unit, measure.unit)
    columns = (
        *names(words.text("col.path"), words.text("diff.col.where")),
        *numbers(
            words.text("diff.col.n"),
            words.text("diff.col.base", unit=unit),
            words.text("diff.col.new", unit=unit),
            words.text("diff.col.change", unit=unit),
            words.text("col.interval"),
            words.text("col.percent"),
        ),
        *names(words.text("col.verdict")),
    )
    slug = name_of(measure).replace(" ", "-").replace(".", "-")
    return Section(f"of-{slug}", name_of(measure), tables=(Table(columns, tuple(rows)),))


def _bare(value: float, measure: Measure) -> str:
    if measure.unit == "s":
        return bare_milliseconds(value)
    return percent(value) if measure.unit == "share" else f"{value:,.2f}"


def _interval(change: Change) -> str:
    low, high = change.difference.low, change.difference.high
    if low is None or high is None:
        return NOT_AVAILABLE
    return f"{signed(low, _bare(low, change.measure))} … {signed(high, _bare(high, change.measure))}"


def _relative(change: Change) -> str:
    if change.relative is None:
        return ""
    return signed(change.relative.value, percent(change.relative.value))


def _runs(difference: Difference, words: Catalogue) -> Section:
    sides = (difference.base, difference.new)

    def facts(side: Side) -> dict[str, str]:
        header, footer = side.ends.header, side.ends.footer
        models = (
            str(one["model"]) for one in header.targets.values() if isinstance(one, dict) and one.get("model")
        )
        return {
            words.text("run.started"): utc(header.started_ns),
            words.text("run.end_reason"): words.name("reason", footer.reason if footer else "no_footer"),
            words.text("diff.requests"): count(side.measured),
            words.text("diff.model"): ", ".join(dict.fromkeys(models)) or NOT_AVAILABLE,
            words.text("run.command"): shlex.join(header.command),
            words.text("run.versions"): ", ".join(f"{name} {one}" for name, one in header.versions.items()),
        }

    base, new = (facts(side) for side in sides)
    rows = [Row((text(name), text(base[name]), text(new[name]))) for name in base]
    columns = names(words.text("col.what"), *(side.ends.header.run_id for side in sides))
    return Section("runs", words.text("diff.runs.title"), tables=(Table(columns, tuple(rows)),), brief=False)


def _method(difference: Difference, words: Catalogue) -> Section:
    judged = sum(change.p is not None for change in difference.changes)
    return Section(
        "method",
        words.text("diff.method.title"),
        (
            words.text("diff.method.interval"),
            words.text(
                "diff.method.words",
                n=judged,
                error_share=ERROR_RATE,
                smallest_share=difference.smallest_change,
            ),
            words.text("diff.method.between"),
        ),
        brief=False,
    )
