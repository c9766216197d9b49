"""Programs with expectations in comments: which code must be reported on which line.

`# expect: FRZ101` (or several codes, with commas) stands at the end of the line that the finding points to,
and concerns every witness that the rule's page names. `# expect: FRZ101 (live)` is for one witness alone: the
other is known to miss it. `# todo: FRZ101`, or `# todo: FRZ101 (source)`, marks a fault that is known to be
missed by all, or by this one. A line `# freezelint: --hermetic --steps 4 -- --epochs 1` holds options for the
run.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from freezelint.evidence import Witness
from freezelint.finding import Finding
from freezelint.judge import judge
from freezelint.registry import rules
from freezelint.selection import Selection
from freezelint.source.files.project import Project, shown_path
from freezelint.source.files.source_file import load
from freezelint.source.judging import findings_of
from freezelint.source.reader import read
from tests.warm import run_warm

_ONE = r"FRZ\d{3}(?:\s*\([a-z]+\))?"
_MARK = re.compile(rf"#\s*(expect|todo):\s*({_ONE}(?:\s*,\s*{_ONE})*)")
_CODE = re.compile(r"(FRZ\d{3})(?:\s*\(([a-z]+)\))?")
_WITNESSES: tuple[Witness, ...] = ("source", "live")
_OPTIONS = re.compile(r"^# freezelint:(.*)$", re.MULTILINE)

FIXTURES = Path(__file__).parents[1] / "fixtures"

Place = tuple[str, int, str]  # file beside the script, line, code


@dataclass
class Options:
    """How a story wants to be run."""

    arguments: list[str] = field(default_factory=list)
    select: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """One code in an `# expect:` or `# todo:` comment."""

    kind: Literal["expect", "todo"]
    place: Place
    only: Witness | None  # what stands in parentheses


def expected(directory: Path, witness: Witness = "live") -> set[Place]:
    """What this witness must report for a story, and nothing else."""
    return {
        mark.place
        for mark in marks(directory)
        if mark.kind == "expect" and witness in ([mark.only] if mark.only else witnesses_of(mark.place[2]))
    }


def missed(directory: Path, witness: Witness = "live") -> set[Place]:
    """The faults of a story that this witness is known not to report, though the rule's page names it."""
    found = {
        mark.place
        for mark in marks(directory)
        if witness in witnesses_of(mark.place[2]) and (mark.only in (None, witness)) == (mark.kind == "todo")
    }
    return found - expected(directory, witness)


def marks(directory: Path) -> list[Mark]:
    """All comments in the Python files of a story that say what is to be found. Raises ValueError for a
    witness that the rule does not have."""
    return [
        Mark(cast("Any", match[1]), (str(path.relative_to(directory)), number, code), _witness(code, only))
        for path in sorted(directory.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in _MARK.finditer(line)
        for code, only in _CODE.findall(match[2])
    ]


def witnesses_of(code: str) -> tuple[Witness, ...]:
    """The witnesses that the page of this rule names; both for a rule that is still to be written."""
    return _witnesses().get(code, _WITNESSES)


@cache
def _witnesses() -> dict[str, tuple[Witness, ...]]:
    return {rule.code: rule.witnesses for rule in rules()}


def _witness(code: str, named: str) -> Witness | None:
    if named and named not in witnesses_of(code):
        raise ValueError(
            f"{code} ({named}): the page of {code} names {' and '.join(witnesses_of(code))} only"
        )
    return next((witness for witness in _WITNESSES if witness == named), None)


def options(source: str) -> Options:
    """The options in a story's header."""
    found = Options()
    header = _OPTIONS.search(source)
    if header is None:
        return found
    given, _, arguments = header[1].partition(" -- ")
    found.arguments = shlex.split(arguments)
    words = iter(shlex.split(given))
    for word in words:
        if word == "--hermetic":
            found.settings["hermetic"] = True
        elif word == "--steps":
            found.settings["steps"] = int(next(words))
        elif word == "--device":
            found.settings["device"] = next(words)
        elif word == "--extend-select":
            found.select = tuple(next(words).split(","))
        else:
            raise ValueError(f"unknown option {word!r} in a story's header")
    return found


def judged(directory: Path, script: str = "train.py") -> tuple[list[Finding], str]:
    """The findings of a live run of a story at default selection, and what it printed."""
    wanted = options(Path(directory, script).read_text(encoding="utf-8"))
    ran = run_warm(script, directory, *wanted.arguments, **wanted.settings)
    codes = Selection(extend_select=wanted.select).codes(rules())
    return [finding for finding in judge([ran.trace]) if finding.code in codes], ran.output


def read_story(directory: Path, script: str = "train.py") -> list[Finding]:
    """The findings of the source reader in a story at default selection."""
    path = Path(directory, script)
    file = load(path, shown_path(path))
    wanted = options(file.text)
    codes = Selection(extend_select=wanted.select).codes(rules())
    found = findings_of(read(file, Project(file)))
    return [_inside(finding, directory) for finding in found if finding.code in codes]


def _inside(finding: Finding, directory: Path) -> Finding:
    """The finding with a path as seen from the story's directory, as a live run tells it."""
    path = Path(shown_path(directory), ".")
    told = Path(finding.path)
    inside = told.relative_to(path) if told.is_relative_to(path) else told
    return replace(finding, location=replace(finding.location, path=str(inside)))


def places(findings: list[Finding]) -> set[Place]:
    """Where the findings are, as expectations have it."""
    return {(finding.path, finding.line, finding.code) for finding in findings}
