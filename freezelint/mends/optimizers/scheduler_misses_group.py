"""FRZ208: the schedule learns of the group that joins its optimizer."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress

from freezelint.evidence import Location
from freezelint.fixing.calling import Site, sites
from freezelint.fixing.moving import moved_behind
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import is_in_scope, is_own
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
    site, name = _place(scene, Site(script, statement, script.text(call.func.value)))
    quote = site.script.quote
    group = f"{site.expression}.param_groups[-1]"
    rate, initial = (f"{group}[{quote}{key}{quote}]" for key in ("lr", "initial_lr"))
    lines = [f"{initial} = {rate}", f"{name}.base_lrs.append({initial})"]
    if scene.finding.evidence.get("schedule") == "LambdaLR":
        lines.append(f"{name}.lr_lambdas.append({name}.lr_lambdas[-1])")
    yield Mend(f"let `{name}` know the new group", (site.script.after(site.statement, lines),), "unsafe")


def _place(scene: Scene, inner: Site) -> tuple[Site, str]:
    """Where the schedule is told, and what it is called there: in the function where it is a variable or an
    attribute of `self`, else where it is one of the file.
    """
    found = []
    for site in sites(scene, inner, scene.finding.location.calls):
        name = _schedule(scene, site.script, site.statement)
        if name is not None:
            found.append((site, name))
            if is_own(site.script, name, site.statement):
                return found[-1]
    if not found:
        raise NoPlaceError("the schedule has no name where the group joins")
    return found[0]


def _schedule(scene: Scene, script: Script, statement: ast.stmt) -> str | None:
    """What the schedule is called at a statement."""
    for schedule in scene.trace.schedules:
        built = scene.trace.location(schedule.built)
        name = None if built is None else _name(scene.script(built.path), built)
        if name is not None and is_in_scope(script, name, statement):
            return name
    return None


def _name(script: Script, built: Location) -> str | None:
    statement = script.statement_at(built)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return script.text(statement.targets[0])
    return None
