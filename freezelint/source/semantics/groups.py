"""Parameter groups: built from what an optimizer is given, and written to by the script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.source.interpreter.iteration import Repeat
from freezelint.source.interpreter.signals import RaisedSignal
from freezelint.source.interpreter.values import (
    Call,
    Class,
    Instance,
    Items,
    Module,
    Optimizer,
    Parameter,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics.optimizer_classes import OptimizerClass, class_of

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# A class or function of an unknown package that makes an optimizer, by its last name.
_CLASS = re.compile(
    r"\b(\w*(Adam[Wax]*|SGDW?|RMSprop|Adagrad|Shampoo)(\d+bit)?|Lamb|LAMB|Lion|LARS|Ranger\w*|Sophia\w*|Muon|Adan|SAM)$"
)
_MAKER = re.compile(r"optim", re.IGNORECASE)
_NO_MAKER = re.compile(r"schedul|zero_grad|step|save|load|log|print|lr_|state|closure", re.IGNORECASE)


def construct(machine: Machine, optimizer: Optimizer, name: str, call: Call, skip: int = 0) -> None:
    """Give an optimizer the groups that the arguments of its class (a dotted name) make; tell the recorder.

    `skip` arguments come before the parameters: the object itself in `super().__init__(…)`.
    """
    known = class_of(name)
    defaults = defaults_from(known, call, skip + 1)
    given = call.get(skip, "params", call.kwargs.get("parameters", Unknown("params")))
    fill(machine, optimizer, given, defaults)
    optimizer.stateful = known.stateful
    built(machine, optimizer)


def defaults_from(known: OptimizerClass, call: Call, start: int) -> dict[str, Value]:
    """The values that groups without their own get, from the arguments behind the parameters."""
    defaults: dict[str, Value] = {}
    for position, (field, default) in enumerate(known.fields):
        value = call.get(start + position, field, default)
        defaults[field] = Unknown(field) if value is None and field == "lr" else value
    for field, value in call.kwargs.items():
        if field not in ("params", "parameters"):
            defaults.setdefault(field, value)
    return defaults


def fill(machine: Machine, optimizer: Optimizer, given: Value, defaults: dict[str, Value]) -> None:
    """Make `param_groups` of what was given for `params`."""
    optimizer.attributes["defaults"] = defaults
    optimizer.complete = True
    optimizer.groups = []
    members = _members(machine, optimizer, given, optimizer.class_name)
    if members and all(isinstance(member, dict) for member in members):
        for group in members:
            add(machine, optimizer, group, optimizer.class_name)
        return
    group = {**defaults, "params": members}
    _settle(machine, optimizer, group)
    optimizer.groups.append(group)


def add(machine: Machine, optimizer: Optimizer, group: dict[str, Value], consumer: str) -> None:
    """One group that the script made as a dict, which becomes the group itself, as in torch."""
    group["params"] = _members(machine, optimizer, group.get("params", Unknown("params")), consumer)
    defaults = optimizer.attributes.get("defaults")
    for field, default in (defaults if isinstance(defaults, dict) else {}).items():
        group.setdefault(field, default)
    _settle(machine, optimizer, group)
    held = {id(member) for member in parameters_of(optimizer)}
    if any(id(member) in held for member in group["params"]):
        machine.mistakes.add(f"a parameter is in two groups of {optimizer.class_name}")
    optimizer.groups.append(group)


def _members(machine: Machine, optimizer: Optimizer, given: Value, consumer: str) -> list[Value]:
    """The elements of what was given, where they are known."""
    if isinstance(given, Tensor):
        return [given]
    if isinstance(given, Unknown) and isinstance(given.hint, (list, tuple)):
        given = given.hint
    if isinstance(given, Repeat):
        optimizer.complete = False
        return []
    elements = machine.elements(given, consumer)
    optimizer.complete = optimizer.complete and not machine.parts.may_hold_more(given)
    if elements is None or isinstance(given, str):
        optimizer.complete = False
        return []
    return elements


def _settle(machine: Machine, optimizer: Optimizer, group: dict[str, Value]) -> None:
    """Names are taken off `(name, parameter)` pairs; what is no tensor stays out."""
    members: list[Value] = []
    for member in group["params"]:
        if isinstance(member, tuple) and len(member) == 2:
            member = member[1]
        if isinstance(member, Parameter):
            members.append(member)
            continue
        optimizer.complete = optimizer.complete and isinstance(member, Tensor) and member.leaf
        if isinstance(member, Tensor):
            members.append(member)
        elif isinstance(member, (list, tuple)):  # one level too deep: torch refuses it, third parties do not
            machine.tick(len(member) // 50)
            members.extend(inner for inner in member if isinstance(inner, Tensor))
    group["params"] = members


def built(machine: Machine, optimizer: Optimizer) -> None:
    """Tell the recorder of a new optimizer; one over the groups of another is part of that one."""
    optimizer.location = machine.location()
    outer = sharing(machine, optimizer)
    if outer is not optimizer:
        optimizer.index = outer.index
        return
    held = parameters_of(optimizer)
    name = optimizer.class_name
    empty = not any(group.get("params") for group in optimizer.groups)
    if empty and optimizer.complete and _something_is_known(machine):
        event = machine.recorder.event("optimizer-built", name=name, value="refused")
        machine.recorder.stopped("optimizer-built", event if event >= 0 else None)
        raise RaisedSignal("ValueError")
    machine.recorder.register(optimizer)
    index = machine.recorder.event("optimizer-built", optimizer=optimizer, parameters=held, name=name)
    optimizer.built = index if index >= 0 else None
    machine.recorder.rates.built(optimizer)
    machine.recorder.rates.first_groups[id(optimizer)] = machine.recorder.stock.groups(optimizer)


def _something_is_known(machine: Machine) -> bool:
    """Whether an empty list can be believed: there are parameters, and they are not in it."""
    roots = machine.recorder.stock.roots()
    return any(True for root in roots for _ in root.own_and_below()) and not any(
        root.is_open for root in roots
    )


def extended(machine: Machine, optimizer: Optimizer, group: Value) -> None:
    """`optimizer.add_param_group(group)`."""
    if isinstance(group, Unknown) and isinstance(group.hint, dict):
        group = group.hint
    owner = sharing(machine, optimizer)
    if not isinstance(group, dict):
        optimizer.complete = owner.complete = False
        machine.limit("a parameter group", "it is not known what is in it", machine.location())
        return
    machine.recorder.register(owner)
    machine.recorder.rates.before_step(owner)
    add(machine, optimizer, group, f"{optimizer.class_name}.add_param_group")
    owner.complete = owner.complete and optimizer.complete
    members = [member for member in group["params"] if isinstance(member, Tensor)]
    index = machine.recorder.event("group-added", optimizer=owner, parameters=members)
    if index >= 0:
        owner.added.append(index)
    machine.recorder.rates.built(owner)


def sharing(machine: Machine, optimizer: Optimizer) -> Optimizer:
    """The optimizer that this one is a part of, or wraps: the first one known over the same groups."""
    own = {id(group) for group in optimizer.groups}
    for other in machine.recorder.optimizers:
        if other is optimizer or (own and own & {id(group) for group in other.groups}):
            return other
    return optimizer


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """The parameters in its groups, each once; other tensors that it optimises (an image, a prompt), too."""
    found: dict[int, Tensor] = {}
    for group in optimizer.groups:
        members = group.get("params") if isinstance(group, dict) else None
        for member in members if isinstance(members, list) else ():
            if isinstance(member, Tensor):
                found[id(member)] = member
    return list(found.values())


def written(machine: Machine, container: Value, key: Value, value: Value) -> None:
    """The script writes `container[key] = value` on a dict or list: perhaps that is a parameter group."""
    for optimizer in machine.recorder.optimizers:
        if container is optimizer.groups:
            optimizer.complete = optimizer.complete and isinstance(value, dict)
        elif isinstance(container, dict) and any(group is container for group in optimizer.groups):
            if key == "lr":
                machine.recorder.rates.written(optimizer)
            elif isinstance(key, Unknown) or (key == "params" and not isinstance(value, list)):
                optimizer.complete = False


_LOOKED_AT = 1000  # elements of a list that may be one of parameters


def guessed(machine: Machine, name: str, call: Call) -> Optimizer | None:
    """The optimizer that an unknown class or function seems to make: it is called like one and is given
    parameters, groups or a model, or it is given parameters and a rate. None where it does not look so.
    """
    found = None if name.endswith(")") else _CLASS.search(name)
    arguments = [*call.args, *call.kwargs.values()]
    given = next((value for value in arguments if _holds_parameters(value)), None)
    rated = given is not None and "lr" in call.kwargs
    if not found and not rated and (not _MAKER.search(name) or _NO_MAKER.search(name.rpartition(".")[2])):
        return None
    if given is None and not any(isinstance(value, (Module, Class, Instance)) for value in arguments):
        return None
    optimizer = Optimizer(found.group() if found else "Optimizer", [], complete=False)
    if given is not None:
        fill(machine, optimizer, given, {"lr": call.kwargs.get("lr", Unknown("lr"))})
        optimizer.complete = optimizer.complete and (rated or bool(found))
    built(machine, optimizer)
    return optimizer


def _holds_parameters(value: Value) -> bool:
    if isinstance(value, Items):
        return value.of_parameters
    if isinstance(value, (list, tuple)):
        few = value[:_LOOKED_AT]
        return any(isinstance(one, Parameter) or (isinstance(one, dict) and "params" in one) for one in few)
    return False
