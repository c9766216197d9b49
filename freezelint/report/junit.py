"""JUnit XML: a test suite for each file with findings, a failed test for each finding."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from freezelint.evidence import Limit
from freezelint.finding import Finding
from freezelint.report import Outcome, Style
from freezelint.report._words import at, place, places, shown

# What XML 1.0 cannot hold, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(outcome: Outcome, style: Style) -> str:  # noqa: ARG001 - the report has one style
    """The document. Without findings a single test that passed: an empty report is an error to many readers.
    Limits are the output of the suite of their file.
    """
    by_file: dict[str, list[Finding]] = {}
    for finding in outcome.findings:
        by_file.setdefault(shown(finding.path), []).append(finding)
    limits: dict[str, list[Limit]] = {}
    for limit in outcome.limits:
        file = shown(limit.path) if limit.path else ""
        limits.setdefault(file if file in by_file else "", []).append(limit)
    suites = [_suite(file, found, limits.get(file, [])) for file, found in by_file.items()]
    if not suites or limits.get(""):
        suites.append(_passed(outcome, limits.get("", [])))
    root = ElementTree.Element(
        "testsuites",
        name="freezelint",
        tests=str(sum(len(suite.findall("testcase")) for suite in suites)),
        failures=str(len(outcome.findings)),
        errors="0",
    )
    root.extend(suites)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(file: str, findings: list[Finding], limits: list[Limit]) -> ElementTree.Element:
    count = str(len(findings))
    suite = ElementTree.Element("testsuite", name=_legal(file), tests=count, failures=count, errors="0")
    for finding in findings:
        where = finding.location
        attributes = {
            "name": f"{finding.code} {finding.name} ({place(where)})",
            "classname": file,
            "file": file,
            "line": str(where.line),
        }
        case = ElementTree.SubElement(suite, "testcase", _legal_values(attributes))
        failure = ElementTree.SubElement(
            case, "failure", _legal_values({"type": finding.severity, "message": finding.message})
        )
        related = [f"{at(other.location)}: {other.message}" for other in places(finding)]
        failure.text = _legal("\n".join([f"{place(where)}: {finding.message}", *related]))
    _output(suite, limits)
    return suite


def _passed(outcome: Outcome, limits: list[Limit]) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name="freezelint", tests="1", failures="0", errors="0")
    name = "every file was looked at" if outcome.findings else "no findings"
    targets = _legal(", ".join(outcome.targets) or "freezelint")
    ElementTree.SubElement(suite, "testcase", name=name, classname=targets)
    _output(suite, limits)
    return suite


def _output(suite: ElementTree.Element, limits: list[Limit]) -> None:
    if limits:
        told = [": ".join(filter(None, (limit.path, limit.what, limit.why))) for limit in limits]
        ElementTree.SubElement(suite, "system-out").text = _legal("\n".join(["Limits:", *told]))


def _legal_values(attributes: dict[str, str]) -> dict[str, str]:
    return {name: _legal(value) for name, value in attributes.items()}


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
