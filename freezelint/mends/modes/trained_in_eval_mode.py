"""FRZ105: `train()` is called where each round of the training begins."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from freezelint.evidence import Event, Location
from freezelint.finding import Edit
from freezelint.fixing.modes.calls import bare, is_plain
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import is_in_scope
from freezelint.fixing.script import Definition, NoPlaceError, Script

_Loop = ast.For | ast.AsyncFor | ast.While


@dataclass(frozen=True)
class _Meeting:
    """The function (or file) in which both the `eval()` and the step happen: the statements that do so, or
    that call what does.
    """

    script: Script
    put: ast.stmt
    step: ast.stmt
    put_is_here: bool  # not in a function that is called here


def mends(scene: Scene) -> Iterator[Mend]:
    """At the beginning of the function that trains, of the loop's body, or after the validation."""
    put = _event(scene, "to-eval", scene.finding.location)
    if put is None or put.name:
        yield from _before_training(scene)
        return
    step = _step_after(scene, put)
    before = scene.finding.related[0].location if scene.finding.related else None
    if step is None or step.location is None or put.location is None:
        return
    if put.location.function != step.location.function or put.location.path != step.location.path:
        yield from _where_it_trains(scene, step.location, put.location)
    meeting = _meeting(scene, put.location, step.location)
    if meeting is None:
        raise NoPlaceError("the validation and the training have no loop in common")
    yield from _in_the_loop(scene, meeting, before)


def _event(scene: Scene, kind: str, location: Location) -> Event | None:
    events = (e for e in scene.trace.events if e.kind == kind and e.location is not None)
    return next((e for e in events if e.location and e.location.at() == location.at()), None)


def _step_after(scene: Scene, put: Event) -> Event | None:
    """The first step after it that trains its model."""
    indices = {index for index, _ in put.modules}
    for step in scene.trace.completed:
        event = scene.trace.event(step.event)
        own = {scene.trace.parameters[p].model for p in step.held_by_stepping}
        if event is not None and event.index > put.index and indices & own:
            return event
    return None


# -- in the function that trains ------------------------------------------------------------------------


def _where_it_trains(scene: Scene, step: Location, put: Location) -> Iterator[Mend]:
    """Before the outermost loop around the step, in a function of its own that is handed the model."""
    script = scene.script(step.path)
    statement = script.statement_at(step)
    function = script.function_of(statement) if statement is not None else None
    if statement is None or function is None or not step.calls:
        return
    around = {place.at() for place in put.calls}
    if any(place.at() in around and place.function == step.function for place in (step, *put.calls)):
        return
    if _calls(script, function, put):
        return
    name = _handed(scene, function)
    if name is None:
        return
    first = _outermost(script, statement) or _first(function)
    yield _mend(name, f"in `{function.name}`", (script.before(first, [f"{name}.train()"]),))


def _calls(script: Script, function: Definition, put: Location) -> bool:
    """Whether the `eval()` happens inside of this function, however deep."""
    last = function.end_lineno or function.lineno
    return any(
        place.path == script.path and place.cell is None and function.lineno <= place.line <= last
        for place in (put, *put.calls)
    )


def _handed(scene: Scene, function: Definition) -> str | None:
    """What the function calls the model that it is handed: by its name, or as what is called there."""
    names = [each.arg for each in function.args.args]
    model = _model_name(scene)
    if model in names:
        return model
    called = {
        node.func.id
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    }
    wanted = [name for name in names if name in called and name in ("net", "network", "model", "classifier")]
    return wanted[0] if len(wanted) == 1 else None


# -- in the loop ----------------------------------------------------------------------------------------


def _in_the_loop(scene: Scene, meeting: _Meeting, before: Location | None) -> Iterator[Mend]:
    script = meeting.script
    name = _called(scene, meeting, before)
    loop = _loop_around(script, meeting.put, meeting.step)
    if loop is None:
        first = _outermost(script, meeting.step) or meeting.step
        yield _mend(name, "before the training", (script.before(first, [f"{name}.train()"]),))
        return
    put, step = _child(script, loop, meeting.put), _child(script, loop, meeting.step)
    if isinstance(put, ast.If) and put is not step and put is not meeting.put:
        yield _mend(name, "after the validation", (_after_validation(script, meeting, name),))
    edits = [_in_its_body(meeting, loop, name, put, step), *_moved(script, loop, before, name)]
    yield _mend(name, "where each round of the loop begins", tuple(edits))


def _in_its_body(meeting: _Meeting, loop: _Loop, name: str, put: ast.stmt, step: ast.stmt) -> Edit:
    """At its beginning; where the validation comes first, behind it."""
    script = meeting.script
    if put is step or put.lineno > step.lineno:
        return script.before(loop.body[0], [f"{name}.train()"])
    if not meeting.put_is_here:
        return script.after(put, [f"{name}.train()"])
    behind = loop.body[loop.body.index(put) + 1 :]
    first = next((each for each in behind if "zero_grad" in script.text(each)), step)
    return script.before(first, [f"{name}.train()"])


