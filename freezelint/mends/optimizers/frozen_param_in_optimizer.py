"""FRZ201: the optimizer receives the trainable parameters only."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Location
from freezelint.facts import is_frozen
from freezelint.finding import Edit
from freezelint.fixing.freezes import outermost_loop
from freezelint.fixing.moving import moved_behind
from freezelint.fixing.optimizers import groups_of, name_at, parameters_of, trainable
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script

_TITLE = "give the optimizer the trainable parameters only"


def mends(scene: Scene) -> Iterator[Mend]:
    """What is frozen when the optimizer is built stays out of it; what is frozen later lets it be built
    later, or leaves its groups.
    """
    script = scene.here
    call = script.node_at(scene.finding.location, ast.Call)
    given = parameters_of(call) if call is not None else None
    if call is None or given is None:
        return
    if _frozen_later(scene):
        yield from _late(scene)
        return
    statement = script.statement_of(call)
    groups = groups_of(script, given, statement)
    if groups is not None:
        yield from _grouped(scene, script, groups)
        return
    yield Mend(_TITLE, (script.replace(given, trainable(script.text(given))),))


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


def _late(scene: Scene) -> Iterator[Mend]:
    freezes = _frozen_later(scene)
    reason = None
    if len(freezes) == 1:
        try:
            yield Mend(
                "build the optimizer after the freeze, of the trainable parameters only",
                _built_late(scene, freezes[0]),
            )
        except NoPlaceError as error:
            reason = error
    for freeze in freezes[-1:]:
        script = scene.script(freeze.path)
        statement = outermost_loop(script, freeze)
        name = _name(scene, script, statement)
        if name is None:
            raise reason or NoPlaceError("the optimizer has no name where the freeze is")
        group = script.fresh("group", "parameter_group")
        params = f"{group}[{script.quote}params{script.quote}]"
        lines = [f"for {group} in {name}.param_groups:", f"\t{params} = {trainable(params)}"]
        yield Mend("take what is frozen out of the optimizer's groups", (script.after(statement, lines),))


def _built_late(scene: Scene, freeze: Location) -> tuple[Edit, ...]:
    """The construction behind the freeze, and its parameters filtered."""
    moved = moved_behind(scene, scene.finding.location, freeze)
    script = scene.here
    call = script.node_at(scene.finding.location, ast.Call)
    given = parameters_of(call) if call is not None else None
    assert given is not None
    before = script.text(given)
    told = [each for each in moved if before in each.text]
    if len(told) != 1:
        raise NoPlaceError("what the optimizer is given is not told where it is built")
    edit = Edit(told[0].location, told[0].text.replace(before, trainable(before), 1))
    return tuple(edit if each is told[0] else each for each in moved)


def _name(scene: Scene, script: Script, statement: ast.stmt) -> str | None:
    for optimizer in scene.trace.optimizers:
        if _is_here(scene, scene.trace.location(optimizer.built)):
            name = name_at(scene, optimizer, script, statement)
            if name is not None:
                return name
    return None


def _grouped(scene: Scene, script: Script, groups: ast.List) -> Iterator[Mend]:
    """Groups that are frozen as a whole go, unless the file asks for groups by their number; of others what
    is frozen goes.
    """
    frozen = _frozen_groups(scene, len(groups.elts))
    whole = [number for number, state in enumerate(frozen) if state == "all"]
    edits = _filtered(script, groups, [number for number, state in enumerate(frozen) if state == "some"])
    if whole and len(whole) < len(groups.elts) and "param_groups[" not in script.file.text:
        yield Mend("take the frozen group out of the optimizer", (*_without(script, groups, whole), *edits))
    everything = [number for number, state in enumerate(frozen) if state]
    yield Mend(_TITLE, tuple(_filtered(script, groups, everything)))


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
    edits = []
    for number in numbers:
        group = groups.elts[number]
        assert isinstance(group, ast.Dict)
        for key, value in zip(group.keys, group.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "params":
                edits.append(script.replace(value, trainable(script.text(value))))
    return edits


def _without(script: Script, groups: ast.List, numbers: list[int]) -> Iterator[Edit]:
    for number in numbers:
        yield script.without(groups, number)
