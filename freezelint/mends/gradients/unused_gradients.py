"""FRZ301: what no optimizer holds is frozen."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.checks.gradients.unused_gradients import unused_parameters
from freezelint.evidence import Location, Model, Step, Trace
from freezelint.facts import subjects, trains, whole_modules
from freezelint.facts.unheld import explicitly_set, holders_of, placements
from freezelint.fixing.flagging import flag_lines
from freezelint.fixing.holding import Built, assigned_part, built_in, constructor_of, names_of
from freezelint.fixing.modes.expressions import expressions
from freezelint.fixing.optimizers import parameters_of
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script
from freezelint.wording import listing

_FEW = 2  # blocks that are frozen line by line rather than all but the rest
_MOST = 6
_PREPARES = ("load_state_dict", "to", "cuda", "float", "half", "eval")


def mends(scene: Scene) -> Iterator[Mend]:
    """A model that only measures is frozen where it is built. Of one that is trained in part the rest is
    frozen: before its new head is put in, or block by block, or as all but what the optimizer is given.
    """
    unheld = _unheld(scene)
    if unheld is None:
        return
    step, model, unused = unheld
    if not trains(model, step):
        yield from _whole(scene, model)
        return
    if _is_completed_later(scene.trace, model, unused):
        yield from _whole(scene, model)
    found, reason = False, NoPlaceError("no variable holds the model where its optimizer is built")
    for place in _built_optimizers(scene, step, model):
        paths = [module.path for module in whole_modules(model, unused)]
        for way in (_in_constructor, _few_blocks, _all_but, _blocks):
            try:
                for mend in way(scene, model, paths, place):
                    found = True
                    yield mend
            except NoPlaceError as error:
                reason = error
    if not found:
        raise reason


def _unheld(scene: Scene) -> tuple[Step, Model, list[int]] | None:
    for step, model, unused in unused_parameters(scene.trace):
        if subjects(scene.trace, unused) == scene.finding.subjects:
            return step, model, unused
    return None


def _whole(scene: Scene, model: Model) -> Iterator[Mend]:
    for built in built_in(scene, model):
        lines = [f"{built.name}.requires_grad_(False)"]
        title = f"freeze `{built.name}` where it is built"
        try:
            yield Mend(title, (built.script.after(_when_loaded(built), lines),))
        except NoPlaceError:
            continue


def _when_loaded(built: Built) -> ast.stmt:
    """The construction, or the last of the statements behind it that load weights or move the model."""
    suite = built.script.body_of(built.statement)
    last: ast.stmt = built.statement
    for statement in suite[suite.index(last) + 1 :]:
        call = statement.value if isinstance(statement, ast.Expr) else None
        called = call.func if isinstance(call, ast.Call) else None
        if not isinstance(called, ast.Attribute) or called.attr not in _PREPARES:
            break
        if built.script.text(called.value) != built.name:
            break
        last = statement
    return last


def _is_completed_later(trace: Trace, model: Model, unused: list[int]) -> bool:
    """Whether everything else of the model was put in after it was built, as a new head is."""
    rest = set(model.parameters) - set(unused)
    return bool(rest) and all(placements(trace, parameter) for parameter in rest)


def _built_optimizers(scene: Scene, step: Step, model: Model) -> list[Location]:
    trace = scene.trace
    holders = holders_of(trace, step, model)
    return scene.places([trace.location(optimizer.built) for optimizer in reversed(holders)])


def _statement(scene: Scene, place: Location) -> tuple[Script, ast.stmt]:
    script = scene.script(place.path)
    statement = script.statement_at(place)
    if statement is None:
        raise NoPlaceError("where the optimizer is built is not known")
    return script, statement


def _in_constructor(scene: Scene, model: Model, paths: list[str], place: Location) -> Iterator[Mend]:
    """Where the model builds its own optimizer, its parts are frozen where they are put in."""
    script, statement = _statement(scene, place)
    owner = script.class_of(statement)
    constructor = constructor_of(script, model)
    if constructor is None or owner is None or owner.name != model.class_name:
        return
    parts = [(path, assigned_part(constructor, path)) for path in paths]
    edits = [
        script.after(assigned, [f"{script.text(assigned.targets[0])}.requires_grad_(False)"])
        for _, assigned in parts
        if assigned is not None
    ]
    if len(edits) == len(parts) <= _MOST:
        yield Mend(f"freeze {listing([path for path, _ in parts])}", tuple(edits))


def _few_blocks(scene: Scene, model: Model, paths: list[str], place: Location) -> Iterator[Mend]:
    yield from _by_block(scene, model, paths, place, _FEW)


def _blocks(scene: Scene, model: Model, paths: list[str], place: Location) -> Iterator[Mend]:
    yield from _by_block(scene, model, paths, place, _MOST)


def _by_block(scene: Scene, model: Model, paths: list[str], place: Location, most: int) -> Iterator[Mend]:
    script, statement = _statement(scene, place)
    for name in names_of(scene, model, script, statement):
        told = expressions(script, model, name, "", paths)
        if told and len(told) <= most:
            lines = [f"{each}.requires_grad_(False)" for each in told]
            yield Mend(f"freeze {listing(told)}", (script.before(statement, lines),))


def _all_but(scene: Scene, model: Model, paths: list[str], place: Location) -> Iterator[Mend]:
    """The whole model is frozen, and what the optimizer is given unfrozen again."""
    script, statement = _statement(scene, place)
    call = script.node_at(place, ast.Call)
    given = parameters_of(call) if call is not None else None
    if given is None:
        raise NoPlaceError("which parameters the optimizer holds cannot be told from its construction")
    if not paths or explicitly_set(scene.trace).intersection(model.parameters):
        return  # what is frozen in the rest stays so
    opened = flag_lines(script, given, statement, "True")
    for name in names_of(scene, model, script, statement):
        lines = [f"{name}.requires_grad_(False)", *opened]
        title = f"freeze all of `{name}` but what the optimizer holds"
        yield Mend(title, (script.before(statement, lines),))
