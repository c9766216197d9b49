"""FRZ203: what becomes trainable late joins the optimizer, or the optimizer is built later."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Location, Optimizer
from freezelint.fixing.freezes import outermost_loop, taken
from freezelint.fixing.moving import moved_behind
from freezelint.fixing.optimizers import built_before, name_at
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import Definition, NoPlaceError, Script

# What learns at last may learn too fast: that is another question.
_UNCOVERS = ("FRZ401",)


def mends(scene: Scene) -> Iterator[Mend]:
    """Before the first step the optimizer can be built later; once it has state, a group is added."""
    where = scene.finding.location
    reason: NoPlaceError | None = None
    for optimizer, built in built_before(scene, where):
        if not _has_stepped(scene, where):
            try:
                title = f"build {optimizer.class_name} when all that trains is there"
                yield Mend(title, moved_behind(scene, built, where), uncovers=_UNCOVERS)
            except NoPlaceError as error:
                reason = error
        try:
            yield from _joining(scene, optimizer, where)
        except NoPlaceError as error:
            reason = error
    if reason is not None:
        raise reason


def _has_stepped(scene: Scene, where: Location) -> bool:
    events = [e for e in scene.trace.events if e.location is not None and e.location.at() == where.at()]
    return any(event.steps_before for event in events)


def _joining(scene: Scene, optimizer: Optimizer, where: Location) -> Iterator[Mend]:
    """`add_param_group` behind the statement, or behind the call of the helper that holds it."""
    reason = NoPlaceError("the optimizer has no name where the parameters become trainable")
    for place in (where, *where.calls):
        script = scene.script(place.path)
        statement = outermost_loop(script, place)
        name = name_at(scene, optimizer, script, statement)
        if name is None:
            continue
        title = f"add them to {optimizer.class_name} with `add_param_group`"
        try:
            parameters = taken(script, statement)
        except NoPlaceError as error:
            reason = error
            continue
        once = _runs_once(script, statement) and not _holds_some(scene, optimizer, place)
        lines = (_plain if once else _new_only)(script, name, parameters)
        yield Mend(title, (script.after(statement, lines),), uncovers=_UNCOVERS)
        return
    raise reason


def _runs_once(script: Script, statement: ast.stmt) -> bool:
    """Whether the statement stands in no loop, or there under a condition that holds for one round."""
    inner: ast.AST = statement
    for outer in script.parents(statement):
        if isinstance(outer, Definition | ast.ClassDef):
            break
        if isinstance(outer, ast.For | ast.While | ast.AsyncFor):
            test = inner.test if isinstance(inner, ast.If) and _stands_in(statement, inner.body) else None
            if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
                return False
        inner = outer
    return True


def _stands_in(statement: ast.stmt, suite: list[ast.stmt]) -> bool:
    return any(node is statement for each in suite for node in ast.walk(each))


def _holds_some(scene: Scene, optimizer: Optimizer, place: Location) -> bool:
    """Whether the statement also opens parameters that the optimizer has had from the beginning."""
    held = {parameter for group in optimizer.groups for parameter in group.parameters}
    events = [e for e in scene.trace.events_of("unfrozen") if e.location and e.location.at() == place.at()]
    return any(parameter in held for event in events for parameter in event.parameters)


def _plain(script: Script, optimizer: str, parameters: str) -> list[str]:
    return [f"{optimizer}.add_param_group({{{script.quote}params{script.quote}: {parameters}}})"]


def _new_only(script: Script, optimizer: str, parameters: str) -> list[str]:
    """For parameters of which the optimizer holds some, or that come here again and again."""
    held, added = script.fresh("held", "already_held"), script.fresh("added", "newly_trainable")
    key = f"{script.quote}params{script.quote}"
    return [
        f"{held} = {{id(p) for group in {optimizer}.param_groups for p in group[{key}]}}",
        f"{added} = [p for p in {parameters} if id(p) not in {held}]",
        f"if {added}:",
        f"\t{optimizer}.add_param_group({{{key}: {added}}})",
    ]
