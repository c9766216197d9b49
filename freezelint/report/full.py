"""The report for people: each finding with its source lines, what is related to it, and how the run got
there."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator

from freezelint.evidence import Location
from freezelint.finding import Finding, Related
from freezelint.report import Outcome, Style
from freezelint.report._terminal import painted
from freezelint.report._words import at, closing, place, statistics, unfixed
from freezelint.texts import Texts
from freezelint.wording import plural

_WIDTH = 100
_MOST_RELATED = 6
_MOST_CALLERS = 4
_COLORS = {"error": "red", "warning": "yellow", "info": "cyan"}


def render(outcome: Outcome, style: Style) -> str:
    """The findings, each followed by an empty line, then the summary."""
    if style.statistics:
        return statistics(outcome.findings, style) + closing(outcome, style)
    texts = Texts(outcome.texts)
    told = [
        "\n".join(_Told(finding, texts, style.color, unfixed(outcome, finding)).lines()) + "\n\n"
        for finding in outcome.findings
    ]
    return "".join(told) + closing(outcome, style)


class _Told:
    """One finding in text."""

    def __init__(self, finding: Finding, texts: Texts, color: bool, unfixed: str) -> None:
        self._finding = finding
        self._unfixed = unfixed
        self._texts = texts
        self._color = color
        self._related = _merged(finding.related)
        places = [finding.location, *(location for location, _ in self._related[:_MOST_RELATED])]
        self._gutter = max(len(str(where.line)) for where in places)

    def lines(self) -> Iterator[str]:
        finding = self._finding
        color = _COLORS[finding.severity]
        head = self._paint(f"{finding.severity}[{finding.code}]", color, "bold")
        yield f"{head} {self._paint(finding.name, 'bold')}"
        yield from _wrapped(_printable(finding.message), "  ")
        yield f"{' ' * self._gutter} {self._paint('-->', 'blue')} {place(finding.location)}"
        if finding.location != Location(
            finding.path, 1, cell=finding.location.cell
        ):  # which stands for the file as a whole
            yield self._bar()
            yield from self._snippet(finding.location, "^", color)
        file = (finding.location.path, finding.location.cell)
        for location, label in self._related[:_MOST_RELATED]:
            if (location.path, location.cell) != file:
                file = (location.path, location.cell)
                yield f"{' ' * self._gutter} {self._paint(':::', 'blue')} {place(location)}"
            yield from self._snippet(location, "-", "blue", label)
        yield from self._notes()

    def _notes(self) -> Iterator[str]:
        hidden = len(self._related[_MOST_RELATED:])
        if hidden:
            yield self._note(f"and {plural(hidden, 'more place')} (JSON lists all)")
        calls = self._finding.location.calls
        if calls:
            yield self._note(f"called from {', from '.join(at(call) for call in calls)}")
        if self._unfixed:
            yield from self._below(f"not fixed: {self._unfixed}")

    def _snippet(self, location: Location, mark: str, color: str, label: str = "") -> Iterator[str]:
        """The line of source with its span marked; the label beside the marks, or below where it is long."""
        text = _printable(self._texts.line(location))
        if not text.strip():
            if label:
                yield from self._below(f"{at(location)}: {label}")
            return
        start, end = _span(location, text)
        number = f"{location.line:>{self._gutter}}"
        yield f"{self._paint(number, 'blue')} {self._paint('|', 'blue')} {text.rstrip()}"
        lead = "".join(" " * _cells(char) if char != "\t" else "\t" for char in text[:start])
        marks = mark * max(sum(_cells(char) for char in text[start:end]), 1)
        beside = label and len(lead) + len(marks) + len(label) + self._gutter + 4 <= _WIDTH
        yield f"{self._bar()} {lead}{self._paint(f'{marks} {label}' if beside else marks, color)}"
        if label and not beside:
            yield from self._below(label)

    def _below(self, label: str) -> Iterator[str]:
        for number, line in enumerate(_wrapped(label, " " * (self._gutter + 3))):
            yield line if number else self._note(line.strip())

    def _note(self, text: str) -> str:
        return f"{' ' * self._gutter} {self._paint('=', 'blue')} {text}"

    def _bar(self) -> str:
        return f"{' ' * self._gutter} {self._paint('|', 'blue')}"

    def _paint(self, text: str, *styles: str) -> str:
        return painted(text, *styles, color=self._color)


def _merged(related: tuple[Related, ...]) -> list[tuple[Location, str]]:
    """The related places with what to say of each: a statement that was reached by several calls is told
    once."""
    callers: dict[tuple[tuple[str, int], str], list[str]] = {}
    first: dict[tuple[tuple[str, int], str], Location] = {}
    for each in related:
        key = (each.location.at(), each.message)
        first.setdefault(key, each.location)
        sites = callers.setdefault(key, [])
        caller = each.location.calls[0] if each.location.calls else None
        if caller is not None and (site := at(caller)) not in sites:
            sites.append(site)
    return [(first[key], _printable(_with_callers(key[1], sites))) for key, sites in callers.items()]


def _with_callers(message: str, sites: list[str]) -> str:
    if not sites:
        return message
    shown_sites = (
        sites
        if len(sites) <= _MOST_CALLERS
        else [*sites[: _MOST_CALLERS - 1], f"{len(sites) - _MOST_CALLERS + 1} more"]
    )
    return f"{message} (called from {', '.join(shown_sites)})"


def _span(location: Location, text: str) -> tuple[int, int]:
    """Where the marked part of the line begins and ends, from 0: the whole statement where only its line is
    known."""
    indent = len(text) - len(text.lstrip())
    whole = len(text.rstrip())
    if location.end_column is None and location.column <= 1:
        return indent, whole
    start = min(max(location.column - 1, 0), whole - 1)
    if location.end_line is not None and location.end_line != location.line:
        return start, whole
    end = start + 1 if location.end_column is None else location.end_column - 1
    return start, max(min(end, whole), start + 1)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _printable(text: str) -> str:
    """The text without characters that would steer a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)


def _cells(char: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
