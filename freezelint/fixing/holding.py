"""Which variables of the code hold a model, and where it is built."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from freezelint.evidence import Model
from freezelint.facts import whole_modules
from freezelint.fixing.modes.calls import is_plain
from freezelint.fixing.scene import Scene
from freezelint.fixing.scopes import is_in_scope
from freezelint.fixing.script import NoPlaceError, Script


@dataclass(frozen=True)
class Built:
    """The assignment that a model is built in: afterwards `name` holds it, or a part of it, or has it."""

    script: Script
    statement: ast.Assign
    name: str


def built_in(scene: Scene, model: Model) -> Iterator[Built]:
    """The assignments around the construction of this model alone, the innermost first."""
    others = [other.built for other in scene.trace.models if other is not model and other.built is not None]
    for place in () if model.built is None else (model.built, *model.built.calls):
        if any(place.at() in (each.at() for each in (other, *other.calls)) for other in others):
            continue  # freezing here would freeze the others as well
        try:
            script = scene.script(place.path)
        except NoPlaceError:
            continue
        statement = script.statement_at(place)
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        if is_plain(statement.targets[0]):
            yield Built(script, statement, script.text(statement.targets[0]))


def names_of(scene: Scene, model: Model, script: Script, statement: ast.stmt) -> list[str]:
    """What the model is called at a statement: by the variable that this reaches its parts from (`net` of
    `net.fc.parameters()`), or by its own.
    """
    names: list[str] = []
    held = {p for optimizer in scene.trace.optimizers for group in optimizer.groups for p in group.parameters}
    parts = [module.path for module in whole_modules(model, held) if module.path]
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and node.attr in ("parameters", "named_parameters"):
            names += _around(script, node.value, parts)
    if is_in_scope(script, model.name, statement):
        names.append(model.name)
    return list(dict.fromkeys(names))


def _around(script: Script, node: ast.expr, parts: list[str]) -> Iterator[str]:
    """What is left of an expression for a part of the model when its path is taken off."""
    for part in parts:
        outer: ast.expr | None = node
        for name in reversed(part.split(".")):
            outer = _owner(outer, name)
        if outer is not None and is_plain(outer):
            yield script.text(outer)
    if is_plain(node) and not parts:
        yield script.text(node)


def _owner(node: ast.expr | None, name: str) -> ast.expr | None:
    """x of `x.name` and of `x[3]`."""
    if isinstance(node, ast.Attribute) and node.attr == name:
        return node.value
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == name:
        return node.value
    return None


def constructor_of(script: Script, model: Model) -> ast.FunctionDef | None:
    """The `__init__` of the model's class, where the script has it."""
    for node in ast.walk(script.tree):
        if isinstance(node, ast.ClassDef) and node.name == model.class_name:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    return method
    return None


def assigned_part(constructor: ast.FunctionDef, path: str) -> ast.Assign | None:
    """The one statement of a constructor that puts the part at this path in its place."""
    if not constructor.args.args:
        return None
    wanted = f"{constructor.args.args[0].arg}.{path}"
    found = [
        node
        for node in ast.walk(constructor)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and ast.unparse(node.targets[0]) == wanted
    ]
    return found[0] if len(found) == 1 else None
