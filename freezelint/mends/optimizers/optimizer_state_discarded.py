"""FRZ207: a new optimizer goes on with the state of the one before."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import stored
from freezelint.fixing.script import Definition, NoPlaceError, Script

_TITLE = "carry the optimizer's state over to the new one"


def mends(scene: Scene) -> Iterator[Mend]:
    """Momentum and moments are kept by parameter: the new optimizer takes those of the old one."""
    script = scene.here
    statement = script.statement_at(scene.finding.location)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        raise NoPlaceError("the new optimizer is given no name where it is built")
    name = script.text(statement.targets[0])
    state = script.fresh("state", "optimizer_state")
    after = [f"{name}.state.update({state})"]
    loop = _loop(script, statement)
    if loop is not None:
        edits = (
            script.before(loop, [f"{state} = {{}}"]),
            script.after(statement, [*after, f"{state} = {name}.state"]),
        )
    else:
        before = f"{state} = {_state_before(script, statement, name)}"
        edits = (script.before(statement, [before]), script.after(statement, after))
    yield Mend(_TITLE, edits, "unsafe")


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
