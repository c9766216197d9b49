"""Which names a statement can use, and what they were assigned."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.fixing.script import Definition, Script

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def is_in_scope(script: Script, name: str, statement: ast.stmt) -> bool:
    """Whether `name`, dotted or not, means the same at this statement as where it is bound: a variable of the
    function that the statement is in, or of the file; an attribute of `self` anywhere in its class.
    """
    root, _, attributes = name.partition(".")
    function = script.function_of(statement)
    if attributes:
        owner = script.class_of(statement)
        return owner is not None and any(
            isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node) == name
            for node in ast.walk(owner)
        )
    if function is not None and root in bound_in(function):
        return True
    return root in bound_in(script.tree)


def bound_in(scope: ast.AST) -> frozenset[str]:
    """The names that are bound in a function or file itself, not in what it defines."""
    names = set()
    if isinstance(scope, Definition):
        arguments = scope.args
        given = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        names = {each.arg for each in (*given, arguments.vararg, arguments.kwarg) if each is not None}
    for node in _inside(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (*_SCOPES, ast.Import, ast.ImportFrom)):
            names.update(_defined(node))
    return frozenset(names)


def stored(statement: ast.stmt) -> frozenset[str]:
    """The variables and attributes, dotted, that a statement binds."""
    return frozenset(
        ast.unparse(node)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store)
    )


def loaded(statement: ast.AST) -> frozenset[str]:
    """The variables and attributes, dotted, that a statement reads, and the beginnings of the dotted."""
    return frozenset(
        ast.unparse(node)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
    )


def assignment_of(script: Script, name: ast.expr, use: ast.stmt) -> ast.Assign | None:
    """The one statement that gives a variable, or an attribute of `self`, the value that it has at a use of
    it; None where there are several, or none that is plain.
    """
    wanted = ast.unparse(name)
    scope: ast.AST | None = script.function_of(use)
    if isinstance(name, ast.Attribute):
        scope = script.class_of(use)
    elif scope is not None and wanted not in bound_in(scope):
        scope = None
    found = [
        node
        for node in ast.walk(scope or script.tree)
        if isinstance(node, ast.stmt) and wanted in _targets(node)
    ]
    if scope is None:
        found = [node for node in found if script.function_of(node) is None]
    (only,) = found if len(found) == 1 else (None,)
    return only if isinstance(only, ast.Assign) and len(only.targets) == 1 else None


def _targets(statement: ast.stmt) -> frozenset[str]:
    """What a statement binds itself, without those inside of it."""
    nodes: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        nodes = list(statement.targets)
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign | ast.For | ast.AsyncFor):
        nodes = [statement.target]
    elif isinstance(statement, ast.With | ast.AsyncWith):
        nodes = [item.optional_vars for item in statement.items if item.optional_vars is not None]
    return frozenset(
        ast.unparse(inner)
        for node in nodes
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name | ast.Attribute) and isinstance(inner.ctx, ast.Store)
    )


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope, without those of the scopes in it."""
    pending = list(ast.iter_child_nodes(scope))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, _SCOPES):
            pending.extend(ast.iter_child_nodes(node))


def _defined(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif not isinstance(node, ast.Lambda):
        yield node.name  # type: ignore[attr-defined]
