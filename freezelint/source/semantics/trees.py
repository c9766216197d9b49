"""Modules of known architectures: grown from the knowledge base, with the weights that a script asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.evidence import Origin
from freezelint.source.architectures import Architecture, Node
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    MISSING,
    Library,
    Module,
    NormSettings,
    Parameter,
    Unknown,
    Value,
)
from freezelint.source.semantics.reshaped import Reshaped

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


def grow(machine: Machine, architecture: Architecture, origin: Origin) -> Module:
    """A module of this architecture, all of whose weights come from there."""
    root = module_of(machine, architecture.root, origin)
    for path, first in architecture.repeated:
        owner, _, name = path.rpartition(".")
        place = at(root, owner)
        if place is not None:
            place.children[name] = at(root, first)
    for path, other in architecture.tied:
        _tie(root, path, other)
    root.unused, root.calls = frozenset(architecture.unused), architecture.calls
    machine.recorder.made.append(root)
    machine.tick(_cost(root))
    return root


def grow_reshaped(machine: Machine, wanted: Reshaped, origin: Origin) -> Module:
    """A module of an architecture under other settings: what they make unknown is unknown in it."""
    root = grow(machine, wanted.architecture, origin)
    for path in wanted.lists:
        layers = at(root, path)
        if layers is not None:
            layers.children.clear()
            layers.open, layers.role = True, "container"
            layers.attributes["origin"] = origin
    if wanted.lists:
        root.calls = ()
    if wanted.sized:
        _resize(root, wanted)
    if not wanted.classes:
        _forget_classes(root, wanted.architecture)
    if wanted.dropping:
        for _, module in root.walk():
            module.dropout = None
    return root


def _resize(root: Module, wanted: Reshaped) -> None:
    """Shapes are unknown from now on, but for the number of classes."""
    labelled, classes = set(wanted.architecture.labelled), wanted.architecture.classes
    for path, module in root.walk():
        kept = classes if path in labelled else None
        for parameter in module.parameters.values():
            if parameter is not None:
                parameter.dims = tuple(kept if size == kept else None for size in parameter.dims)
        for name, value in list(module.attributes.items()):
            if type(value) is int and value != kept:
                module.attributes[name] = Unknown(name)


def _forget_classes(root: Module, architecture: Architecture) -> None:
    """The number of classes is unknown."""
    for path in architecture.labelled:
        for _, module in (at(root, path) or Module("", "")).walk():
            for parameter in module.parameters.values():
                if parameter is not None:
                    parameter.dims = (None, *parameter.dims[1:])
            for name, value in list(module.attributes.items()):
                if type(value) is int and value == architecture.classes:
                    module.attributes[name] = Unknown(name)


def _cost(root: Module) -> int:
    return sum(1 for _ in root.walk())


def module_of(machine: Machine, node: Node, origin: Origin) -> Module:
    """The module that a node describes, with everything below it."""
    built = machine.location()
    module = Module(
        node.class_name,
        node.library,
        role=node.role,
        bases=frozenset(node.bases),
        dropout=node.dropout,
        overrides_train=node.overrides_train,
        built=built,
    )
    for name, shape, requires_grad in node.parameters:
        module.parameters[name] = Parameter(
            requires_grad=requires_grad, dims=tuple(shape), origin=origin, built=built, text=name
        )
    if node.norm is not None:
        settings = node.norm
        module.norm = NormSettings(
            settings.has_statistics, settings.tracks, settings.momentum, affine=settings.affine
        )
    module.attributes.update(node.attributes)
    for name, child in node.children:
        module.children[name] = module_of(machine, child, origin)
    return module


def at(root: Module, path: str) -> Module | None:
    """The module at a dotted path."""
    current: Module | None = root
    for part in path.split(".") if path else ():
        current = None if current is None else current.children.get(part)
    return current


def _tie(root: Module, path: str, other: str) -> None:
    owner, _, name = path.rpartition(".")
    source, _, source_name = other.rpartition(".")
    here, there = at(root, owner), at(root, source)
    if here is not None and there is not None:
        here.parameters[name] = there.parameters.get(source_name)


def mark(module: Module, origin: Origin) -> None:
    """Say where the weights of a module come from."""
    for _, parameter in module.own_and_below():
        parameter.origin = origin


def mark_at(root: Module, paths: tuple[str, ...], origin: Origin) -> None:
    """Say where the weights of the modules at these paths come from."""
    for path in paths:
        module = at(root, path)
        if module is not None:
            mark(module, origin)


def count_asked(value: Value) -> int | None:
    """A number of classes, where it is known."""
    count = known(value)
    return (
        count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 1_000_000 else None
    )


def origin_asked(machine: Machine, value: Value) -> Origin:
    """What an argument such as `weights=` or `pretrained=` says about the origin of weights."""
    if value is MISSING or value is None:
        return "fresh"
    if isinstance(value, Library):
        return "pretrained"
    hint = known(value)
    if hint is MISSING:
        return "unknown"
    if isinstance(hint, (bool, str)) or hint is None:
        return "pretrained" if hint else "fresh"
    return "unknown"


def unknown_model(machine: Machine, name: str, library: str, origin: Origin = "unknown") -> Module:
    """A model of which only the name is known."""
    module = Module(name, library, role="container", open=True, built=machine.location())
    module.bases = frozenset({"Module"})
    module.attributes["origin"] = origin
    machine.recorder.made.append(module)
    return module
