"""Results for other programs: JSON, and the XML of JUnit, which CI systems read. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from deploy.smoke.result import Outcome

if TYPE_CHECKING:
    from deploy.smoke.result import Verdict

# What XML 1.0 has no way to write, not even escaped.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(verdict: Verdict) -> str:
    """One object: `passed`, and `results` with `seconds` and `reason` each."""
    results = [
        {
            "name": one.name,
            "host": one.host,
            "outcome": str(one.outcome),
            "reason": one.reason,
            "seconds": round(one.seconds, 3),
            "tries": one.tries,
            "kept": list(one.kept),
        }
        for one in verdict.results
    ]
    return json.dumps({"passed": verdict.passed, "results": results}, indent=2)


def as_junit(verdict: Verdict, suite: str) -> str:
    """A suite of that name with a case for each result; what was inconclusive is an error."""
    root = ElementTree.Element(
        "testsuite",
        name=_text(suite),
        tests=str(len(verdict.results)),
        failures=str(len(verdict.of(Outcome.FAILED))),
        errors=str(len(verdict.of(Outcome.INCONCLUSIVE))),
        time=f"{sum(one.seconds for one in verdict.results):.3f}",
    )
    for one in verdict.results:
        where = f"{suite}.{one.host}" if one.host else suite
        case = ElementTree.SubElement(
            root,
            "testcase",
            name=_text(one.name),
            classname=_text(where),
            time=f"{one.seconds:.3f}",
        )
        if one.outcome is not Outcome.PASSED:
            kind = "failure" if one.outcome is Outcome.FAILED else "error"
            ElementTree.SubElement(case, kind, message=_text(one.reason)).text = _text(str(one))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
