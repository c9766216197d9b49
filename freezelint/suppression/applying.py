"""Which findings are suppressed by comments, and which comments suppress nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from freezelint.evidence import IdleSuppression, Location, Trace
from freezelint.finding import Finding
from freezelint.judge import judge
from freezelint.merging import FOUND_IN_SOURCE
from freezelint.registry import Rule
from freezelint.suppression.comments import Comments, Suppression, may_suppress, read_comments
from freezelint.texts import Texts

UNUSED = "FRZ001"
# One comment: its file, its cell, and where it stands there.
_Key = tuple[str, int | None, int, int]


@dataclass(frozen=True)
class Read:
    """A file that was read to its end and says something about suppressing. `alone` where code that uses it
    may not have been read: what is wrong in its functions then shows only elsewhere.
    """

    path: str
    alone: bool = False


@dataclass(frozen=True)
class Suppressed:
    """What is left, findings about idle comments (FRZ001) included; and what was suppressed."""

    findings: tuple[Finding, ...]
    suppressed: tuple[Finding, ...] = ()


def suppress(
    findings: Sequence[Finding], texts: Texts, read: Iterable[Read], rules: Sequence[Rule]
) -> Suppressed:
    """Apply the comments. Those that suppress nothing are told only for files in `read`: elsewhere it is not
    known what they would have suppressed.
    """
    comments = _All(texts)
    kept: list[Finding] = []
    gone: list[Finding] = []
    used: set[tuple[_Key, str]] = set()
    for finding in findings:
        holding = list(comments.holding(finding))
        used.update(holding)
        (gone if holding else kept).append(finding)
    known = {rule.code: rule for rule in rules}
    traces = [_idle(each, comments, used, known, texts) for each in read]
    found = judge(
        [trace for trace in traces if trace.idle_suppressions],
        [rule for rule in rules if rule.code == UNUSED],
    )
    told = [finding for finding in found if not any(comments.holding(finding))]
    everything = sorted([*kept, *told], key=lambda finding: finding.sort_key)
    return Suppressed(tuple(everything), tuple(gone))


class _All:
    """The comments of all files, each read once."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._known: dict[tuple[str, int | None], Comments] = {}

    def of(self, path: str, cell: int | None) -> Comments:
        key = (path, cell)
        if key not in self._known:
            self._known[key] = comments_of(self._texts.lines(path, cell), cell)
        return self._known[key]

    def holding(self, finding: Finding) -> Iterable[tuple[_Key, str]]:
        """The comments that suppress this finding, each with its code that does."""
        for place in _places(finding):
            for suppression in self.of(place.path, place.cell).on(place.line):
                if suppression.covers(finding.code):
                    key = _key(place.path, place.cell, suppression)
                    for code in suppression.own or ("",):
                        if finding.code.startswith(code):
                            yield key, code


def comments_of(lines: list[str], cell: int | None = None, *, look: bool = False) -> Comments:
    """The comments in these lines; in a notebook's cell without what is IPython's. Where there can be none,
    the lines are read only to `look` at the statements.
    """
    if not look and not may_suppress(lines):
        return Comments()
    text = "\n".join(lines)
    if cell is not None:
        from freezelint.source.files.notebooks import python_of

        text = python_of(text)
    return read_comments(f"{text}\n")


def _places(finding: Finding) -> Iterable[Location]:
    """Where a comment may stand: what both witnesses saw may have a place from each."""
    yield finding.location
    for related in finding.related:
        if related.message == FOUND_IN_SOURCE:
            yield related.location


def _idle(
    read: Read, comments: _All, used: set[tuple[_Key, str]], known: dict[str, Rule], texts: Texts
) -> Trace:
    """The evidence of the comments in one file that suppress nothing."""
    idle: list[IdleSuppression] = []
    for cell in texts.cells(read.path):
        for suppression in comments.of(read.path, cell).all():
            key = _key(read.path, cell, suppression)
            where = Location(
                read.path,
                suppression.line,
                suppression.column,
                suppression.line,
                suppression.end_column,
                cell=cell,
            )
            inside = read.alone and bool(texts.enclosing(where))
            for code in suppression.own:
                meant = [rule for rule in known.values() if rule.code.startswith(code)]
                if not meant:
                    idle.append(IdleSuppression(where, suppression.text, code, known=False))
                elif (key, code) not in used and not inside and _shows(suppression, meant):
                    idle.append(IdleSuppression(where, suppression.text, code))
    return Trace("source", read.path, idle_suppressions=tuple(idle))


def _shows(suppression: Suppression, meant: Sequence[Rule]) -> bool:
    """Whether it would be known if the comment suppressed anything. What only the live audit sees may have
    been seen there; and a whole file is exempted for good.
    """
    if suppression.whole_file:
        return False
    return all("source" in rule.witnesses and rule.code != UNUSED for rule in meant)


def _key(path: str, cell: int | None, suppression: Suppression) -> _Key:
    return (os.path.realpath(path), cell, suppression.line, suppression.column)
