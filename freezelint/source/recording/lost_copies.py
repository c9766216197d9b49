"""Flags that were set on a copy which is lost: of a tensor, or of a whole module."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from freezelint.source.interpreter import resolved
from freezelint.source.interpreter.values import Instance, Module, Parameter, Tensor, Unknown, Value
from freezelint.source.recording import misses
from freezelint.source.recording.freeze_plans import writes_false

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# How a copied parameter remembers its original, among its attributes.
ORIGINAL = "copy of"
_MOST_VALUES = 5000


def remember(copied: Parameter, original: Parameter, ticks: int) -> None:
    """A parameter is the copy of another one, made now."""
    copied.attributes[ORIGINAL] = (original, ticks)


def lost(
    machine: Machine, node: ast.Expr, call: ast.Call, value: Value, frozen: list[Parameter], ticks: int
) -> None:
    """A call froze these parameters; where they are copies made by it and returned, and nothing holds
    them now, it froze nothing. Copies that it does not return it had a use for itself. `ticks` is when
    it began.
    """
    originals: dict[int, Parameter] = {}
    for parameter in frozen:
        original, made = parameter.attributes.get(ORIGINAL, (None, -1))
        if not isinstance(original, Parameter) or made < ticks:
            return
        originals[id(original)] = original
    called = resolved.value(machine, call.func)
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    copies = {id(one) for one in frozen}
    if not originals or isinstance(called, Unknown) or not _leads_to([value], copies):
        return
    if _is_held(machine, copies):
        return
    misses.record(machine, "object-copy", node, parameters=list(originals.values()), certain=True, name=name)


def _is_held(machine: Machine, wanted: set[int]) -> bool:
    """Whether a variable of the script still leads to one of these parameters; True where nobody knows."""
    pending: list[Value] = []
    for frame in machine.frames:
        for scope in (frame.scope, frame.globals, *frame.closure):
            pending.extend(scope.values())
    for namespace in machine.modules.values():
        pending.extend(namespace.scope.values())
    for optimizer in machine.recorder.optimizers:
        pending.extend(optimizer.groups)
    return _leads_to(pending, wanted)


def _leads_to(values: list[Value], wanted: set[int]) -> bool:
    """Whether one of these values holds one of these parameters; True where there is too much to look
    through.
    """
    pending = list(values)
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if id(value) in wanted:
            return True
        if id(value) in seen:
            continue
        seen.add(id(value))
        if len(seen) > _MOST_VALUES:
            return True
        pending.extend(_inside(value))
    return False


def _inside(value: Value) -> list[Value]:
    if isinstance(value, Module):
        return [*value.parameters.values(), *value.children.values(), *value.attributes.values()]
    if isinstance(value, (list, tuple, set)):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    return list(value.attributes.values()) if isinstance(value, (Instance, Unknown)) else []


# --- tensors ---


def tensor_written(machine: Machine, tensor: Tensor) -> None:
    """False was written to the flag of a tensor that is no parameter."""
    statement = machine.frame.statement
    behind = tensor.behind
    if tensor.cut not in ("data", "detach", "state_dict") or not isinstance(behind, Parameter):
        return
    if statement is None or not _is_lost(machine, statement):
        return
    records = machine.recorder.records
    if (
        records
        and records[-1].kind == "froze-nothing"
        and records[-1].location == machine.location(statement)
    ):
        records[-1].parameters[id(behind)] = behind  # the same statement, in a loop
        return
    misses.record(machine, "tensor-copy", statement, parameters=[behind], certain=True, name=tensor.cut)


def _is_lost(machine: Machine, statement: ast.stmt) -> bool:
    """Whether nothing but a loop variable keeps the tensor whose flag the statement writes."""
    owner = _owner(statement)
    if owner is None or not writes_false(statement):
        return False
    if isinstance(owner, ast.Name):
        function = machine.frame.function
        around = function.node if function is not None else machine.project.tree(machine.frame.file)
        loops = [part for part in ast.walk(around or statement) if isinstance(part, (ast.For, ast.AsyncFor))]
        around_it = [loop for loop in loops if any(inner is statement for inner in ast.walk(loop))]
        binding = [loop for loop in around_it if _binds(loop.target, owner.id)]
        return bool(binding) and _makes_copies(binding[-1].iter)
    return _makes_copies(owner)


def _owner(statement: ast.stmt) -> ast.expr | None:
    """The expression whose flag a statement writes."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        return target.value if isinstance(target, ast.Attribute) else None
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Attribute):
            return call.func.value
        return call.args[0] if call.args else None
    return None


def _binds(target: ast.expr, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(target))


def _makes_copies(node: ast.expr) -> bool:
    """Whether the expression makes the tensors itself, so that no variable holds them."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr == "data":
            return True
        called = part.func if isinstance(part, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in ("detach", "state_dict"):
            return True
    return False
