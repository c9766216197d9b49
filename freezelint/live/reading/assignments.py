"""Where a value that a running function holds was assigned, read from the function's source."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import FrameType
from typing import Any

from freezelint.evidence import Location
from freezelint.live.reading.names import Names
from freezelint.live.reading.places import shown_path


def assigned_at(frame: FrameType, value: Any) -> Location | None:
    """The last assignment above the running line to a variable of this frame that holds `value`; None where
    there is none to see.
    """
    with Names(frame) as variables:
        names = {name for name, held in variables.locals().items() if held is value}
    code, line = frame.f_code, frame.f_lineno
    found = [
        statement
        for statement in _assignments(code.co_filename)
        if code.co_firstlineno <= statement.lineno <= line and _targets(statement) & names
    ]
    if not found:
        return None
    last = max(found, key=lambda statement: statement.lineno)
    end = None if last.end_col_offset is None else last.end_col_offset + 1
    function = "" if code.co_name == "<module>" else code.co_name
    return Location(
        shown_path(code.co_filename), last.lineno, last.col_offset + 1, last.end_lineno, end, function
    )


@lru_cache(maxsize=64)
def _assignments(filename: str) -> tuple[ast.Assign, ...]:
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Assign))


def _targets(statement: ast.Assign) -> set[str]:
    return {
        node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)
    }
