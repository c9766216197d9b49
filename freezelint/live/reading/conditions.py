"""Whether a cut of the graph depends on a condition: then another step may go without it."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import lru_cache
from types import FrameType
from typing import TypeAlias

from freezelint.live.reading.places import is_user_code

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_SWITCHES = {"no_grad", "inference_mode", "set_grad_enabled"}
_CUTS = {"detach", "detach_", "data"}


class _Around:
    """What lies around one line of a function: its statements from the inside outwards."""

    def __init__(self, statements: list[tuple[ast.stmt, bool]], function: _Function | None) -> None:
        self.function = function
        self.found: list[ast.stmt] = []  # ifs (also those that leave the function before the line)
        self.statements: list[ast.stmt] = []
        for statement, conditional in statements:
            self.statements.append(statement)
            if conditional:
                self.found.append(statement)


def cut_on_condition(frame: FrameType | None) -> bool:
    """Whether the `detach` or `.data` that is running depends on a condition."""
    sites = list(_sites(frame))
    if not sites:
        return True
    line, innermost = sites[0][1], sites[0][2]
    if innermost.statements and _chooses_a_cut(innermost.statements[0], line):
        return True
    return _depends([around for _, _, around in sites])


def no_grad_on_condition(frame: FrameType | None) -> bool:
    """Whether that gradients are off here depends on a condition; also where it cannot be told what turned
    them off.
    """
    arounds = [around for _, _, around in _sites(frame)]
    for index, around in enumerate(arounds):
        for statement in around.statements:
            if isinstance(statement, (ast.With, ast.AsyncWith)):
                turned_off = [_turns_off(item.context_expr) for item in statement.items]
                if False in turned_off:
                    return True
                if True in turned_off:
                    return _depends(arounds[index:], statement)
        if around.function is not None and any(_turns_off(d) for d in around.function.decorator_list):
            return _depends(arounds[index + 1 :])
    return True


def _depends(arounds: list[_Around], first: ast.stmt | None = None) -> bool:
    """Whether a condition decides, in each turn of the outermost loop, if this is reached. `first` leaves out
    what is further inside.
    """
    path: list[tuple[ast.stmt, bool]] = []
    for around in arounds:
        path += [(statement, statement in around.found) for statement in around.statements]
    if first is not None:
        path = path[[statement for statement, _ in path].index(first) :]
    loops = [i for i, (s, _) in enumerate(path) if isinstance(s, (ast.For, ast.AsyncFor, ast.While))]
    # What is decided outside every loop is decided once for all steps.
    return any(conditional for _, conditional in (path[: loops[-1] + 1] if loops else path))


def _sites(frame: FrameType | None) -> Iterator[tuple[str, int, _Around]]:
    while frame is not None:
        if is_user_code(frame):
            name, line = frame.f_code.co_filename, frame.f_lineno
            yield name, line, _around(name, line)
        frame = frame.f_back


@lru_cache(maxsize=4096)
def _around(filename: str, line: int) -> _Around:
    tree = _tree(filename)
    found: list[tuple[ast.stmt, bool]] = []
    function: _Function | None = None
    block: list[ast.stmt] = [] if tree is None else tree.body
    while True:
        position = next((i for i, s in enumerate(block) if s.lineno <= line <= (s.end_lineno or line)), None)
        if position is None:
            return _Around(found[::-1], function)
        statement, left_before = block[position], any(_leaves(s) for s in block[:position])
        inner = _block_with(statement, line)
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found, function = [], statement
        else:
            decides = bool(inner) and _decides(statement)
            found.append((statement, decides or left_before))
        block = inner


@lru_cache(maxsize=64)
def _tree(filename: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _block_with(statement: ast.stmt, line: int) -> list[ast.stmt]:
    """The block of a compound statement that holds the line; empty where the line is in its head."""
    holders: list[ast.AST] = [
        statement,
        *getattr(statement, "handlers", []),
        *getattr(statement, "cases", []),
    ]
    for holder in holders:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(holder, name, None)
            if isinstance(block, list) and any(s.lineno <= line <= (s.end_lineno or line) for s in block):
                return block
    return []


def _decides(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.If):
        return isinstance(statement, ast.Match)
    names = {node.id for node in ast.walk(statement.test) if isinstance(node, ast.Name)}
    return not isinstance(statement.test, ast.Constant) and "__name__" not in names


def _leaves(statement: ast.stmt) -> bool:
    """Whether this may do the work in another way and leave: `if self.tune: return self.encoder(x)`."""
    return (
        isinstance(statement, ast.If)
        and isinstance(statement.body[-1], (ast.Return, ast.Continue))
        and any(isinstance(node, ast.Call) for part in statement.body for node in ast.walk(part))
    )


def _chooses_a_cut(statement: ast.stmt, line: int) -> bool:
    """Whether an expression on this line takes the cut on a condition: `h.detach() if warm else h`."""
    return any(
        isinstance(node, ast.IfExp)
        and node.lineno <= line <= (node.end_lineno or line)
        and any(_names(part) & _CUTS for part in (node.body, node.orelse))
        for node in ast.walk(statement)
    )


def _turns_off(context: ast.expr) -> bool | None:
    """True: gradients are off inside; False: sometimes they are; None: this is about something else."""
    if not _names(context) & _SWITCHES:
        return None
    call = context if isinstance(context, ast.Call) else ast.Call(context, [], [])
    name = next(iter(_names(call.func)), "") if isinstance(call.func, ast.Name) else ""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else name
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if name not in _SWITCHES or not all(isinstance(value, ast.Constant) for value in given):
        return False
    values = [value.value for value in given if isinstance(value, ast.Constant)]
    if name == "set_grad_enabled":
        return values == [False] or None
    return all(values) or None


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} | {
        each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)
    }
