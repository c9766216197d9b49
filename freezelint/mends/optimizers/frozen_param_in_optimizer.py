"""FRZ201: the optimizer receives the trainable parameters only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress

from freezelint.evidence import Location
from freezelint.facts import is_frozen
from freezelint.finding import Edit
from freezelint.fixing.freezes import outermost_loop
from freezelint.fixing.lists import without
from freezelint.fixing.moving import moved_behind
from freezelint.fixing.optimizers import counts_groups, groups_of, name_at, parameters_of
from freezelint.fixing.rates import value_of
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script
from freezelint.fixing.selecting import group_parameters, trainable_only

_TITLE = "give the optimizer the trainable parameters only"
_Choice = tuple[str, list[Edit]]


def mends(scene: Scene) -> Iterator[Mend]:
    """What is frozen when the optimizer is built stays out of it; what is frozen later lets it be built
    later, or leaves its groups.
    """
    script = scene.here
    call = script.node_at(scene.finding.location, ast.Call)
    given = parameters_of(call) if call is not None else None
    if given is None:
        return
    freezes = _frozen_later(scene)
    if freezes:
        yield from _late(scene, given, freezes)
        return
    for title, edits in _choices(scene, script, given):
        yield Mend(title, tuple(edits))


def _choices(scene: Scene, script: Script, given: ast.expr) -> Iterator[_Choice]:
    """The ways to leave out what is frozen, where the optimizer is built or what it is built from."""
    groups = groups_of(script, given, script.statement_of(given))
    if groups is not None:
        yield from _grouped(scene, script, groups)
        return
    made = group_parameters(scene, script, given)
    if made:
        yield _TITLE, [trainable_only(where, value) for where, value in made]
    else:
        yield _TITLE, [trainable_only(script, given)]


def _frozen_later(scene: Scene) -> list[Location]:
    """Where parameters are frozen that the optimizer held already."""
    trace = scene.trace
    built = [e for e in trace.events_of("optimizer-built") if _is_here(scene, e.location)]
    first = min((event.index for event in built), default=None)
    places = {place.location.at() for place in scene.finding.related}
    freezes = [e for e in trace.events_of("frozen") if e.location is not None and e.location.at() in places]
    if first is None:
        return []
    before = {e.location.at() for e in freezes if e.location is not None and e.index < first}
    later = scene.places([event.location for event in freezes if event.index > first])
    return [place for place in later if place.at() not in before]  # what is frozen each time is so at first


def _late(scene: Scene, given: ast.expr, freezes: list[Location]) -> Iterator[Mend]:
    reason = None
    try:
        title = "build the optimizer after the freeze, of the trainable parameters only"
        for _, edits in _choices(scene, scene.here, given):
            yield Mend(title, moved_behind(scene, scene.finding.location, freezes[-1], edits))
    except NoPlaceError as error:
        reason = error
    freeze = freezes[-1]
    script = scene.script(freeze.path)
    statement = outermost_loop(script, freeze)
    name = _name(scene, script, statement)
    if name is None:
        raise reason or NoPlaceError("the optimizer has no name where the freeze is")
    group = script.fresh("group", "parameter_group")
    params = f"{group}[{script.quote}params{script.quote}]"
    lines = [f"for {group} in {name}.param_groups:", f"\t{params} = [p for p in {params} if p.requires_grad]"]
    yield Mend("take what is frozen out of the optimizer's groups", (script.after(statement, lines),))


def _name(scene: Scene, script: Script, statement: ast.stmt) -> str | None:
    for optimizer in scene.trace.optimizers:
        if _is_here(scene, scene.trace.location(optimizer.built)):
            name = name_at(scene, optimizer, script, statement)
            if name is not None:
                return name
    return None


def _grouped(scene: Scene, script: Script, groups: ast.List) -> Iterator[_Choice]:
    """Groups that are frozen as a whole go, unless the file asks for groups by their number; of others what
    is frozen goes.
    """
    frozen = _frozen_groups(scene, len(groups.elts))
    whole = [number for number, state in enumerate(frozen) if state == "all"]
    edits = _filtered(script, groups, [number for number, state in enumerate(frozen) if state == "some"])
    if whole and len(whole) < len(groups.elts) and not counts_groups(script):
        with suppress(NoPlaceError):
            yield "take the frozen group out of the optimizer", [*without(script, groups, whole), *edits]
    yield _TITLE, _filtered(script, groups, [number for number, state in enumerate(frozen) if state])


def _frozen_groups(scene: Scene, count: int) -> list[str]:
    """For each group whether "all", "some" or nothing of it is frozen in the step that shows the finding."""
    for step in scene.trace.completed:
        state = step.stepping
        if state is None or not _is_here(
            scene, scene.trace.location(scene.trace.optimizers[state.optimizer].built)
        ):
            continue
        told = []
        for group in state.groups:
            frozen = [is_frozen(step, parameter) for parameter in group.parameters]
            told.append("all" if frozen and all(frozen) else "some" if any(frozen) else "")
        if len(told) == count and any(told):
            return told
    return ["some"] * count


def _is_here(scene: Scene, location: Location | None) -> bool:
    return location is not None and location.at() == scene.finding.location.at()


def _filtered(script: Script, groups: ast.List, numbers: list[int]) -> list[Edit]:
    values = (value_of(groups.elts[number], "params") for number in numbers)
    return [trainable_only(script, value) for value in values if value is not None]
