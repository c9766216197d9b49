"""Which names a statement can use, and what they were assigned."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.fixing.script import Definition, Script

_FILLING = ("add", "append", "extend", "insert", "setdefault", "update")
_PARTS = (ast.stmt, ast.ExceptHandler, ast.match_case, ast.comprehension)
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


def is_own(script: Script, name: str, statement: ast.stmt) -> bool:
    """Whether a name that is in scope is a variable of the function itself, an attribute of `self`, or, at
    the top, one of the file: not one of the file in a function, which others may call.
    """
    function = script.function_of(statement)
    return function is None or "." in name or name in bound_in(function)


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


def stored(statement: ast.AST) -> frozenset[str]:
    """The variables and attributes, dotted, that a statement binds or deletes."""
    return frozenset(
        ast.unparse(node)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del)
    )


def altered(statement: ast.AST) -> frozenset[str]:
    """What a statement binds, and the containers that it puts something into."""
    found = set(stored(statement))
    for node in ast.walk(statement):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(ast.unparse(node.value))
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FILLING
        ):
            found.add(ast.unparse(node.func.value))
    return frozenset(found)


def loaded(statement: ast.AST) -> frozenset[str]:
    """The variables and attributes, dotted, that a statement reads, and the beginnings of the dotted."""
    return frozenset(
        ast.unparse(node)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
    )


def used(script: Script, statement: ast.stmt) -> frozenset[str]:
    """What a statement reads, itself or in the functions of its file that it calls or hands over; `x.*` where
    it hands over `x` whole. What a definition has in its body is read when somebody calls it.
    """
    first: list[ast.AST] = [statement]
    if isinstance(statement, Definition):
        defaults = (*statement.args.defaults, *statement.args.kw_defaults)
        first = [*statement.decorator_list, *(default for default in defaults if default is not None)]
    found: set[str] = set()
    seen: set[ast.AST] = set()
    pending: list[tuple[ast.AST, frozenset[str]]] = [(node, frozenset()) for node in first]
    while pending:
        node, hidden = pending.pop()
        for name in _mentioned(node):
            root = name.partition(".")[0]
            if root in hidden:
                continue
            found.add(name)
            for definition in script.definitions.get(name.rpartition(".")[2], ()):
                if definition not in seen:
                    seen.add(definition)
                    same = frozenset({"self"}) if root == "self" else frozenset()
                    pending.append((definition, bound_in(definition) - same))
    return frozenset(found)


def _mentioned(node: ast.AST) -> Iterator[str]:
    """The names in some code, dotted or not, and `x.*` for what is handed over whole."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name | ast.Attribute):
            yield ast.unparse(inner)
        elif isinstance(inner, ast.Call):
            given = (*inner.args, *(keyword.value for keyword in inner.keywords))
            yield from (f"{each.id}.*" for each in given if isinstance(each, ast.Name))


def assignment_of(script: Script, name: ast.expr, use: ast.stmt) -> ast.Assign | None:
    """The one statement that gives a variable, or an attribute of `self`, the value that it has at a use of
    it; None where there are several, or none that is plain.
    """
    only = binding_of(script, name, use)
    if not isinstance(only, ast.Assign) or len(only.targets) != 1:
        return None
    return only if ast.unparse(only.targets[0]) == ast.unparse(name) else None


def binding_of(script: Script, name: ast.expr, use: ast.stmt) -> ast.stmt | None:
    """The one statement that binds a variable, or an attribute of `self`, that is used somewhere; None where
    there are several, or none.
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
    return found[0] if len(found) == 1 else None


def _targets(statement: ast.stmt) -> frozenset[str]:
    """What a statement binds itself, without those inside of it."""
    pending: list[ast.AST] = [statement]
    found = set()
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(ast.unparse(node))
        inner = (child for child in ast.iter_child_nodes(node) if not isinstance(child, _PARTS))
        pending.extend(child for child in inner if not isinstance(child, _SCOPES))
    return frozenset(found)


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
