"""A map of a known architecture, as it is built: from the knowledge base, without its library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from freezelint.freezing.levels import parts_at, values_of
from freezelint.freezing.partition import Part, block_units, merged, parts
from freezelint.freezing.tables import Row, Summary
from freezelint.freezing.trees import Node, Stack, dotted
from freezelint.mapping.maps import Map
from freezelint.source import architectures
from freezelint.source.architectures import Architecture

_STACKS: dict[str, Stack] = {"Sequential": "sequence", "ModuleList": "list", "ModuleDict": "dict"}
_BYTES = 4  # of a 32-bit number
_COUNTER = 8  # of `num_batches_tracked`
_NOTE = "As it is built, before anything is frozen; memory is that of 32-bit weights and running statistics."


@dataclass(frozen=True, eq=False)
class Held:
    """A parameter of an architecture."""

    shape: tuple[int, ...]
    trainable: bool


def known(name: str) -> Architecture | None:
    """The architecture of this name: a model of torchvision or timm (`timm/…`), a type, hub id or class of
    transformers.
    """
    of_torchvision = name.removeprefix("torchvision/")
    for find, wanted in (
        (architectures.torchvision, of_torchvision),
        (architectures.timm, name),
        (architectures.transformers, name),
    ):
        found: Architecture | None = find(wanted)
        if found is not None:
            return found
    return None


def nearest(name: str) -> list[str]:
    """Names of known architectures that may have been meant."""
    every = [each for of in ("torchvision", "timm", "transformers") for each in architectures.names(of)]
    return get_close_matches(name, dict.fromkeys(every), 3, cutoff=0.6)


def map_of(architecture: Architecture, depth: int | None) -> Map:
    """The table of an architecture."""
    tree = tree_of(architecture)
    found = _blocks(tree) if depth is None else parts_at(tree, depth)
    memory = _statistics(architecture)
    rows = (_row(part, memory) for part in found)
    where = f"known from {architecture.library}"
    return Map(architecture.name, architecture.root.class_name, where, Summary(tuple(rows)), (_NOTE,))


def tree_of(architecture: Architecture) -> Node:
    """The modules of an architecture, each a node of its own; what stands at two places is one."""
    first = dict(architecture.repeated)
    tied = dict(architecture.tied)
    nodes: dict[str, Node] = {}
    held: dict[str, Held] = {}

    def made(path: str, own: architectures.Node) -> Node:
        if (known := nodes.get(first.get(path, path))) is not None:
            return known
        node = nodes[path] = _bare(own)
        for name, shape, trainable in own.parameters:
            place = dotted(path, name)
            held[place] = held.get(tied.get(place, place)) or Held(shape, trainable)
            node.parameters[name] = held[place]
        seen: set[int] = set()
        for name, child in own.children:
            below = made(dotted(path, name), child)
            if id(below) not in seen:
                seen.add(id(below))
                node.children.append((name, below))
        return node

    return made("", architecture.root)


def _bare(own: architectures.Node) -> Node:
    """A module as a node, without what is inside it."""
    kinds = {own.class_name, *own.bases}
    vectors = [len(shape) <= 1 for _, shape, _ in own.parameters]
    named = "norm" in own.class_name.lower() and bool(vectors) and all(vectors)
    statistics = own.norm is not None and own.norm.has_statistics
    is_list = "ParametrizationList" in kinds
    return Node(
        kind=(own.library, own.class_name),
        stack="" if is_list else next((stack for name, stack in _STACKS.items() if name in kinds), ""),
        norm=named or statistics or bool({"_NormBase", "LayerNorm", "GroupNorm"} & kinds),
        trails="PReLU" in kinds,
        embedding=bool({"Embedding", "EmbeddingBag"} & kinds),
        statistics=statistics,
        parametrized=own.child("parametrizations") is not None,
    )


def _blocks(tree: Node) -> list[Part]:
    return parts(tree, merged(block_units(tree)), lambda parameter: values_of(parameter) == 1)


def _statistics(architecture: Architecture) -> Callable[[str], int]:
    """The bytes of the running statistics within a module."""
    found: dict[str, int] = {}
    for path, node in architectures.module_paths(architecture):
        if node.norm is not None and node.norm.has_statistics:
            sizes = [shape[0] for _, shape, _ in node.parameters if shape]
            size = sizes[0] if sizes else node.attribute("num_features") or 0
            found[path] = 2 * size * _BYTES + _COUNTER

    def within(module: str) -> int:
        inside = f"{module}."
        return sum(size for path, size in found.items() if path == module or path.startswith(inside))

    return within


def _row(part: Part, memory: Callable[[str], int]) -> Row:
    counts = [(values_of(parameter), parameter.trainable) for parameter in part.parameters.values()]
    total = sum(count for count, _ in counts)
    return Row(
        block=part.name,
        parameters=total,
        trainable=sum(count for count, trainable in counts if trainable),
        mode="",
        rates=(),
        memory=total * _BYTES + sum(map(memory, part.modules)),
    )
