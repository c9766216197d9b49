"""FRZ207: a new optimizer goes on with the state of the one before."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Location, Optimizer
from freezelint.finding import Edit
from freezelint.fixing.optimizers import name_at
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import stored
from freezelint.fixing.script import Definition, NoPlaceError, Script

_TITLE = "carry the optimizer's state over to the new one"


def mends(scene: Scene) -> Iterator[Mend]:
    """Momentum and moments are kept by parameter: the new optimizer takes those of the old one, wherever the
    finding says that it is built anew.
    """
    places = scene.places([scene.finding.location, *(each.location for each in scene.finding.related)])
    edits = dict.fromkeys(edit for place in places for edit in _carried(scene, place))
    yield Mend(_TITLE, tuple(edits), "unsafe")


def _carried(scene: Scene, place: Location) -> Iterator[Edit]:
    script = scene.script(place.path)
    statement = script.statement_at(place)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        raise NoPlaceError("the new optimizer is given no name where it is built")
    name = script.text(statement.targets[0])
    state = script.fresh("state", "optimizer_state")
    loop = _loop(script, statement)
    other = _other_name(scene, script, statement, place, name)
    if loop is not None:
        yield script.before(loop, [f"{state} = {{}}"])
        yield script.after(statement, [f"{name}.state.update({state})", f"{state} = {name}.state"])
    elif other is not None:
        yield script.after(statement, [f"{name}.state.update({other}.state)"])
    else:
        yield script.before(statement, [f"{state} = {_state_before(script, statement, name)}"])
        yield script.after(statement, [f"{name}.state.update({state})"])


def _other_name(scene: Scene, script: Script, statement: ast.stmt, place: Location, name: str) -> str | None:
    """What the optimizer before is called, where that is not what the new one is called."""
    before: Optimizer | None = None
    for optimizer in scene.trace.optimizers:
        built = scene.trace.location(optimizer.built)
        if built is not None and built.at() == place.at():
            break
        before = optimizer
    found = None if before is None else name_at(scene, before, script, statement)
    return None if found == name else found


def _state_before(script: Script, statement: ast.Assign, name: str) -> str:
    """The state of the optimizer that the name stands for so far, if any."""
    scope = script.class_of(statement) if "." in name else script.function_of(statement)
    others = [
        node
        for node in ast.walk(scope or script.tree)
        if isinstance(node, ast.stmt) and node is not statement and _gives(node, name)
    ]
    if any(isinstance(each, ast.Assign) and _is_none(each.value) for each in others):
        return f"{{}} if {name} is None else {name}.state"
    if ("." in name and others) or any(each.lineno < statement.lineno for each in others):
        return f"{name}.state"
    raise NoPlaceError("the optimizer before has no name where the new one is built")


def _gives(statement: ast.stmt, name: str) -> bool:
    if not isinstance(statement, ast.Assign):
        return False
    targets = [each for target in statement.targets for each in getattr(target, "elts", [target])]
    return name in map(ast.unparse, targets)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _loop(script: Script, statement: ast.stmt) -> ast.stmt | None:
    """The outermost loop around the statement, if the optimizer is born in it."""
    found = None
    for outer in script.parents(statement):
        if isinstance(outer, Definition | ast.ClassDef):
            break
        if isinstance(outer, ast.For | ast.While):
            found = outer
    if found is None:
        return None
    suite = script.body_of(found)
    earlier = suite[: suite.index(found)]
    born = any(stored(each) & stored(statement) for each in earlier)
    return None if born else found
