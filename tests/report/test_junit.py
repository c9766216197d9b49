"""JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree

from freezelint.evidence import Limit, Location
from freezelint.finding import Related
from tests.report.telling import IN_CELL, TRAIN, finding, told


def document(*findings: object, limits: tuple[Limit, ...] = ()) -> ElementTree.Element:
    return ElementTree.fromstring(told("junit", *findings, limits=limits))  # type: ignore[arg-type]


def test_nothing_found_is_a_test_that_passed() -> None:
    """Readers take a report without tests for an error."""
    root = document()
    assert (root.get("tests"), root.get("failures")) == ("1", "0")
    (case,) = root.iter("testcase")
    assert (case.get("name"), case.get("classname"), len(case)) == ("no findings", "train.py", 0)


def test_a_suite_for_each_file() -> None:
    root = document(finding(), finding(code="FRZ201", severity="warning"), finding(IN_CELL))
    assert (root.get("tests"), root.get("failures")) == ("3", "3")
    assert [(suite.get("name"), suite.get("failures")) for suite in root] == [
        ("train.py", "2"),
        ("book.ipynb", "1"),
    ]
    names = [case.get("name") for case in root.iter("testcase")]
    assert names[0] == "FRZ101 frozen-norm-in-train-mode (train.py:3:9)"
    assert names[2] == "FRZ101 frozen-norm-in-train-mode (book.ipynb:cell 2:2:1)"
    assert [failure.get("type") for failure in root.iter("failure")] == ["error", "warning", "error"]


def test_a_failure_tells_the_related_places() -> None:
    root = document(finding(TRAIN, Related(Location("train.py", 6), "frozen here")))
    (failure,) = root.iter("failure")
    assert failure.get("message") == "`bn` is frozen (line 6) but runs in train mode; call `.eval()` on it"
    assert (failure.text or "").splitlines()[1] == "train.py:6: frozen here"


def test_what_xml_is_made_of_is_escaped_and_what_it_cannot_hold_replaced() -> None:
    odd = finding(Location('a<b>&".py', 1), message='`a < b && "c"`\x00\x1b[31m\ud800')
    (case,) = document(odd).iter("testcase")
    (failure,) = case
    assert case.get("file") == 'a<b>&".py'
    assert failure.get("message") == '`a < b && "c"`\ufffd\ufffd[31m\ufffd'


def test_limits_are_the_output_of_the_suite_of_their_file() -> None:
    limits = (Limit("a loop", "too long", "train.py"), Limit("`Net`", "not read", "other.py"))
    root = document(finding(), limits=limits)
    outputs = {suite.get("name"): suite.findtext("system-out") for suite in root}
    assert outputs == {
        "train.py": "Limits:\ntrain.py: a loop: too long",
        "freezelint": "Limits:\nother.py: `Net`: not read",
    }
