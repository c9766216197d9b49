"""How a file spells the names of libraries: what it has imported, and what an import would add."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.finding import Edit
from freezelint.fixing.script import NoPlaceError, Script


def spelled(script: Script, dotted: str) -> tuple[str, list[Edit]]:
    """How this file says `torch.nn.Linear`, by its shortest import, and the edit that adds one where there is
    none. Raises NoPlaceError where the name would be another's.
    """
    candidates = []
    for name, meaning in _imported(script.tree):
        if dotted == meaning:
            candidates.append(name)
        elif dotted.startswith(f"{meaning}."):
            candidates.append(name + dotted[len(meaning) :])
    if candidates:
        return min(candidates, key=lambda name: (name.count("."), len(name))), []
    top, _, rest = dotted.partition(".")
    used = frozenset(_used(script.tree))
    beside = next(_imports_from(script.tree, top), None)
    part = rest.partition(".")[0]
    if beside is not None and part != rest and part not in used:  # in the style of this file
        return rest, [script.before(beside, [f"from {top} import {part}"])]
    if top in used:
        raise NoPlaceError(f"`{top}` is not imported, but the name is taken")
    if beside is not None:
        return dotted, [script.before(beside, [f"import {top}"])]
    return dotted, [_import(script, f"import {top}")]


def _imports_from(tree: ast.Module, top: str) -> Iterator[ast.ImportFrom]:
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and not statement.level:
            package = (statement.module or "").partition(".")[0]
            yield from [statement] if package == top else []


def _used(tree: ast.Module) -> Iterator[str]:
    """The names that the file uses or binds, what it imports from a module aside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that imports at the top of the file bind, and what they stand for."""
    for statement in _top(tree):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if alias.asname:
                    yield alias.asname, alias.name
                else:
                    top = alias.name.partition(".")[0]
                    yield top, top
        elif isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
            for alias in statement.names:
                yield alias.asname or alias.name, f"{statement.module}.{alias.name}"


def _top(tree: ast.Module) -> Iterator[ast.stmt]:
    for statement in tree.body:
        yield statement
        if isinstance(statement, ast.Try):
            yield from statement.body


def _import(script: Script, line: str) -> Edit:
    """After the last import of the file's head, else before its first statement that is no docstring."""
    imports = [each for each in script.tree.body if isinstance(each, ast.Import | ast.ImportFrom)]
    if imports:
        return script.after(imports[-1], [line])
    statements = script.tree.body
    if ast.get_docstring(script.tree, clean=False) is not None:
        if len(statements) == 1:
            return script.after(statements[0], ["", line])
        statements = statements[1:]
    if not statements:
        raise NoPlaceError("the file is empty")
    return script.before(statements[0], [line, ""])
