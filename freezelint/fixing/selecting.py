"""Leaving what is frozen out of what an optimizer is given, as the code that gives it would say it itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.finding import Edit
from freezelint.fixing.calling import argument
from freezelint.fixing.scene import Scene
from freezelint.fixing.scopes import bound_in
from freezelint.fixing.script import Definition, NoPlaceError, Script

# What would take the condition that follows it for its own part.
_LOOSE = (ast.IfExp, ast.Lambda, ast.NamedExpr)


def trainable_only(script: Script, given: ast.expr) -> Edit:
    """Let an expression give the trainable ones of its parameters."""
    if isinstance(given, ast.Starred):
        raise NoPlaceError("what the optimizer is given is unpacked there")
    if isinstance(given, ast.NamedExpr):
        return trainable_only(script, given.value)
    told = _chosen(script, given)
    return script.replace(given, f"({told})" if _is_bare(script, given) else told)


def _chosen(script: Script, given: ast.expr) -> str:
    text = script.text(given)
    if isinstance(given, ast.ListComp | ast.GeneratorExp) and isinstance(given.elt, ast.Name | ast.Attribute):
        inner = text[1:-1].strip()
        conditions = given.generators[-1].ifs
        if "#" not in inner:
            plain = conditions and not isinstance(conditions[-1], (*_LOOSE, ast.BoolOp))
            return f"[{inner} {'and' if plain else 'if'} {script.text(given.elt)}.requires_grad]"
    if isinstance(given, ast.Call):
        name = ast.unparse(given.func)
        if name in ("list", "tuple") and len(given.args) == 1 and isinstance(given.args[0], ast.Call):
            return _chosen(script, given.args[0])
        if name.endswith(".named_parameters"):
            return f"[(name, p) for name, p in {text} if p.requires_grad]"
    return f"[p for p in {f'({text})' if isinstance(given, _LOOSE) else text} if p.requires_grad]"


def _is_bare(script: Script, given: ast.expr) -> bool:
    """Whether the parentheses around a generator are those of the call."""
    call = script.parent(given)
    if not isinstance(given, ast.GeneratorExp) or not isinstance(call, ast.Call):
        return False
    return (given.end_lineno, given.end_col_offset) == (call.end_lineno, call.end_col_offset)


def group_parameters(scene: Scene, script: Script, given: ast.expr) -> list[tuple[Script, ast.expr]]:
    """What the groups that an expression gives are made of, where dicts are written for them: in it, where
    its variable is filled, in the function of the file that makes them, or where the caller does.
    """
    found: dict[ast.expr, Script] = {}
    for where, node in _makers(scene, script, given):
        for value in _written(node):
            found.setdefault(value, where)
    if any(isinstance(value, ast.List) and len(value.elts) == 1 for value in found):
        raise NoPlaceError("its groups are made of one parameter each")
    return [(where, value) for value, where in found.items()]


def _makers(scene: Scene, script: Script, given: ast.expr) -> Iterator[tuple[Script, ast.AST]]:
    yield script, given
    if isinstance(given, ast.Name | ast.Attribute):
        scope: ast.AST = script.function_of(given) or script.tree
        if isinstance(given, ast.Attribute):
            scope = script.class_of(given) or scope
        filled = [
            value for value in map(_filling, ast.walk(scope)) if value and value[0] == ast.unparse(given)
        ]
        for _, value in filled:
            yield from _makers(scene, script, value)
        if not filled and isinstance(scope, Definition) and ast.unparse(given) in bound_in(scope):
            yield from _from_callers(scene, scope, ast.unparse(given))
    for call in (node for node in ast.walk(given) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func).rpartition(".")[2]
        yield from ((script, definition) for definition in script.definitions.get(name, ()))


def _filling(node: ast.AST) -> tuple[str, ast.expr] | None:
    """The variable that a statement fills, and with what."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return ast.unparse(node.targets[0]), node.value
    if isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value is not None:
        return ast.unparse(node.target), node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        return (
            (ast.unparse(node.func.value), node.args[-1]) if node.func.attr in ("append", "extend") else None
        )
    return None


def _from_callers(scene: Scene, function: Definition, name: str) -> Iterator[tuple[Script, ast.AST]]:
    """What the calls that led to the finding hand over for an argument."""
    for place in scene.finding.location.calls:
        script = scene.script(place.path)
        call = script.node_at(place, ast.Call)
        value = None if call is None else argument(call, function, name)
        if value is not None:
            yield script, value


def _written(node: ast.AST) -> Iterator[ast.expr]:
    """The parameters of the groups that are written out in this code."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Dict):
            for key, value in zip(inner.keys, inner.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "params":
                    yield value
        elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "dict":
            yield from (keyword.value for keyword in inner.keywords if keyword.arg == "params")
