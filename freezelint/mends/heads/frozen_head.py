"""FRZ402: the head is unfrozen right after the freeze."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Event, Location, Module
from freezelint.facts import whole_modules
from freezelint.finding import Edit
from freezelint.fixing.freezes import outermost_loop
from freezelint.fixing.modules import (
    Place,
    bases,
    owner_of,
    parameters_told,
    places,
    require_not_wrapped,
    require_one_name,
    spelled_from,
)
from freezelint.fixing.optimizers import groups_of, parameters_of
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script


def mends(scene: Scene) -> Iterator[Mend]:
    """The head is made trainable again where the freeze that took it along ends, and joins the optimizer that
    was given other parameters. A freeze of nothing but the head goes.
    """
    head = parameters_told(scene)
    model = owner_of(scene.trace, head)
    parts = whole_modules(model, head)
    if not head or {p for part in parts for p in model.parameters_within(part.path)} != set(head):
        raise NoPlaceError("the head is only a part of a module")
    freeze = _last_freeze(scene)
    frozen = _frozen_there(scene, freeze)
    script = scene.script(freeze.path)
    whole = outermost_loop(script, freeze)
    if frozen <= set(head):
        yield Mend(f"leave {_named(parts)} trainable", (script.remove(whole),), "unsafe")
        return
    written = script.statement_at(freeze)
    for place in places(scene, freeze, whole):
        for base in bases(model, place.receiver, frozen):
            names = [spelled_from(place.receiver, base, part.path) for part in parts]
            told = [name for name in names if name is not None]
            if len(told) == len(parts):
                for part in parts:
                    require_one_name(scene, model, part.path, place.script, place.statement)
                    require_not_wrapped(place.script, place.statement, place.receiver, part.path)
                yield from _unfrozen(scene, place, written, told, head, _named(parts))


def _unfrozen(
    scene: Scene, place: Place, written: ast.stmt | None, heads: list[str], head: list[int], name: str
) -> Iterator[Mend]:
    unfreeze = place.script.after(place.statement, _lines(place, written, heads))
    alone = Mend(f"unfreeze {name} right after the freeze", (unfreeze,))
    joining = list(_given(scene, head, heads))
    if joining:
        title = f"unfreeze {name} right after the freeze, and give it to the optimizer"
        yield Mend(title, (unfreeze, *joining))
    yield alone


def _last_freeze(scene: Scene) -> Location:
    """The last of the statements that froze a part of the head."""
    wanted = {scene.finding.location.at(), *(place.location.at() for place in scene.finding.related)}
    head = set(parameters_told(scene))
    last = scene.finding.location
    for event in scene.trace.events_of("frozen"):
        if event.location is not None and event.location.at() in wanted and head & set(event.parameters):
            last = event.location
    return last


def _frozen_there(scene: Scene, freeze: Location) -> set[int]:
    """What the statement froze, wherever it was called from as it was then."""
    events: list[Event] = [
        event
        for event in scene.trace.events_of("frozen")
        if event.location is not None
        and event.location.at() == freeze.at()
        and [each.at() for each in event.location.calls] == [each.at() for each in freeze.calls]
    ]
    return {parameter for event in events for parameter in event.parameters}


def _lines(place: Place, written: ast.stmt | None, heads: list[str]) -> list[str]:
    """The unfreeze, in the way in which the freeze is written."""
    loop = _innermost_loop(place, written)
    if loop is None or written is None or place.called:
        return [f"{head}.requires_grad_(True)" for head in heads]
    parameter = _flagged(written)
    if len(heads) == 1:
        header = f"for {parameter} in {heads[0]}.parameters():"
    else:
        every = ", ".join(f"*{head}.parameters()" for head in heads)
        header = f"for {parameter} in [{every}]:"
    if isinstance(written, ast.Assign):
        body = f"{parameter}.requires_grad = True"
    else:
        body = f"{parameter}.requires_grad_(True)"
    return [f"{header} {body}"] if loop.lineno == written.lineno else [header, f"\t{body}"]


def _innermost_loop(place: Place, written: ast.stmt | None) -> ast.For | None:
    """The loop over parameters that sets one flag after the other."""
    if written is None or place.script.parent(written) is None or not _flagged(written):
        return None
    loop = next((each for each in place.script.parents(written) if isinstance(each, ast.For)), None)
    bound = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)} if loop else set()
    return loop if _flagged(written) in bound else None


def _flagged(statement: ast.stmt) -> str:
    """The variable whose flag a statement sets; empty where it is none."""
    owner: ast.expr | None = None
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Attribute):
        owner = statement.targets[0].value if statement.targets[0].attr == "requires_grad" else None
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        if isinstance(function, ast.Attribute) and function.attr == "requires_grad_":
            owner = function.value
    return owner.id if isinstance(owner, ast.Name) else ""


def _given(scene: Scene, head: list[int], heads: list[str]) -> Iterator[Edit]:
    """The head among what the optimizer is given, where that leaves it out whether it is frozen or not."""
    for optimizer in scene.trace.optimizers:
        event = scene.trace.event(optimizer.built)
        held = {p for group in optimizer.groups for p in group.parameters}
        if event is None or event.location is None or not held or held.intersection(head):
            continue
        models = {scene.trace.parameters[p].model for p in held}
        if scene.trace.parameters[head[0]].model not in models:
            continue
        script = scene.script(event.location.path)
        call = script.node_at(event.location, ast.Call)
        given = parameters_of(call) if call is not None else None
        if given is None or "requires_grad" in script.text(given):
            continue
        yield from _joined(script, given, script.statement_of(given), heads)


def _joined(script: Script, given: ast.expr, statement: ast.stmt, heads: list[str]) -> Iterator[Edit]:
    root = heads[0].partition(".")[0].partition("[")[0]
    if root not in {node.id for node in ast.walk(given) if isinstance(node, ast.Name)}:
        return
    groups = groups_of(script, given, statement)
    parameters = [f"{head}.parameters()" for head in heads]
    if groups is None:
        every = ", ".join(f"*{each}" for each in (script.text(given), *parameters))
        yield script.replace(given, f"[{every}]")
        return
    last = script.location(groups.elts[-1])
    end = last.end_line or last.line, last.end_column or last.column
    key = f"{script.quote}params{script.quote}"
    text = "".join(f", {{{key}: {each}}}" for each in parameters)
    yield Edit(Location(script.path, *end, *end, cell=last.cell), text)


def _named(parts: list[Module]) -> str:
    return " and ".join(f"`{part.path}`" if part.path else "the model" for part in parts)
