"""junit.xml: every objective as a test case, for the test tab of a CI server."""

import re
import xml.etree.ElementTree as ET  # writes only
from datetime import UTC, datetime

from glm_locust.report.analysis import Analysis
from glm_locust.report.catalogue import Catalogue
from glm_locust.report.judgement import Judgement
from glm_locust.report.sections.objectives import measured, sentence
from glm_locust.slo import Ruling, Scope, Verdict

_SUITE = "glm-locust"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(analysis: Analysis, words: Catalogue) -> str:
    """The whole file.

    An objective that was not met is a failure; one that cannot be told is an error, and so are all of a
    run that cannot be trusted.
    """
    run, judgement = analysis.run, analysis.judgement
    verdicts = judgement.verdicts if judgement else ()
    seconds = max(0.0, ((run.ended_ns or run.started_ns) - run.started_ns) / 1e9)
    suite = ET.Element("testsuite", name=_SUITE, time=f"{seconds:.3f}", timestamp=_timestamp(run.started_ns))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("run_id", run.run_id), ("reason", run.reason)):
        ET.SubElement(properties, "property", name=name, value=_clean(value))
    for verdict in verdicts:
        assert judgement is not None
        _case(suite, verdict, judgement, words)
    counts = {
        "tests": len(verdicts),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": 0,
    }
    suites = ET.Element("testsuites", name=_SUITE)
    for element in (suites, suite):
        element.attrib |= {name: str(number) for name, number in counts.items()}
    suites.append(suite)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _case(suite: ET.Element, verdict: Verdict, judgement: Judgement, words: Catalogue) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_clean(_classname(verdict.objective.scope)),
        name=_clean(verdict.objective.text),
        time="0",
    )
    said = _clean(sentence(verdict, words))
    if judgement.problems:
        problems = _clean("; ".join(words.say(problem) for problem in judgement.problems))
        ET.SubElement(case, "error", type="measurement_invalid", message=problems).text = said
    elif verdict.ruling is Ruling.FAIL:
        message = words.text("slo.measured", measured=measured(verdict))
        ET.SubElement(case, "failure", type="slo_not_met", message=_clean(message)).text = said
    elif verdict.ruling is Ruling.INVALID:
        ET.SubElement(case, "error", type=str(verdict.reason), message=said).text = said
    else:
        ET.SubElement(case, "system-out").text = said


def _classname(scope: Scope) -> str:
    """`slo`, or `slo.web.ocr.4`: CI servers group test cases by it."""
    parts = (scope.path, scope.task, scope.level)
    return ".".join(("slo", *(str(part) for part in parts if part is not None)))


def _timestamp(at_ns: int) -> str:
    try:
        return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return "1970-01-01T00:00:00"


def _clean(words: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", words)
