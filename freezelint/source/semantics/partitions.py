"""The blocks of a model that was read, by the rule that `freezelint.freezing` finds them with."""

from __future__ import annotations

from collections.abc import Iterable

from freezelint.freezing.partition import Part, Unit, block_units, by_first_run, layer_units, merged, parts
from freezelint.freezing.trees import Node, Stack
from freezelint.source.interpreter.values import Module, Parameter, Value
from freezelint.source.semantics.selections import Selection, has_statistics, own_parameters, places

_DEEPEST = 200
_STACKS: dict[str, Stack] = {"Sequential": "sequence", "ModuleList": "list", "ModuleDict": "dict"}


def blocks_of(model: Module, sample: Value = None) -> list[Part] | None:
    """The blocks from input to output; None where nobody knows them. With a `sample` they are ordered by
    execution, which is known of published models only.
    """
    return _parts(model, sample, own=False)


def layers_of(model: Module, sample: Value = None) -> list[Part] | None:
    """The single layers with weights, as `blocks_of` gives blocks."""
    return _parts(model, sample, own=True)


def selection_of(model: Module, found: Iterable[Part]) -> Selection:
    """All that is in these blocks of the model."""
    selection = Selection()
    for part in found:
        selection.parameters.update(part.parameters)
        wanted = part.modules
        selection.modules.update(
            (name, module)
            for name, module in places(model)
            if any(name == each or name.startswith(f"{each}.") for each in wanted)
        )
    return selection


def tree_of(module: Module, met: dict[int, Node] | None = None) -> Node:
    """The module and all inside it as nodes; one that stands at several places is one node."""
    met = {} if met is None else met
    if id(module) in met:
        return met[id(module)]
    kinds = {module.class_name, *module.bases}
    is_list = "ParametrizationList" in kinds
    node = met[id(module)] = Node(
        kind=module.cls or (module.library, module.class_name),
        stack="" if is_list else next((stack for name, stack in _STACKS.items() if name in kinds), ""),
        norm=is_norm(module),
        trails="PReLU" in kinds,
        embedding=bool({"Embedding", "EmbeddingBag"} & kinds),
        statistics=has_statistics(module),
        parametrized="parametrizations" in module.children,
        parameters={name: p for name, p in module.parameters.items() if p is not None},
    )
    seen: set[int] = set()
    for name, child in module.children.items():
        if child is not None and id(child) not in seen:
            seen.add(id(child))
            node.children.append((name, tree_of(child, met)))
    return node


def is_norm(module: Module) -> bool:
    """Whether a module is a normalisation layer, torch's or (by its name and its vectors) anybody's."""
    if {"_NormBase", "LayerNorm", "GroupNorm"} & {module.class_name, *module.bases} or has_statistics(module):
        return True
    own = own_parameters(module)
    return "norm" in module.class_name.lower() and bool(own) and all(len(p.dims) <= 1 for p in own)


def is_number(parameter: Parameter) -> bool:
    """Whether it has one value only."""
    return parameter.text != "*" and all(size == 1 for size in parameter.dims)


def _parts(model: Module, sample: Value, *, own: bool) -> list[Part] | None:
    if model.is_open or _is_cyclic(model, set(), set()):
        return None
    tree = tree_of(model)
    units: list[Unit] | None = layer_units(tree) if own else block_units(tree)
    if sample is not None:
        units = _by_execution(model, units or [])
    return None if units is None else parts(tree, merged(units), is_number, own)


def _is_cyclic(module: Module, around: set[int], done: set[int]) -> bool:
    """Whether a module lies inside itself, or too deep to follow."""
    if id(module) in done:
        return False
    if id(module) in around or len(around) > _DEEPEST:
        return True
    around.add(id(module))
    children = [child for child in module.children.values() if child is not None]
    found = any(_is_cyclic(child, around, done) for child in children)
    around.discard(id(module))
    done.add(id(module))
    return found


def _by_execution(model: Module, units: list[Unit]) -> list[Unit] | None:
    """Units in the order of their first run; one that does not run stays behind its predecessor."""
    if not model.calls:
        return units if model.cls is None and model.class_name == "Sequential" else None
    first: dict[str, int] = {}
    for position, path in enumerate(model.calls):
        first.setdefault(path, position)
    return by_first_run(units, first)
