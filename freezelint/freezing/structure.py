"""The blocks of a model, from input to output: found by how it is built, or by how it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from freezelint.freezing.execution import run_order
from freezelint.freezing.layers import has_parameters, has_statistics, is_embedding, is_norm
from freezelint.freezing.partition import Unit, block_units, by_first_run, layer_units, merged, parts
from freezelint.freezing.patterns import Selection, unwrapped
from freezelint.freezing.trees import Node, Stack


@dataclass(frozen=True)
class Block:
    """A part of a model that is frozen, unfrozen and rated as one.

    `name` is the dotted name of its main module; `modules` are the names of all of them (`conv1` and `bn1` of
    a ResNet are one block); `parameters` maps names to parameters, those included that a wrapper around
    the block holds itself (class tokens, positions). A parameter belongs to one block: the first where it
    is tied.
    """

    name: str
    modules: tuple[str, ...]
    parameters: dict[str, nn.Parameter] = field(compare=False, repr=False)

    def selection(self, model: nn.Module) -> Selection:
        """The parameters and modules of the block in the model that it was found in."""
        modules = {
            name: module
            for part in self.modules
            for name, module in model.get_submodule(part).named_modules(prefix=part)
        }
        return Selection(dict(self.parameters), modules)


def blocks(model: nn.Module, sample: Any = None) -> list[Block]:
    """The blocks of a model, ordered from input to output; together they hold every parameter once.

    A block is a stage (`layer1` of a ResNet), a layer of a stack (`encoder.layer.0` inside any wrapper), the
    stem or embeddings before, or the head after it. Norm layers go with what they normalise, and parameters
    that a wrapper holds itself with the first block, single numbers (a temperature) with the last one.

    `sample`, if given, is one batch: a tensor, a tuple of positional arguments, or a dict of keyword
    arguments, as the model's `forward` takes it, on any device (meta tensors do). The blocks are then in the
    order in which they first run; else in the order in which they are defined. The model is left as it was.
    Raises `ValueError` where the model has no parameters, or does not run on the sample.
    """
    model = unwrapped(model)
    tree = tree_of(model)
    return _as_blocks(tree, _ordered(model, block_units(tree), sample))


def layers(model: nn.Module, sample: Any = None) -> list[Block]:
    """The single layers with weights, ordered as `blocks` are: each with the norm layers that follow it."""
    model = unwrapped(model)
    tree = tree_of(model)
    return _as_blocks(tree, _ordered(model, layer_units(tree), sample), own=True)


def tree_of(module: nn.Module, met: dict[int, Node] | None = None) -> Node:
    """The module and all inside it as nodes; one that stands at several places is one node."""
    met = {} if met is None else met
    if id(module) in met:
        return met[id(module)]
    node = met[id(module)] = Node(
        kind=type(module),
        stack=_stack(module),
        norm=is_norm(module),
        trails=isinstance(module, nn.PReLU),
        embedding=is_embedding(module),
        statistics=has_statistics(module),
        parametrized=is_parametrized(module),
        parameters={name: p for name, p in module._parameters.items() if p is not None},
    )
    node.children.extend((name, tree_of(child, met)) for name, child in module.named_children())
    return node


def _stack(module: nn.Module) -> Stack:
    if isinstance(module, ParametrizationList):
        return ""
    kinds: tuple[tuple[type[nn.Module], Stack], ...] = (
        (nn.Sequential, "sequence"),
        (nn.ModuleList, "list"),
        (nn.ModuleDict, "dict"),
    )
    return next((name for kind, name in kinds if isinstance(module, kind)), "")


def _ordered(model: nn.Module, units: list[Unit], sample: Any) -> list[Unit]:
    if not has_parameters(model):
        raise ValueError(f"{type(model).__name__} has no parameters")
    if sample is not None:
        first = {name: position for position, name in enumerate(run_order(model, sample))}
        units = by_first_run(units, first)
    return merged(units)


def _as_blocks(tree: Node, units: list[Unit], own: bool = False) -> list[Block]:
    found = parts(tree, units, lambda parameter: parameter.numel() == 1, own)
    return [Block(part.name, part.modules, part.parameters) for part in found]
