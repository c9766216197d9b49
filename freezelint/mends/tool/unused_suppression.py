"""FRZ001: the codes that suppress nothing go, and the comment with the last of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from freezelint.finding import Edit
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError

_CODE = re.compile(r"[A-Za-z]+\d+")


def mends(scene: Scene) -> Iterator[Mend]:
    """Other codes, other comments and the statement stay as they are."""
    where = scene.finding.location
    line = scene.here.line(where)
    start, end = where.column - 1, (where.end_column or where.column) - 1
    head, _, listed = line[start:end].partition(":")
    idle = set(scene.finding.evidence["codes"])
    kept = [code for code in _CODE.findall(listed) if code.upper() not in idle]
    if kept:
        blank = listed[: len(listed) - len(listed.lstrip())]
        yield Mend("remove the codes", (Edit(where, f"{head}:{blank}{', '.join(kept)}"),))
        return
    before, after = line[:start].rstrip(), line[end:].lstrip()
    if after and not after.startswith("#"):
        raise NoPlaceError("words follow the codes: whether they still hold is yours to say")
    if after:  # another comment
        span = replace(where, end_column=len(line) - len(after) + 1)
    elif before:
        span = replace(where, column=len(before) + 1, end_column=len(line) + 1)
    else:
        line_number = scene.here.line_of(where)
        span = scene.here.remove_lines(line_number, line_number).location
    yield Mend("remove the comment", (Edit(span, ""),))
