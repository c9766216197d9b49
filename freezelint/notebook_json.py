"""Where in the JSON of a notebook the characters of its code cells stand: to point at them, and to insert
among them without changing another byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_Span = tuple[int, int]
_BLANK = re.compile(r"[ \t\r\n]*")
_LINE_END = re.compile(r"\r\n|\r|\n")
# One character of a JSON string as it is written; a surrogate pair is one.
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\u[\da-fA-F]{4}|\\.|.", re.DOTALL
)
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True)
class RawCell:
    """The source of a code cell. `offsets` tells for each of its characters, and for its end, where that
    stands in the JSON; `between` is what the JSON has between two lines, quotes included.
    """

    source: str
    offsets: tuple[int, ...]
    between: str = ""

    def offset(self, position: int) -> int:
        """Where in the JSON a position in the source is."""
        return self.offsets[position]

    def lines(self) -> list[_Span]:
        """Where in the source each line begins and ends, without its end of line."""
        return line_spans(self.source)


def line_spans(text: str) -> list[_Span]:
    """Where each line begins and ends, as Python counts lines: `\\n`, `\\r` and `\\r\\n` end one."""
    spans, start = [], 0
    for found in _LINE_END.finditer(text):
        spans.append((start, found.start()))
        start = found.end()
    return [*spans, (start, len(text))]


def read_cells(text: str) -> dict[int, RawCell]:
    """The code cells of a notebook, by their numbers from 1 among all cells; none where it is no notebook."""
    try:
        return dict(_code_cells(text))
    except (ValueError, IndexError, KeyError, RecursionError):
        return {}


def _code_cells(text: str) -> Iterator[tuple[int, RawCell]]:
    for number, start in enumerate(_cells(text), 1):
        cell = _members(text, start)
        if "cell_type" not in cell or _value(text, cell["cell_type"]) != "code":
            continue
        span = cell.get("source", cell.get("input"))
        if span is None:
            continue
        strings = [span] if text[span[0]] == '"' else _items(text, span[0])
        offsets: list[int] = []
        for begin, end in strings:
            offsets.extend(found.start() for found in _CHARACTER.finditer(text, begin + 1, end - 1))
        offsets.append(strings[-1][1] - 1 if strings else span[0])
        source = "".join(str(_value(text, string)) for string in strings)
        if len(offsets) == len(source) + 1:
            yield number, RawCell(source, tuple(offsets), _between(text, strings))


def _between(text: str, strings: list[_Span]) -> str:
    if len(strings) < 2:
        return ""
    return text[strings[0][1] - 1 : strings[1][0] + 1]


def _cells(text: str) -> Iterator[int]:
    """Where each cell begins; those of the worksheets in the oldest notebooks."""
    document = _members(text, _skip(text, 0))
    if "cells" in document:
        yield from (start for start, _ in _items(text, document["cells"][0]))
        return
    for sheet, _ in _items(text, document["worksheets"][0]):
        yield from (start for start, _ in _items(text, _members(text, sheet)["cells"][0]))


def _members(text: str, start: int) -> dict[str, _Span]:
    """Where the values of the object that begins here stand, by key."""
    found: dict[str, _Span] = {}
    if text[start] != "{":
        raise ValueError(f"no object at {start}")
    position = _skip(text, start + 1)
    while text[position] != "}":
        key, position = _DECODER.raw_decode(text, position)
        begin = _skip(text, _skip(text, position) + 1)  # past the colon
        end = _DECODER.raw_decode(text, begin)[1]
        found[key] = (begin, end)
        position = _next(text, end)
    return found


def _items(text: str, start: int) -> list[_Span]:
    """Where the items of the array that begins here stand."""
    found: list[_Span] = []
    if text[start] != "[":
        raise ValueError(f"no array at {start}")
    position = _skip(text, start + 1)
    while text[position] != "]":
        end = _DECODER.raw_decode(text, position)[1]
        found.append((position, end))
        position = _next(text, end)
    return found


def _next(text: str, end: int) -> int:
    position = _skip(text, end)
    return _skip(text, position + 1) if text[position] == "," else position


def _skip(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _value(text: str, span: _Span) -> object:
    return _DECODER.raw_decode(text, span[0])[0]
