"""Whether what a statement gives or raises is looked at."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freezelint.source.machine import Machine

_WAITING = frozenset({"raises", "assertRaises", "assertRaisesRegex", "warns", "assertWarns", "suppress"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def is_observed(machine: Machine, statement: ast.stmt) -> bool:
    """Whether the statement is shown (the last expression of a notebook's cell), waited for by a test, or
    tried.
    """
    file = machine.frame.file
    tree = machine.project.tree(file)
    if tree is None:
        return False
    if file.is_notebook and isinstance(statement, ast.Expr) and statement in tree.body:
        cell = file.position(statement.end_lineno or statement.lineno)[0]
        after = tree.body[tree.body.index(statement) + 1 :]
        if not after or file.position(after[0].lineno)[0] != cell:
            return True
    return _is_waited_for(tree, statement)


def _is_waited_for(tree: ast.Module, statement: ast.stmt) -> bool:
    around: list[ast.AST] = [tree]
    while True:
        inner = next((child for child in _blocks(around[-1]) if _covers(child, statement)), None)
        if inner is None:
            return False
        if inner is statement:
            break
        around.append(inner)
    parent = around[-1]
    if isinstance(parent, ast.Try) and parent.handlers and statement in parent.body:
        return True
    for node in reversed(around):
        if isinstance(node, _FUNCTIONS):
            return False
        if isinstance(node, (ast.With, ast.AsyncWith)) and any(_waits(item) for item in node.items):
            return True
    return False


def _blocks(node: ast.AST) -> list[ast.AST]:
    return [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]


def _covers(node: ast.AST, statement: ast.stmt) -> bool:
    if node is statement:
        return True
    if not hasattr(node, "lineno"):  # a match case
        return any(_covers(child, statement) for child in _blocks(node))
    first: int = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    last: int = getattr(node, "end_lineno", None) or first
    return first <= statement.lineno <= last and not _same_line(node, statement)


def _same_line(node: ast.AST, statement: ast.stmt) -> bool:
    """Whether another simple statement stands on the line (`a; b`)."""
    return not any(True for child in _blocks(node) if hasattr(child, "lineno") or _blocks(child))


def _waits(item: ast.withitem) -> bool:
    call = item.context_expr
    function = call.func if isinstance(call, ast.Call) else call
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _WAITING
