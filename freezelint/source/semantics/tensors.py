"""Tensors as far as gradients are concerned: what they were computed from, where the graph is cut,
backward.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from freezelint.source.interpreter.signals import RaisedSignal
from freezelint.source.interpreter.values import Call, Instance, Module, Parameter, Tensor, Unknown, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def derived(machine: Machine, *values: Value, text: str = "") -> Tensor:
    """The tensor computed from these values, as grad mode has it."""
    parents = tuple(dict.fromkeys(tensors_in(values)))
    flags = [parent.requires_grad for parent in parents]
    requires = any_of([*flags, None] if may_have_graph(values) else flags)
    if machine.grad_enabled is False:
        cut = "no_grad" if requires is not False else ""
        behind = next((p for p in parents if p.requires_grad is not False or p.behind is not None), None)
        return Tensor(requires_grad=False, cut=cut, behind=behind, text=text)
    if machine.grad_enabled is None and requires is True:
        requires = None
    behind = None
    if requires is False:
        behind = next((parent.behind for parent in parents if parent.behind is not None), None)
    return Tensor(parents if requires is not False else (), requires, text=text, behind=behind)


def may_have_graph(values: Iterable[Value], depth: int = 3) -> bool:
    """Whether one of these unknown values, or one inside plain containers, may be the output of a network."""
    for value in values:
        if isinstance(value, Unknown):
            if value.returned:
                return True
        elif depth and isinstance(value, (list, tuple, set, dict)):
            inner = list(value.values() if isinstance(value, dict) else value)[:200]
            if may_have_graph(inner, depth - 1):
                return True
    return False


def unseen(text: str, *sources: Value, late: bool = False) -> Unknown:
    """What is computed from these values, of which nobody knows one."""
    value = Unknown(text, late=late)
    value.returned = may_have_graph(sources)
    return value


def any_of(flags: Iterable[bool | None]) -> bool | None:
    """Whether one of them is True; None where that hangs on an unknown one."""
    found: bool | None = False
    for flag in flags:
        if flag is True:
            return True
        if flag is None:
            found = None
    return found


def tensors_in(values: Iterable[Value], depth: int = 3) -> Iterable[Tensor]:
    """The tensors among the values and inside plain containers."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif depth and isinstance(value, (list, tuple, set)):
            yield from tensors_in(list(value)[:200], depth - 1)
        elif depth and isinstance(value, dict):
            yield from tensors_in(list(value.values())[:200], depth - 1)
        elif depth and isinstance(value, Instance) and len(value.attributes) < 50:
            yield from tensors_in(list(value.attributes.values()), 1 if depth > 1 else 0)


def written(machine: Machine, tensor: Tensor, value: Value) -> None:
    """`tensor[…] = value`: in place."""
    if isinstance(tensor, Parameter):
        tensor.moved_by_hand = True
        return
    added = [one for one in tensors_in([value]) if one is not tensor]
    if added and machine.grad_enabled is not False:
        tensor.parents = (*tensor.parents, *added)
        tensor.requires_grad = any_of([tensor.requires_grad, *(one.requires_grad for one in added)])


def detached(machine: Machine, tensor: Tensor, how: str) -> Tensor:
    """A copy of the tensor outside the graph; an event, where there was a graph to be cut from."""
    if (
        tensor.requires_grad is True
        and not isinstance(tensor, Parameter)
        and machine.grad_enabled is not False
    ):
        behind = [parameter for parameter in leaves(tensor) if isinstance(parameter, Parameter)]
        machine.recorder.event("detached", parameters=behind, name=how, conditional=machine.varying)
    return Tensor(
        requires_grad=False, cut=how, behind=tensor if tensor.requires_grad is not False else tensor.behind
    )


def leaves(tensor: Tensor) -> list[Tensor]:
    """The tensors at the ends of the graph behind this one: parameters and inputs that require grad."""
    ends = (one for one in graph(tensor) if isinstance(one, Parameter) or one.leaf)
    return [one for one in ends if isinstance(one, Parameter) or one.requires_grad is not False]


def graph(tensor: Tensor) -> list[Tensor]:
    """The tensor and all that are behind it in the graph, each once."""
    seen: set[int] = set()
    found: list[Tensor] = []
    pending = [tensor]
    while pending:
        current = pending.pop()
        identity = id(current)
        if identity not in seen:
            seen.add(identity)
            found.append(current)
            pending += current.parents
    return found


def backward(machine: Machine, loss: Value) -> None:
    """`loss.backward()`: gradients arrive at the leaves of the graph that require them."""
    if isinstance(loss, Tensor):
        reached = leaves(loss)
        certain = loss.requires_grad is True
    else:
        reached, certain = [], False
    for leaf in reached:
        if leaf.requires_grad is not False:
            leaf.gradient = "nonzero" if certain and leaf.requires_grad is True else "unknown"
    if not certain:
        _unknown_gradients(machine, reached)
    parameters = [leaf for leaf in reached if isinstance(leaf, Parameter)]
    machine.recorder.stock.backward(loss)
    graphless = isinstance(loss, Tensor) and loss.requires_grad is False and not loss.leaf
    if graphless and not machine.recorder.inputs_require_grad:
        machine.recorder.stopped("backward")
        raise RaisedSignal("RuntimeError")
    machine.recorder.event("backward", parameters=parameters)


def _unknown_gradients(machine: Machine, reached: list[Tensor]) -> None:
    """Of a loss that nobody knows, nobody knows what it reaches."""
    known = {id(leaf) for leaf in reached}
    for root in machine.recorder.stock.roots():
        for _, parameter in root.own_and_below():
            if id(parameter) not in known and parameter.requires_grad is not False:
                parameter.gradient = "unknown"


def losses_in(value: Value) -> Value:
    """What `backward` is called on, where a call gives it as an argument."""
    return value if isinstance(value, (Tensor, Unknown)) else None


def new(machine: Machine, call: Call, text: str = "") -> Tensor:
    """A tensor that the script makes itself (`torch.zeros(…)`), with its `requires_grad` argument."""
    wants = call.kwargs.get("requires_grad", False)
    flag = wants if isinstance(wants, bool) else None
    return Tensor(requires_grad=flag, leaf=True, text=text or call.name, made=machine.location())


def parameters_of(value: Value) -> list[Parameter]:
    """All parameters of a module, or the parameter itself."""
    if isinstance(value, Module):
        return [parameter for _, parameter in value.own_and_below()]
    return [value] if isinstance(value, Parameter) else []
