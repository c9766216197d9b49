"""FRZ302: the input no longer asks for a gradient."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.fixing.flags import writes_at
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script


def mends(scene: Scene) -> Iterator[Mend]:
    """`x.requires_grad_()`, `x.requires_grad = True` and `requires_grad=True` go."""
    title = "leave `requires_grad` off the input"
    where = scene.finding.location
    forced = [e for e in scene.trace.events_of("gradient-forced") if e.location is not None]
    if any(event.location is not None and event.location.at() == where.at() for event in forced):
        yield Mend(title, _without(scene.here, where), "unsafe")
        return
    script = scene.here
    asked = [call for call in ast.walk(script.tree) if isinstance(call, ast.Call) and _keyword(call)]
    if len(asked) != 1:
        raise NoPlaceError("where the input is told to require grad is not known")
    yield Mend(title, (_off(script, asked[0]),), "unsafe")


def _without(script: Script, where: Location) -> tuple[Edit, ...]:
    for write in writes_at(script, where, ("requires_grad",)):
        statement = script.statement_of(write.node)
        if isinstance(statement, ast.Expr) and statement.value is write.node:
            return (script.remove(statement),)
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            return (script.remove(statement),)
    call = script.node_at(where, ast.Call)
    if call is None:
        raise NoPlaceError("the input is told to require grad in another way than by a call or an assignment")
    if _keyword(call) is not None:
        return (_off(script, call),)
    statement = script.statement_of(call)
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "requires_grad_":
        raise NoPlaceError("the input is told to require grad by code that is not known")
    if isinstance(statement, ast.Expr) and statement.value is call:
        return (script.remove(statement),)
    return (script.replace(call, script.text(call.func.value)),)


def _keyword(call: ast.Call) -> ast.keyword | None:
    """`requires_grad=True` of a call that makes a tensor."""
    if ast.unparse(call.func).rpartition(".")[2] == "Parameter":
        return None
    for keyword in call.keywords:
        if keyword.arg == "requires_grad" and isinstance(keyword.value, ast.Constant) and keyword.value.value:
            return keyword
    return None


def _off(script: Script, call: ast.Call) -> Edit:
    """The call without the keyword, and the comma that belongs to it."""
    keyword = _keyword(call)
    assert keyword is not None
    given: list[ast.expr | ast.keyword] = sorted(
        [*call.args, *call.keywords], key=lambda node: (node.lineno, node.col_offset)
    )
    position, where = given.index(keyword), script.location(keyword)
    if position:
        before = script.location(given[position - 1])
        return Edit(replace(where, line=before.end_line or 1, column=before.end_column or 1), "")
    if len(given) > 1:
        after = script.location(given[1])
        return Edit(replace(where, end_line=after.line, end_column=after.column), "")
    return Edit(where, "")
