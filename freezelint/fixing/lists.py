"""Taking items out of a list that the source writes out, and adding one, in the style of the others."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from itertools import pairwise

from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.fixing.script import NoPlaceError, Script


def without(script: Script, group: ast.List, numbers: Collection[int]) -> list[Edit]:
    """Take items out, with their commas and the comments on them. Raises NoPlaceError where nothing would be
    left, or a comment would be taken for that of another item.
    """
    kept = [number for number in range(len(group.elts)) if number not in numbers]
    if not kept:
        raise NoPlaceError("nothing would be left in the list")
    if _one_a_line(group):
        lines = [_lines(script, group, number) for number in sorted(numbers)]
        return [script.remove_lines(first, last) for first, last in lines]
    return list(_inline(script, group, kept))


def with_one_more(script: Script, group: ast.List, text: str) -> Edit:
    """Add an item at the end."""
    last = group.elts[-1]
    where = script.location(last)
    end = where.end_line or where.line, where.end_column or where.column
    place = Location(script.path, *end, *end, cell=where.cell)
    if not _one_a_line(group):
        return Edit(place, f", {text}")
    rest = script.after_text(last)
    indent = script.indent(group.elts[0])
    line = f"\n{indent}{text},"
    if rest.lstrip().startswith(","):
        return Edit(Location(script.path, end[0], end[1] + len(rest), cell=where.cell), line)
    return Edit(
        Location(script.path, *end, end[0], end[1] + len(rest), cell=where.cell), f",{rest}{line[:-1]}"
    )


def _one_a_line(group: ast.List) -> bool:
    """Whether each item, and what closes the list, begins a line of its own."""
    ends = [group.lineno, *(item.end_lineno or item.lineno for item in group.elts)]
    starts = [*(item.lineno for item in group.elts), group.end_lineno or group.lineno]
    return all(end < start for end, start in zip(ends, starts, strict=True))


def _lines(script: Script, group: ast.List, number: int) -> tuple[int, int]:
    """The lines of the text that an item is on, with the comments above it."""
    item = group.elts[number]
    first = item.lineno
    top = (group.elts[number - 1].end_lineno or 0) if number else group.lineno
    while first - 1 > top and script.file.lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first, item.end_lineno or item.lineno


def _inline(script: Script, group: ast.List, kept: list[int]) -> Iterator[Edit]:
    """What stands between the items that are kept goes, but for one comma."""
    places = [script.location(item) for item in group.elts]
    runs = [(-1, kept[0]), *pairwise(kept), (kept[-1], len(places))]
    for before, after in runs:
        if after - before == 1:
            continue
        if after < len(places):
            first, end = places[before + 1], (places[after].line, places[after].column)
            start = first.line, first.column
        else:
            start = places[before].end_line or 1, places[before].end_column or 1
            end = places[-1].end_line or 1, places[-1].end_column or 1
        place = Location(script.path, *start, *end, cell=places[0].cell)
        if "#" in script.between(place):
            raise NoPlaceError("comments stand between the items of the list")
        yield Edit(place, "")
