"""All findings of a run mended, or a fix proposed for each."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from freezelint.editing import write
from freezelint.evidence import Location
from freezelint.finding import Edit, Finding, Fix
from freezelint.fixing.drafts import Drafts
from freezelint.fixing.looking import Unit
from freezelint.fixing.proving import Applied, Proven, Prover
from freezelint.source.files.project import shown_path

_MOST_ROUNDS = 10
_COMMENTS = "FRZ001"
# A form feed, which `str.splitlines` takes for one, ends no line.
_LINE_END = re.compile(r"(?<=\n)(?=.)|(?<=\r)(?=[^\n])", re.DOTALL)
_GRAVITY = ("error", "warning", "info")
_Place = tuple[str, str, int | None, int]


@dataclass(frozen=True)
class Fixed:
    """The files with all mends that were proven, and why other findings are not mended."""

    drafts: Drafts
    applied: tuple[Applied, ...] = ()
    refused: tuple[tuple[Finding, str], ...] = ()

    @property
    def applied_titles(self) -> tuple[tuple[Finding, str], ...]:
        """The findings that are mended, each with what was done."""
        return tuple((each.finding, each.mend.title) for each in self.applied)

    @property
    def paths(self) -> list[str]:
        """The files that are not as they were."""
        return sorted(self.drafts.changed)


def fix_all(prover: Prover, findings: Sequence[Finding], drafts: Drafts) -> Fixed:
    """Mend what can be mended, one finding after the other, until nothing more can be. `findings` are those
    that were told.
    """
    applied: list[Applied] = []
    refused: dict[_Place, tuple[Finding, str]] = {}
    for _ in range(_MOST_ROUNDS):
        refused = {}
        before = len(applied)
        for unit in (each for each in prover.units if each.finds):
            drafts, done = _fix_unit(prover, unit, findings, drafts, refused)
            applied += done
        if len(applied) == before:
            break
    return Fixed(drafts, tuple(applied), tuple(refused.values()))


def _fix_unit(
    prover: Prover,
    unit: Unit,
    findings: Sequence[Finding],
    drafts: Drafts,
    refused: dict[_Place, tuple[Finding, str]],
) -> tuple[Drafts, list[Applied]]:
    applied: list[Applied] = []
    while True:
        # What is an error first: a warning may be no more than its consequence.
        seen = sorted(unit.look(drafts).seen, key=lambda shown: _GRAVITY.index(shown[0].severity))
        pending = (
            (finding, trace)
            for finding, trace in seen
            if _place(finding) not in refused and _is_wanted(finding, findings, drafts)
        )
        finding, trace = next(pending, (None, None))
        if finding is None or trace is None:
            return drafts, applied
        outcome = prover.attempt(unit, finding, trace, drafts)
        if isinstance(outcome, Proven):
            drafts = outcome.drafts
            applied += outcome.applied
            refused.clear()  # what was in the way of another mend may be gone
        else:
            refused[_place(finding)] = (finding, outcome.reason)


def with_fixes(prover: Prover, findings: Sequence[Finding], drafts: Drafts) -> list[Finding]:
    """The findings, each with the fix that is proven for it alone."""
    fixes: dict[_Place, Fix] = {}
    tried: set[_Place] = set()
    for unit in (each for each in prover.units if each.finds):
        for finding, trace in unit.look(drafts).seen:
            place = _place(finding)
            if place in tried or not _is_wanted(finding, findings, drafts):
                continue
            outcome = prover.attempt(unit, finding, trace, drafts)
            if isinstance(outcome, Proven):
                tried.add(place)
                fixes[place] = _fix(outcome, drafts)
    return [replace(each, fix=fixes.get(_place(each))) for each in findings]


def differences(fixed: Fixed, before: Drafts) -> str:
    """What changes, as a unified diff."""
    return "".join(line for path in fixed.paths for line in _difference(path, before, fixed.drafts))


def write_all(fixed: Fixed) -> Iterator[tuple[str, str]]:
    """Write the files; gives those that could not be written, with the reason."""
    for path in fixed.paths:
        try:
            if fixed.drafts.is_overtaken(path):
                yield shown_path(Path(path)), "it has been changed meanwhile; run freezelint again"
            else:
                write(Path(path), fixed.drafts.changed[path])
        except OSError as error:
            yield shown_path(Path(path)), error.strerror or str(error)


def _difference(path: str, before: Drafts, after: Drafts) -> Iterator[str]:
    shown = shown_path(Path(path))
    old, new = (_LINE_END.split(drafts.text(path)) for drafts in (before, after))
    for line in difflib.unified_diff(old, new, shown, shown):
        yield line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n"


def _fix(proven: Proven, before: Drafts) -> Fix:
    """What was done, as edits of the files as they are."""
    titles = "; ".join(dict.fromkeys(each.mend.title for each in proven.applied))
    if len(proven.applied) == 1:
        edits = tuple(dict.fromkeys(proven.applied[0].mend.edits))
    else:
        edits = tuple(edit for path in proven.drafts.changed for edit in _edits(path, before, proven.drafts))
    return Fix(titles, proven.applicability, edits)


def _edits(path: str, before: Drafts, after: Drafts) -> Iterator[Edit]:
    """The lines that differ, as edits; in a notebook those of each cell."""
    shown = shown_path(Path(path))
    for cell in after.texts.cells(shown):
        old, new = before.texts.lines(shown, cell), after.texts.lines(shown, cell)
        for tag, first, last, start, end in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
            if tag == "equal":
                continue
            text = "".join(f"{line}\n" for line in new[start:end])
            if last < len(old):
                yield Edit(Location(shown, first + 1, 1, last + 1, 1, cell=cell), text)
            else:  # nothing follows that a line end would separate it from
                line = max(first, 1)
                column = len(old[line - 1]) + 1 if first else 1
                lead = "\n" if first and text else ""
                place = Location(shown, line, column, len(old), len(old[-1]) + 1, cell=cell)
                yield Edit(place, lead + text.removesuffix("\n"))


def _is_wanted(finding: Finding, told: Sequence[Finding], drafts: Drafts) -> bool:
    """Whether the finding was told. A comment that suppresses nothing here may do so where this file is used:
    those are asked for by their place; all others by their absence at the beginning being no hindrance.
    """
    if finding.code != _COMMENTS:
        return True
    line = drafts.texts.line(finding.location).strip()
    return any(
        each.code == _COMMENTS
        and each.path == finding.path
        and Drafts().texts.line(each.location).strip() == line
        for each in told
    )


def _place(finding: Finding) -> _Place:
    where = finding.location
    return (finding.code, os.path.realpath(where.path), where.cell, where.line)
