"""A function of the user's that put layers in eval, called again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from freezelint.evidence import Event
from freezelint.facts.norms import drifts
from freezelint.fixing.modes.calls import ModeCall, is_plain, mode_call
from freezelint.fixing.modes.freezes import frames
from freezelint.fixing.modes.kept import Kept, once
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import Definition, NoPlaceError, Script

# All that a function may call to be called again and again without another effect than modes and flags.
_HARMLESS = frozenset(
    {
        "modules",
        "named_modules",
        "children",
        "named_children",
        "parameters",
        "named_parameters",
        "eval",
        "train",
        "requires_grad_",
        "apply",
        "isinstance",
        "hasattr",
        "getattr",
        "type",
        "any",
        "all",
        "startswith",
        "endswith",
        "find",
        "list",
    }
)


def done_again(scene: Scene, kept: Kept) -> Iterator[Mend]:
    """`freeze_norms(model)`, `model.apply(set_eval)` or `model.freeze_norms()` after every `train()`."""
    undone = once(d.undone for d in drifts(scene.trace) if d.model is kept.model and d.undone is not None)
    if len(undone) != 1 or any(cause is None or cause.name for cause in kept.causes):
        return
    try:
        calls = [mode_call(scene, cause) for cause in kept.causes if cause is not None]
        for tail in (False, True):
            texts = [_again(scene, undone[0], call, tail=tail) for call in calls]
            if all(texts) and texts:
                title = f"call `{texts[0]}` again after every `train()`"
                edits = [
                    call.script.after(call.statement, [text])
                    for call, text in zip(calls, texts, strict=True)
                    if text
                ]
                yield Mend(title, tuple(edits))
    except NoPlaceError:
        return


def _again(scene: Scene, undone: Event, call: ModeCall, *, tail: bool) -> str | None:
    """The call of the user's function, on the module that `call` is about; `tail`: on the same part of it."""
    if undone.location is None:
        return None
    read = list(frames(scene, undone.location))
    for (script, inner), (outer_script, outer) in pairwise(read):
        function = script.function_of(inner)
        if function is None or not _is_harmless(function) or not isinstance(outer, ast.Expr):
            continue
        made = outer.value
        if not isinstance(made, ast.Call) or made.keywords or call.script.path != outer_script.path:
            continue
        return _worded(outer_script, made, function, call, tail=tail)
    return None


def _worded(
    script: Script, made: ast.Call, function: Definition, call: ModeCall, *, tail: bool
) -> str | None:
    func = made.func
    if isinstance(func, ast.Name) and func.id == function.name and len(made.args) == 1:
        if not _is_top(script, func.id):
            return None
        on = _on(script, made.args[0], call, tail=tail)
        return f"{func.id}({on})" if on else None
    if isinstance(func, ast.Attribute) and func.attr == "apply" and len(made.args) == 1:
        on = _on(script, func.value, call, tail=tail)
        same = isinstance(made.args[0], ast.Name) and _is_top(script, made.args[0].id)
        return f"{on}.apply({script.text(made.args[0])})" if on and same else None
    if isinstance(func, ast.Attribute) and func.attr == function.name and not made.args:
        on = _on(script, func.value, call, tail=tail)
        return f"{on}.{func.attr}()" if on else None
    return None


def _on(script: Script, said: ast.expr, call: ModeCall, *, tail: bool) -> str | None:
    """The words for the module: as they stand in the same function, else by what the mode is set of."""
    if not is_plain(said):
        return None
    if (script.function_of(said) or script.tree) is call.scope:
        return None if tail else script.text(said)
    _, dot, rest = script.text(said).partition(".")
    return f"{call.receiver}{dot}{rest}" if tail else call.receiver


def _is_top(script: Script, name: str) -> bool:
    """Whether the whole file can call it by this name."""
    for node in script.tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.ImportFrom) and any((a.asname or a.name) == name for a in node.names):
            return True
    return False


def _is_harmless(function: Definition) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name not in _HARMLESS:
                return False
        elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Name):
            return False
    return True
