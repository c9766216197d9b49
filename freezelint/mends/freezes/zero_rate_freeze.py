"""FRZ509: what stands at a rate of zero is frozen; its group then has nothing to train, and goes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.fixing.flagging import flag_lines
from freezelint.fixing.optimizers import groups_of, parameters_of
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import assignment_of
from freezelint.fixing.script import NoPlaceError, Script

_TITLE = "freeze what has a learning rate of 0"


def mends(scene: Scene) -> Iterator[Mend]:
    """The freeze comes before the group is made. What a group that is added later holds is frozen in the
    place of that.
    """
    script = scene.here
    call = script.node_at(scene.finding.location, ast.Call)
    if call is None:
        return
    statement = script.statement_of(call)
    if isinstance(call.func, ast.Attribute) and call.func.attr == "add_param_group":
        lines = flag_lines(script, _params(call.args[0] if call.args else None), statement, "False")
        if not isinstance(statement, ast.Expr) or statement.value is not call:
            raise NoPlaceError("the group is added inside an expression")
        if len(lines) == 1:
            yield Mend(_TITLE, (script.replace(statement, lines[0]),), "unsafe")
        else:
            yield Mend(_TITLE, (script.before(statement, lines), script.remove(statement)), "unsafe")
        return
    given = parameters_of(call)
    groups = groups_of(script, given, statement) if given is not None else None
    if groups is None or given is None:
        raise NoPlaceError("the group with this rate is not written out")
    where = _where(script, given, statement)
    frozen = [groups.elts[position] for position in _at_zero(scene) if position < len(groups.elts)]
    lines = [line for group in frozen for line in flag_lines(script, _params(group), where, "False")]
    yield Mend(_TITLE, (script.before(where, lines),), "unsafe")


def _at_zero(scene: Scene) -> list[int]:
    """All groups of the optimizer that stand at zero, as they are one finding."""
    trace, at = scene.trace, scene.finding.location.at()
    for step in reversed(trace.completed):
        state = step.stepping
        built = trace.location(trace.optimizers[state.optimizer].built) if state is not None else None
        if state is not None and built is not None and built.at() == at:
            return [n for n, group in enumerate(state.groups) if group.lr == 0 and not group.initial_lr]
    raise NoPlaceError("the group with this rate is not known")


def _params(group: ast.expr | None) -> ast.expr:
    if isinstance(group, ast.Dict):
        for key, value in zip(group.keys, group.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "params":
                return value
    raise NoPlaceError("the group with this rate is not written out")


def _where(script: Script, given: ast.expr, statement: ast.stmt) -> ast.stmt:
    """The statement that makes the groups."""
    if isinstance(given, ast.Name | ast.Attribute):
        return assignment_of(script, given, statement) or statement
    return statement
