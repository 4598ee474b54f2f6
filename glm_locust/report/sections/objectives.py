"""What the run was to meet: one row an objective, and the banner that sums them up."""

from glm_locust.report.analysis import Analysis
from glm_locust.report.catalogue import NBSP, Catalogue, count, in_unit
from glm_locust.report.document import Banner, Cell, Row, Section, Table, names, numbers, text
from glm_locust.report.judgement import Judgement
from glm_locust.slo import Reason, Ruling, Verdict

_TONES = {Ruling.PASS: "good", Ruling.FAIL: "alarm", Ruling.INVALID: "alarm"}


def objectives(analysis: Analysis, words: Catalogue) -> Section | None:
    """Every objective with what was measured; None where there was none."""
    judgement = analysis.judgement
    if judgement is None:
        return None
    rows = [
        Row(
            (
                Cell(verdict.objective.text, code=True),
                Cell(measured(verdict)),
                Cell(count(verdict.n)),
                Cell(words.name("ruling", verdict.ruling), f"ruling-{verdict.ruling}"),
                text("; ".join(remarks(verdict, words))),
            )
        )
        for verdict in judgement.verdicts
    ]
    columns = (
        *names(words.text("col.objective")),
        *numbers(words.text("col.measured_value"), words.text("col.n")),
        *names(words.text("col.verdict"), words.text("col.remarks")),
    )
    return Section(
        "objectives",
        words.text("slo.title"),
        (words.text("slo.lead"),),
        tables=(Table(columns, tuple(rows)),) if rows else (),
        notes=tuple(words.say(problem) for problem in judgement.problems),
    )


def banner(judgement: Judgement, words: Catalogue) -> Banner:
    """The ruling of the whole run."""
    ruling = judgement.ruling
    if judgement.problems:
        said = words.text(
            "banner.slo_untrusted.text", why="; ".join(words.say(problem) for problem in judgement.problems)
        )
    elif ruling is Ruling.PASS:
        said = words.text("banner.slo_pass.text", n=len(judgement.verdicts))
    else:
        said = "; ".join(sentence(verdict, words) for verdict in judgement.of(ruling))
    return Banner(words.text(f"banner.slo_{ruling}"), said, _TONES[ruling])


def sentence(verdict: Verdict, words: Catalogue) -> str:
    """One verdict in one line of plain text."""
    said = words.text(
        "slo.sentence", objective=verdict.objective.text, measured=measured(verdict), n=verdict.n
    )
    return "; ".join((said, *remarks(verdict, words)))


def verdict_lines(judgement: Judgement, words: Catalogue) -> tuple[str, ...]:
    """Every verdict in one line, and what is wrong with the run."""
    lines = (
        words.text("slo.line", ruling=words.name("ruling", verdict.ruling), sentence=sentence(verdict, words))
        for verdict in judgement.verdicts
    )
    return (*lines, *(words.say(problem) for problem in judgement.problems))


def measured(verdict: Verdict) -> str:
    """What was measured, with its unit."""
    return in_unit(verdict.measured, verdict.objective.measure.unit)


def remarks(verdict: Verdict, words: Catalogue) -> tuple[str, ...]:
    """Why there is no verdict, and what is to be known of the windows."""
    said = []
    if verdict.reason is not None:
        said.append(_why(verdict, verdict.reason, words))
    windows = verdict.windows
    if windows is not None and windows.judged:
        said.append(
            words.text(
                "slo.windows",
                judged=windows.judged,
                failed=windows.failed,
                begin=f"{windows.worst_begins_s or 0:,.0f}{NBSP}s",
            )
        )
    if windows is not None and windows.too_few:
        said.append(words.text("slo.windows_few", n=windows.too_few))
    return tuple(said)


def _why(verdict: Verdict, reason: Reason, words: Catalogue) -> str:
    return words.text(
        f"slo.why.{reason}",
        n=verdict.n,
        needed=verdict.objective.needed,
        paths=", ".join(verdict.missing_on),
    )
