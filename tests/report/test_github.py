"""Workflow commands: https://docs.github.com/actions/reference/workflow-commands-for-github-actions"""

from __future__ import annotations

from freezelint.evidence import Limit, Location
from tests.report.telling import IN_CELL, finding, told


def test_nothing_to_say() -> None:
    assert told("github") == ""


def test_an_annotation() -> None:
    assert told("github", finding()) == (
        "::error file=train.py,line=3,col=9,endLine=3,endColumn=22,title=FRZ101 frozen-norm-in-train-mode::"
        "`bn` is frozen (line 6) but runs in train mode; call `.eval()` on it\n"
    )


def test_severities() -> None:
    found = [finding(severity=severity) for severity in ("error", "warning", "info")]
    commands = [line.split()[0] for line in told("github", *found).splitlines()]
    assert commands == ["::error", "::warning", "::notice"]


def test_what_commands_are_made_of_is_escaped() -> None:
    odd = finding(Location("a,b:c%.py", 1), message="100 %\r\nof `a:b, c`")
    (line,) = told("github", odd).splitlines()
    assert line == (
        "::error file=a%2Cb%3Ac%25.py,line=1,col=1,endLine=1,title=FRZ101 frozen-norm-in-train-mode::"
        "100 %25%0D%0Aof `a:b, c`"
    )


def test_columns_are_told_within_a_line_only() -> None:
    assert ",line=1,col=5,endLine=3,title" in told("github", finding(Location("train.py", 1, 5, 3, 2)))


def test_a_notebook_is_annotated_on_the_line_of_its_json() -> None:
    (line,) = told("github", finding(IN_CELL)).splitlines()
    assert line.startswith(
        "::error file=book.ipynb,line=13,title=FRZ101 frozen-norm-in-train-mode::book.ipynb:cell 2:2: `bn` is"
    )


def test_limits_are_a_notice() -> None:
    limits = (Limit("`Net`", "its source cannot be read"),)
    assert told("github", limits=limits) == (
        "::notice title=freezelint::Limits: `Net` (its source cannot be read)\n"
    )
    assert told("github", limits=limits, quiet=True) == ""
