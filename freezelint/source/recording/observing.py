"""Whether what a statement gives or raises is looked at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_WAITING = frozenset({"raises", "assertRaises", "assertRaisesRegex", "warns", "assertWarns", "suppress"})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


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
    around = list(_around(tree, statement))
    if around and isinstance(around[0], ast.Try) and around[0].handlers and statement in around[0].body:
        return True
    return any(
        _waits(item) for node in around if isinstance(node, (ast.With, ast.AsyncWith)) for item in node.items
    )


def _around(tree: ast.Module, statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements around this one, innermost first, within its function."""
    found: list[ast.stmt] = []
    block = tree.body
    while not any(node is statement for node in block):
        holder = next((node for node in block if _holds(node, statement)), None)
        if holder is None:
            break
        found.append(holder)
        block = list(_inside(holder))
    for node in reversed(found):
        if isinstance(node, _SCOPES):
            return
        yield node


def _holds(node: ast.stmt, statement: ast.stmt) -> bool:
    return node.lineno <= statement.lineno <= (node.end_lineno or node.lineno)


def _inside(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements directly below, handlers and match cases looked through."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif not isinstance(child, ast.expr):
            yield from _inside(child)


def _waits(item: ast.withitem) -> bool:
    call = item.context_expr
    function = call.func if isinstance(call, ast.Call) else call
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _WAITING
