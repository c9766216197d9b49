"""What a plan has to know of a model: its blocks from input to output, their names and sizes. No torch here,
so that a model which only the knowledge base has can be planned for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from freezelint.freezing.partition import Part, block_units, by_first_run, merged, parts
from freezelint.freezing.trees import Node


@dataclass(frozen=True)
class Weights:
    """A parameter as far as a plan is concerned; two that are tied are one object."""

    shape: tuple[int, ...]

    @property
    def values(self) -> int:
        """How many numbers it holds."""
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True)
class BlockFacts:
    """One block: its dotted name, the number of its values, of its layers with weights (norm layers are not
    counted), and whether it is part of the head, which is new. `parameters` are dotted names,
    `modules` those of its main modules; `bare` are norm
    layers with statistics and no parameters, which a name of a parameter cannot reach.
    """

    name: str
    values: int
    layers: int
    parameters: tuple[str, ...]
    modules: tuple[str, ...] = ()
    head: bool = False
    bare: tuple[str, ...] = ()


@dataclass(frozen=True)
class Anatomy:
    """A model: what it is called, and its blocks from input to output. `statistics` tells whether norm layers
    outside of the head keep running statistics, `batch_norm` whether all that do are BatchNorm, `normed`
    whether it has norm layers without any or embeddings, as transformers have.
    """

    name: str
    blocks: tuple[BlockFacts, ...]
    statistics: bool
    batch_norm: bool
    normed: bool

    @property
    def body(self) -> tuple[BlockFacts, ...]:
        """The blocks that were trained before."""
        return tuple(block for block in self.blocks if not block.head)

    @property
    def head(self) -> tuple[BlockFacts, ...]:
        """The blocks that are new."""
        return tuple(block for block in self.blocks if block.head)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of all parameters, block by block."""
        return tuple(name for block in self.blocks for name in block.parameters)


def anatomy(
    name: str,
    tree: Node,
    *,
    shape: Callable[[Any], tuple[int, ...]],
    head: Callable[[str], bool] | None = None,
    first: Mapping[str, int] | None = None,
    batch_norm: Callable[[Any], bool],
) -> Anatomy:
    """The anatomy of a tree.

    `shape` gives that of a parameter of the tree. `head` tells of a parameter's name whether it is new; the
    last block is the head where nobody tells, and every block that has anything new otherwise. `first` are
    the positions of modules in a forward pass (definition order without). `batch_norm` judges the `kind` of
    a node with running statistics. Raises `ValueError` where there is no body, or nothing new.
    """
    units = block_units(tree)
    found = parts(tree, merged(units if first is None else by_first_run(units, first)), _is_number(shape))
    if not found:
        raise ValueError(f"{name} has no parameters")
    walked = tree.walk()
    # Names as `named_parameters()` gives them: a tied parameter by its first one.
    known = {id(parameter): path for path, parameter in tree.named_parameters()}
    layers = {
        f"{path}.{own}" if path else own
        for path, node in walked
        for own, parameter in node.parameters.items()
        if len(shape(parameter)) > 1
    }
    blocks = []
    for position, part in enumerate(found):
        names = tuple(known[id(parameter)] for parameter in part.parameters.values())
        is_head = any(map(head, names)) if head is not None else position == len(found) - 1
        values = sum(Weights(shape(p)).values for p in part.parameters.values())
        owners = {each.rpartition(".")[0] for each in part.parameters if each in layers}
        blocks.append(
            BlockFacts(part.name, values, len(owners), names, part.modules, is_head, _bare(part, walked))
        )
    if all(block.head for block in blocks) or not any(block.head for block in blocks):
        what = "is one block" if len(blocks) == 1 else "has only a head" if blocks[0].head else "has no head"
        raise ValueError(f"{name} {what}: a plan needs a body that was trained before, and a new head")
    own = tuple(block.name for block in blocks if block.head)
    keeping = [(path, node) for path, node in walked if node.statistics and not _inside(path, own)]
    return Anatomy(
        name,
        tuple(blocks),
        statistics=bool(keeping),
        batch_norm=all(batch_norm(node.kind) for _, node in keeping),
        normed=any((node.norm and not node.statistics) or node.embedding for _, node in walked),
    )


def cover(wanted: Collection[str], every: Iterable[str]) -> tuple[str, ...]:
    """The fewest dotted names that stand for exactly these parameters out of all: a module for all that is
    in it, else parameters by themselves; in the order of `every`.
    """
    outside: set[str] = set()
    order = list(every)
    for name in order:
        if name not in wanted:
            outside.update(_prefixes(name))
    chosen: dict[str, None] = {}
    for name in order:
        if name in wanted:
            chosen[next((prefix for prefix in _prefixes(name) if prefix not in outside), name)] = None
    return tuple(chosen)


def _prefixes(name: str) -> list[str]:
    """A name and all that it lies in, the outermost first."""
    pieces = name.split(".")
    return [".".join(pieces[: count + 1]) for count in range(len(pieces))]


def _inside(path: str, names: Iterable[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _bare(part: Part, walked: list[tuple[str, Node]]) -> tuple[str, ...]:
    return tuple(
        path
        for path, node in walked
        if node.statistics and not node.has_parameters and _inside(path, part.modules)
    )


def _is_number(shape: Callable[[Any], tuple[int, ...]]) -> Callable[[Any], bool]:
    return lambda parameter: Weights(shape(parameter)).values == 1
