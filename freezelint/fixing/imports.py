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
    top = dotted.partition(".")[0]
    if top in script.names:
        raise NoPlaceError(f"`{top}` is not imported, but the name is taken")
    return dotted, [_import(script, f"import {top}")]


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