def _after_validation(script: Script, meeting: _Meeting, name: str) -> Edit:
    """Behind the call that validates, or behind the whole block where it is written out."""
    last = script.body_of(meeting.put)[-1] if meeting.put_is_here else meeting.put
    return script.after(last, [f"{name}.train()"])


def _moved(script: Script, loop: ast.stmt, before: Location | None, name: str) -> Iterator[Edit]:
    """The `train()` right before the loop is in the loop now."""
    suite = script.body_of(loop)
    position = suite.index(loop)
    previous = suite[position - 1] if position else None
    if (
        previous is None
        or before is None
        or script.text(previous) not in (f"{name}.train()", f"{name}.train(True)")
    ):
        return
    if script.location(previous).at() == before.at():
        yield script.remove(previous)


def _called(scene: Scene, meeting: _Meeting, before: Location | None) -> str:
    """What the model is called where both meet."""
    script = meeting.script
    scope = script.function_of(meeting.put) or script.tree
    for location in (before, scene.finding.location):
        if location is None or location.path != script.path:
            continue
        statement = script.statement_at(location)
        if statement is None:
            continue
        here = (script.function_of(statement) or script.tree) is scope
        beside = script.class_of(statement) is not None and script.class_of(statement) is script.class_of(
            meeting.put
        )
        for node in ast.walk(statement):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("train", "eval")
            ):
                value = bare(node.func.value)
                if is_plain(value) and (here or (beside and script.text(value).startswith("self."))):
                    return script.text(value)
    return _name_at(scene, script, meeting.put)


def _name_at(scene: Scene, script: Script, statement: ast.stmt) -> str:
    model = _model_name(scene)
    for name in (f"self.{model}", model):
        if is_in_scope(script, name, statement):
            return name
    raise NoPlaceError("the model has no name where it is trained")


def _model_name(scene: Scene) -> str:
    first = scene.finding.subjects[0] if scene.finding.subjects else ""
    models = sorted((model.name for model in scene.trace.models), key=len, reverse=True)
    return next((name for name in models if first.startswith(f"{name}.")), "model")


def _meeting(scene: Scene, put: Location, step: Location) -> _Meeting | None:
    """The innermost function that both chains of calls go through."""
    one, other = [*reversed(put.calls), put], [*reversed(step.calls), step]
    for position, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if (mine.at(), mine.column) != (theirs.at(), theirs.column):
            if mine.path != theirs.path:
                return None
            script = scene.script(mine.path)
            first, second = script.statement_at(mine), script.statement_at(theirs)
            if first is None or second is None or script.function_of(first) is not script.function_of(second):
                return None
            return _Meeting(script, first, second, position == len(one) - 1)
    return None


# -- where nobody calls train() -------------------------------------------------------------------------


def _before_training(scene: Scene) -> Iterator[Mend]:
    """The model came in eval mode: before the loop, or first in it where it is one of epochs."""
    model = next((m for m in scene.trace.models if m.name == _model_name(scene)), None)
    step = next((scene.trace.event(s.event) for s in scene.trace.completed if s.event is not None), None)
    if model is None or step is None or step.location is None or step.name:
        raise NoPlaceError("it is not known where it is trained")
    places = [*reversed(step.location.calls), step.location]
    for place in places:
        try:
            script = scene.script(place.path)
        except NoPlaceError:
            continue
        statement = script.statement_at(place)
        if statement is None:
            continue
        try:
            name = _name_at(scene, script, statement)
        except NoPlaceError:
            continue
        loop = _outermost(script, statement)
        inner = loop is not None and _loop_around(script, statement, statement) is not loop
        first = (
            loop.body[0] if loop is not None and (inner or place is not step.location) else loop or statement
        )
        yield _mend(name, "before the training", (script.before(first, [f"{name}.train()"]),))
        return
    raise NoPlaceError("the model has no name where it is trained")


def _outermost(script: Script, statement: ast.stmt) -> _Loop | None:
    """The outermost loop around a statement, in its function."""
    found = None
    for outer in script.parents(statement):
        if isinstance(outer, Definition):
            break
        if isinstance(outer, _Loop):
            found = outer
    return found


def _loop_around(script: Script, one: ast.stmt, other: ast.stmt) -> _Loop | None:
    """The innermost loop around both."""
    around = [each for each in script.parents(other) if isinstance(each, _Loop)]
    inner = script.function_of(one)
    for each in script.parents(one):
        if each is inner:
            return None
        if isinstance(each, _Loop) and each in around:
            return each
    return None


def _child(script: Script, loop: ast.stmt, statement: ast.stmt) -> ast.stmt:
    """The statement of the loop's body that holds this one."""
    inner: ast.AST = statement
    for outer in script.parents(statement):
        if outer is loop and isinstance(inner, ast.stmt):
            return inner
        inner = outer
    return statement


def _first(function: Definition) -> ast.stmt:
    told = ast.get_docstring(function) is not None and len(function.body) > 1
    return function.body[1] if told else function.body[0]


def _mend(name: str, where: str, edits: tuple[Edit, ...]) -> Mend:
    return Mend(f"call `{name}.train()` {where}", edits)
