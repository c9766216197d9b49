"""Optimizer steps: which parameters they move, by the rules of stock optimizers, and steps inside steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Call, Method, Optimizer, Tensor, Unknown, Value
from freezelint.source.semantics import groups
from freezelint.source.semantics.optimizer_classes import TORCH, inertia_of
from freezelint.source.semantics.rates import number

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def taken(machine: Machine, optimizer: Optimizer) -> None:
    """`optimizer.step()` of a stock optimizer. Inside another's step, or over another's groups, it is a part
    of that one's.
    """
    recorder = machine.recorder
    owner = recorder.stepping[0] if recorder.stepping else groups.sharing(machine, optimizer)
    if recorder.stepping or owner is not optimizer:
        owner.moves.update(_movements(optimizer))
        _kept(optimizer)
    if not recorder.stepping:
        recorder.step(owner)


def own_step(optimizer: Optimizer, method: Method) -> Callable[[Machine, Call], Value]:
    """The `step` of an optimizer class of the script: it runs as written, and is one step."""

    def run(machine: Machine, call: Call) -> Value:
        stepping = machine.recorder.stepping
        if stepping:
            return machine.call_with(method, call)
        before = {id(p): p.moved_by_hand for p in groups.parameters_of(optimizer)}
        for parameter in groups.parameters_of(optimizer):
            parameter.moved_by_hand = False
        optimizer.moves.clear()
        stepping.append(optimizer)
        try:
            result = machine.call_with(method, call)
        finally:
            stepping.remove(optimizer)
        for parameter in groups.parameters_of(optimizer):
            if parameter.moved_by_hand:
                optimizer.moves[id(parameter)] = True
            parameter.moved_by_hand = before.get(id(parameter), False)
        machine.recorder.step(groups.sharing(machine, optimizer))
        return result

    return run


def apply(machine: Machine, optimizer: Optimizer) -> dict[int, bool | None]:
    """Which parameters this step moves, by the Python id of each: yes, no, or unknown."""
    machine.recorder.rates.before_step(optimizer)
    if not optimizer.stepped and optimizer.state_known and optimizer.state_at_start is None:
        optimizer.state_at_start = tuple(with_state(optimizer))
    moved = _movements(optimizer)
    if _has_own_step(optimizer):
        moved = dict.fromkeys(moved)
    moved.update(optimizer.moves)
    optimizer.moves.clear()
    _kept(optimizer)
    for parameter in groups.parameters_of(optimizer):
        parameter.trained = parameter.trained or parameter.gradient == "nonzero"
    return moved


def _has_own_step(optimizer: Optimizer) -> bool:
    return optimizer.cls is not None and optimizer.cls.find("step") is not None


def _movements(optimizer: Optimizer) -> dict[int, bool | None]:
    moved: dict[int, bool | None] = {}
    for group in optimizer.groups:
        members = group.get("params") if isinstance(group, dict) else None
        for parameter in members if isinstance(members, list) else ():
            if isinstance(parameter, Tensor):
                moved[id(parameter)] = _moves(optimizer, group, parameter)
    return moved


def _moves(optimizer: Optimizer, group: dict[str, Value], parameter: Tensor) -> bool | None:
    if number(group.get("lr")) == 0 and not isinstance(group.get("lr"), Unknown):
        return False
    if parameter.gradient == "none":
        # Stock optimizers pass over what has no gradient, weight decay included; of others nobody knows.
        return False if _is_stock(optimizer) else None
    if parameter.gradient == "unknown" or parameter.text == "*":
        return None
    return True if parameter.gradient == "nonzero" else _moves_without(optimizer, group, parameter)


def _is_stock(optimizer: Optimizer) -> bool:
    libraries = [] if optimizer.cls is None else [library.name for library in optimizer.cls.libraries()]
    names = libraries or [optimizer.class_name]
    return any(name.rpartition(".")[2] in TORCH for name in names)


def _moves_without(optimizer: Optimizer, group: dict[str, Value], parameter: Tensor) -> bool | None:
    """Whether a step moves a parameter whose gradient is a tensor of zeros."""
    if not _is_stock(optimizer):
        return None
    decay = group.get("weight_decay", 0)
    if number(decay):
        return True
    inertia = inertia_of(optimizer.class_name)
    if inertia == "always":
        return True
    if inertia == "unknown" or optimizer.cls is not None or number(decay) is None:
        return None
    if inertia == "none":
        return False
    if inertia == "momentum":
        momentum = number(group.get("momentum", 0))
        if momentum is None:
            return None
        if momentum == 0:
            return False
    return id(parameter) in optimizer.moved or (False if optimizer.state_known else None)


def _kept(optimizer: Optimizer) -> None:
    """What the optimizer keeps for its parameters once the step is done."""
    state = state_of(optimizer)
    for group in optimizer.groups:
        members = group.get("params") if isinstance(group, dict) else None
        for parameter in members if isinstance(members, list) else ():
            if not isinstance(parameter, Tensor) or parameter.gradient == "none":
                continue
            if parameter.gradient == "nonzero":
                optimizer.moved.add(id(parameter))
            if optimizer.stateful or number(group.get("momentum")):
                state[parameter].setdefault("step", Unknown("step"))


def state_of(optimizer: Optimizer) -> dict[Value, dict[Value, Value]]:
    """`optimizer.state`, as the script sees it."""
    state = optimizer.attributes.get("state")
    if not isinstance(state, defaultdict):
        state = optimizer.attributes["state"] = defaultdict(dict)
    return state


def with_state(optimizer: Optimizer) -> list[Tensor]:
    """The parameters that the optimizer keeps something for: momentum, moments."""
    state = state_of(optimizer)
    return [parameter for parameter in groups.parameters_of(optimizer) if state.get(parameter)]


def cleared(machine: Machine, optimizer: Optimizer, to_none: bool | None) -> None:
    """`optimizer.zero_grad(set_to_none=…)`."""
    held = groups.parameters_of(optimizer)
    for parameter in held:
        clear(parameter, to_none)
    if optimizer.complete:
        return
    known = {id(parameter) for parameter in held}
    for root in machine.recorder.stock.roots():
        for _, parameter in root.own_and_below():
            if id(parameter) not in known and parameter.gradient != "none":
                parameter.gradient = "unknown"


def clear(parameter: Tensor, to_none: bool | None) -> None:
    """Clear one gradient, or fill it with zeros."""
    if to_none:
        parameter.gradient = "none"
    elif parameter.gradient in ("nonzero", "zero"):
        parameter.gradient = "zero" if to_none is False else "unknown"
