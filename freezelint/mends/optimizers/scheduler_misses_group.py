"""FRZ208: the schedule learns of the group that joins its optimizer."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress

from freezelint.evidence import Location
from freezelint.fixing.moving import moved_behind
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import is_in_scope
from freezelint.fixing.script import NoPlaceError, Script


def mends(scene: Scene) -> Iterator[Mend]:
    """The schedule is built when the group is there, or, once it has begun, told of the group's rate."""
    script = scene.here
    with suppress(NoPlaceError):
        for schedule in scene.trace.schedules:
            built = scene.trace.location(schedule.built)
            if built is not None:
                title = f"build {schedule.class_name} when all groups are there"
                yield Mend(title, moved_behind(scene, built, scene.finding.location), "unsafe")
    statement = script.statement_at(scene.finding.location)
    call = statement.value if isinstance(statement, ast.Expr) else None
    if statement is None or not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        raise NoPlaceError("the group joins within a larger expression")
    name = _schedule(scene, script, statement)
    group = f"{script.text(call.func.value)}.param_groups[-1]"
    rate, initial = (f"{group}[{script.quote}{key}{script.quote}]" for key in ("lr", "initial_lr"))
    lines = [f"{initial} = {rate}", f"{name}.base_lrs.append({initial})"]
    title = f"let `{name}` know the new group"
    if scene.finding.evidence.get("schedule") == "LambdaLR":
        lines.append(f"{name}.lr_lambdas.append({name}.lr_lambdas[-1])")
    yield Mend(title, (script.after(statement, lines),), "unsafe")


def _schedule(scene: Scene, script: Script, statement: ast.stmt) -> str:
    """What the schedule is called where the group joins."""
    for schedule in scene.trace.schedules:
        built = scene.trace.location(schedule.built)
        name = None if built is None else _name(scene.script(built.path), built)
        if name is not None and is_in_scope(script, name, statement):
            return name
    raise NoPlaceError("the schedule has no name where the group joins")


def _name(script: Script, built: Location) -> str | None:
    statement = script.statement_at(built)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return script.text(statement.targets[0])
    return None
