"""FRZ107: what only gives targets is put in eval mode where it is built, or wherever `train()` reaches it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.checks.modes.teacher_in_train_mode import bystanders
from freezelint.evidence import Event, Model
from freezelint.fixing.modes.calls import ModeCall, bare, is_plain, mode_call
from freezelint.fixing.modes.expressions import expression, inside
from freezelint.fixing.modes.freezes import frames, frozen_expressions
from freezelint.fixing.modes.kept import receiver_of, receivers
from freezelint.fixing.modes.overriding import Owner, class_in, override, self_name
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import loaded
from freezelint.fixing.script import NoPlaceError, Script
from freezelint.wording import listing, shown

# What is done to a network before it is used, and does not use it.
_SETS_UP = frozenset({"load_state_dict", "to", "cuda", "cpu", "half", "float", "requires_grad_"})


def mends(scene: Scene) -> Iterator[Mend]:
    """`eval()` in the place of `train()`, in the class that holds the teacher, after the `train()`, or after
    the teacher is built and loaded.
    """
    for model in scene.trace.models:
        paths = _paths(scene, model)
        if not paths:
            continue
        cause = _cause(scene, model, paths)
        if cause is None:
            yield from _after_it_is_built(scene, model, paths)
        else:
            yield from _in_its_owner(scene, model, cause, paths)
            yield from _after_train(scene, model, cause, paths)
        return


def _paths(scene: Scene, model: Model) -> list[str]:
    subjects = scene.finding.subjects
    layers = [module.path for module in model.modules if f"{model.name}.{module.path}" in subjects]
    return [path for path in bystanders(scene.trace, model) if any(inside(layer, path) for layer in layers)]


def _cause(scene: Scene, model: Model, paths: list[str]) -> Event | None:
    """The `train()` that the finding points to."""
    for event in scene.trace.events_of("to-train"):
        if event.location is not None and event.location.at() == scene.finding.location.at():
            own = [path for index, path in event.modules if index == model.index]
            if any(inside(path, outer) or inside(outer, path) for path in own for outer in paths):
                return event
    return None


def _in_its_owner(scene: Scene, model: Model, cause: Event, paths: list[str]) -> Iterator[Mend]:
    """`train()` of the class that keeps the teacher as an attribute."""
    outer = receiver_of(model, cause, paths)
    holders = {path.rpartition(".")[0] for path in paths}
    if outer is None or outer in paths or len(holders) != 1:
        return
    holder = model.by_path[holders.pop()]
    found = class_in(scene, model, cause, holder.class_name)
    if found is None:
        return
    script, cls, method = found
    owner = Owner(script, cls, method, holder.path)
    names = [expression(script, model, self_name(owner), holder.path, path) for path in paths]
    kept = [name for name in names if name is not None and name in ast.unparse(cls)]
    if len(kept) == len(paths):
        edits = override(owner, [f"{name}.eval()" for name in kept])
        yield Mend(
            f"override `train()` in `{cls.name}`, which keeps {_told(model, paths)} in eval", tuple(edits)
        )


def _after_train(scene: Scene, model: Model, cause: Event, paths: list[str]) -> Iterator[Mend]:
    call = mode_call(scene, cause)
    outer = receiver_of(model, cause, paths)
    if outer is None or outer in paths:
        yield from _instead(scene, model, call, paths)
        return
    names = [expression(call.script, model, call.receiver, outer, path) for path in paths]
    if all(names):
        edit = call.script.after(call.statement, [f"{name}.eval()" for name in names])
        yield Mend(f"put {_told(model, paths)} in eval after `{call.script.text(call.call)}`", (edit,))


def _instead(scene: Scene, model: Model, call: ModeCall, paths: list[str]) -> Iterator[Mend]:
    """`teacher.train()` becomes `teacher.eval()` where it is called on nothing else."""
    if len(receivers(scene.trace, call.event)) == 1 and call.is_alone:
        assert isinstance(call.call.func, ast.Attribute)
        text = f"{call.script.text(call.call.func.value)}.eval()"
        yield Mend(f"put {_told(model, paths)} in eval", (call.script.replace(call.call, text),))
        return
    raise NoPlaceError(f"line {call.call.lineno} sets the mode of other models, too")


def _after_it_is_built(scene: Scene, model: Model, paths: list[str]) -> Iterator[Mend]:
    if model.built is None:
        raise NoPlaceError("it is not known where it is built")
    for script, statement in frames(scene, model.built):
        text = _target(script, statement, model.name)
        if text is None:
            continue
        names = [expression(script, model, text, "", path) for path in paths]
        if all(names):
            place = _set_up(script, statement, text)
            edit = script.after(place, [f"{name}.eval()" for name in names])
            yield Mend(f"put {_told(model, paths)} in eval", (edit,))
            return
    raise NoPlaceError("it is not known what it is called where it is built")


def _target(script: Script, statement: ast.stmt, name: str) -> str | None:
    """The variable of this name, or the attribute, that the statement assigns."""
    if not isinstance(statement, ast.Assign):
        return None
    targets = [
        each
        for target in statement.targets
        for each in (target.elts if isinstance(target, ast.Tuple) else [target])
    ]
    plain = [script.text(each) for each in targets if is_plain(each)]
    return next((text for text in plain if text.rpartition(".")[2] == name), None)


def _set_up(script: Script, built: ast.stmt, text: str) -> ast.stmt:
    """The last statement that prepares it, of those that follow before it is used."""
    suite = script.body_of(built)
    last = built
    for statement in suite[suite.index(built) + 1 :]:
        if _sets_up(script, statement, text):
            last = statement
        elif text in loaded(statement) or isinstance(
            statement, ast.For | ast.While | ast.FunctionDef | ast.ClassDef
        ):
            break
    return last


def _sets_up(script: Script, statement: ast.stmt, text: str) -> bool:
    if isinstance(statement, ast.For):
        return text in [script.text(each) for each in frozen_expressions(statement)]
    value = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    return value.func.attr in _SETS_UP and script.text(bare(value.func.value)) == text


def _told(model: Model, paths: list[str]) -> str:
    return listing([shown(model, path) for path in paths])
