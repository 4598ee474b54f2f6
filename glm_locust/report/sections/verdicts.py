"""What follows: the article's claims, and which path for which use."""

from glm_locust.report.analysis import Analysis
from glm_locust.report.catalogue import Catalogue
from glm_locust.report.document import Cell, Row, Section, Table, names, text


def claims(analysis: Analysis, words: Catalogue) -> Section:
    """Every claim with what was measured and the verdict."""
    rows = [
        Row(
            (
                text(words.text(f"claim.{claim.claim_id}", **claim.claimed)),
                text(words.say(claim.measured)),
                Cell(words.name("verdict", claim.verdict), f"verdict-{claim.verdict}"),
            )
        )
        for claim in analysis.claims
    ]
    lead = [words.text("claims.lead")]
    if analysis.run.simulated:
        lead.append(words.text("claims.preset"))
    return Section(
        "claims",
        words.text("claims.title"),
        tuple(lead),
        tables=(
            Table(
                names(words.text("col.claim"), words.text("col.this_run"), words.text("col.verdict")),
                tuple(rows),
            ),
        ),
    )


def recommendations(analysis: Analysis, words: Catalogue) -> Section:
    """One row a use."""
    rows = [
        Row(
            (
                text(words.text(f"use.{one.use}")),
                Cell(words.say(one.advice), "" if one.measured else "quiet"),
                Cell(words.say(one.rests_on), "" if one.measured else "quiet"),
            )
        )
        for one in analysis.recommendations
    ]
    return Section(
        "use",
        words.text("use.title"),
        (words.text("use.lead"),),
        tables=(
            Table(
                names(words.text("col.use"), words.text("col.advice"), words.text("col.rests_on")),
                tuple(rows),
            ),
        ),
    )
