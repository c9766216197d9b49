"""Scripts that refuse to run without a GPU: told by the statement that asks whether there is one."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import lru_cache
from types import FrameType

_QUESTION = "is_available"
_EXITS = {"exit", "quit", "_exit", "abort"}


def refuses_without_gpu(frame: FrameType) -> bool:
    """Whether the statement that this frame is running asserts a GPU, or raises or exits where there is none.

    torch's own refusals are of what only a GPU can do.
    """
    if frame.f_globals.get("__name__", "").partition(".")[0] == "torch":
        return False
    line = frame.f_lineno
    return any(start <= line <= end for start, end in _demands(frame.f_code.co_filename))


@lru_cache(maxsize=64)
def _demands(filename: str) -> tuple[tuple[int, int], ...]:
    """The lines of the conditions in this file on which the script goes on only with a GPU."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(_found(tree))


def _found(tree: ast.AST) -> Iterator[tuple[int, int]]:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Assert, ast.If)) or not _asks(node.test):
            continue
        if isinstance(node, ast.Assert):
            refuses = not _is_negated(node.test)
        else:
            refuses = _leaves(node.body if _is_negated(node.test) else node.orelse)
        if refuses:
            yield node.test.lineno, node.test.end_lineno or node.test.lineno


def _asks(test: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == _QUESTION
        for node in ast.walk(test)
    )


def _is_negated(test: ast.AST) -> bool:
    return any(
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and _asks(node.operand)
        for node in ast.walk(test)
    )


def _leaves(branch: list[ast.stmt]) -> bool:
    """Whether the branch ends the script. A `return` does not count: it may well return the CPU."""
    last = branch[-1] if branch else None
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        function = last.value.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return name in _EXITS
    return isinstance(last, ast.Raise)
