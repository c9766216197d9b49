"""Attributes and keywords that look like `requires_grad` and that nothing reads, on what is not known."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from freezelint.checks.freezes.misspelt_requires_grad import is_misspelling
from freezelint.source.interpreter.values import Call, Parameter, Tensor, Unknown, Value
from freezelint.source.recording.freeze_plans import is_flag

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# How an unknown value remembers that it can only be a parameter or a module, among its attributes.
KIND = ("kind",)


def mark(value: Unknown, kind: str) -> Unknown:
    """An unknown value of which it is known that it is a "parameter" or a "module"."""
    value.attributes[KIND] = kind
    return value


def attribute_written(machine: Machine, owner: Value, name: str, value: Value) -> None:
    """An attribute was written on something that is no known module."""
    if name[:2] not in ("re", "Re"):
        return
    if is_misspelling(name):
        if isinstance(owner, Tensor) or (isinstance(owner, Unknown) and _kind(machine, owner)):
            _record(machine, owner, name, value)
    elif name in ("requires_grad", "requires_grad_") and isinstance(owner, Unknown):
        if name == "requires_grad":
            machine.recorder.misses.unclear += 1
            if machine.truth(value) is not False:
                machine.recorder.inputs_require_grad = True
        if _kind(machine, owner) == "module" and not _writes_flags_too(machine):
            _record(machine, owner, name, value)


def keywords_given(machine: Machine, call: Call) -> None:
    """A function of torch was called with keywords of which it may know none. What torch keeps to
    itself has names of its own: `_make_subclass` does take `require_grad`.
    """
    if call.name.rpartition(".")[2].startswith("_"):
        return
    for name, value in call.kwargs.items():
        if is_misspelling(name):
            machine.recorder.event("no-effect", key=name, name=name, value=_shown(value), certain=True)


def _record(machine: Machine, owner: Value, name: str, value: Value) -> None:
    parameters = [owner] if isinstance(owner, Parameter) else []
    machine.recorder.event(
        "no-effect", parameters=parameters, key=name, name=name, value=_shown(value), certain=True
    )


def _shown(value: Value) -> str:
    return str(value) if isinstance(value, bool) else ""


def _kind(machine: Machine, owner: Unknown) -> str:
    """What an unknown value must be: by where it comes from, or by the annotation of an argument."""
    known = owner.attributes.get(KIND)
    if isinstance(known, str):
        return known
    function = machine.frame.function
    if function is None:
        return ""
    for argument in (
        *function.node.args.posonlyargs,
        *function.node.args.args,
        *function.node.args.kwonlyargs,
    ):
        if argument.arg == owner.text and machine.frame.scope.get(argument.arg) is owner:
            return _annotated(argument.annotation)
    return ""


def _annotated(annotation: ast.expr | None) -> str:
    """`nn.Module`, `torch.nn.Parameter`; nothing for anything wider."""
    name = annotation.attr if isinstance(annotation, ast.Attribute) else getattr(annotation, "id", "")
    return {"Module": "module", "Parameter": "parameter"}.get(name, "")


def _writes_flags_too(machine: Machine) -> bool:
    """Whether the function also sets flags in another way: then the attribute may be its own."""
    function = machine.frame.function
    statement = machine.frame.statement
    around = function.node if function is not None else machine.project.tree(machine.frame.file)
    if around is None:
        return True
    for part in ast.walk(around):
        if (
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Attribute)
            and part.func.attr == "requires_grad_"
        ):
            return True
        if isinstance(part, (ast.Assign, ast.AugAssign, ast.AnnAssign)) and part is not statement:
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            if any(is_flag(target) for target in targets):
                return True
    return False
