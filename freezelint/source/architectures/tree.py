"""What is known of one architecture: a tree of shared nodes, and what a training step does with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from freezelint.evidence import Role


@dataclass(frozen=True)
class NormSettings:
    """How a normalisation layer is built; see `freezelint.evidence.Norm`."""

    has_statistics: bool
    tracks: bool
    momentum: float | None
    affine: bool


@dataclass(frozen=True, eq=False)
class Node:
    """A module. Layers that are alike are one node, wherever they stand.

    `parameters` are its own: name, shape, and `requires_grad` as built. `overrides_train` is that of its own
    class; what it means for the modules below is up to the reader. `attributes` are numbers that scripts read
    (`in_features`, …; of a transformers model also those of its `config`). `bases` are torch's classes among
    those it derives from, its own included.
    """

    class_name: str
    library: str
    role: Role
    parameters: tuple[tuple[str, tuple[int, ...], bool], ...]
    children: tuple[tuple[str, Node], ...]
    norm: NormSettings | None
    dropout: float | None
    overrides_train: bool
    attributes: tuple[tuple[str, int], ...]
    bases: tuple[str, ...]

    def child(self, name: str) -> Node | None:
        return next((node for own, node in self.children if own == name), None)

    def attribute(self, name: str) -> int | None:
        return next((value for own, value in self.attributes if own == name), None)

    def at(self, path: str) -> Node | None:
        """The node at a dotted path below this one."""
        node: Node | None = self
        for name in path.split(".") if path else ():
            node = node.child(name) if node is not None else None
        return node


@dataclass(frozen=True, eq=False)
class Ran:
    """One training step: modules that own parameters, by their number among these in definition order.

    `order` is None where calls came in definition order, all but `skipped`.
    """

    order: tuple[int, ...] | None
    skipped: frozenset[int]
    unused: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Architecture:
    """A known model.

    `head` is what loading makes fresh: of torchvision and timm the modules whose shapes follow the number of
    classes (with only the backbone pretrained: whatever it did not bring); of transformers what the
    checkpoint does not hold. `labelled` are the modules whose shapes follow the number of classes, which is
    `classes`. `pretrained_head` tells whether the checkpoint brings the whole model, head included; None
    where it is not known. `repeated` are modules that stand at a second place: (path, first path).
    """

    name: str
    library: str
    root: Node
    tied: tuple[tuple[str, str], ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()
    head: tuple[str, ...] = ()
    labelled: tuple[str, ...] = ()
    classes: int | None = None
    pretrained_head: bool | None = None
    ran: Ran | None = None

    @cached_property
    def calls(self) -> tuple[str, ...]:
        """Modules that own parameters in the order of their first call in a training step; empty when
        unknown. Modules whose weights their parent uses directly are not called.
        """
        if self.ran is None:
            return ()
        owners = [path for path, node in module_paths(self) if node.parameters]
        if self.ran.order is not None:
            return tuple(owners[number] for number in self.ran.order)
        return tuple(path for number, path in enumerate(owners) if number not in self.ran.skipped)

    @property
    def unused(self) -> tuple[str, ...]:
        """Outermost modules that no gradient reaches in a training step, although nothing is frozen."""
        return () if self.ran is None else self.ran.unused


def module_paths(architecture: Architecture) -> Iterator[tuple[str, Node]]:
    """Every module with its dotted path, as `named_modules()` gives them: each once, parents first."""
    return _walk("", architecture.root, {path for path, _ in architecture.repeated})


def parameter_paths(architecture: Architecture) -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """Every parameter (path, shape, requires_grad), as `named_parameters()` gives them: a tied one once."""
    again = {path for path, _ in architecture.tied}
    for module, node in module_paths(architecture):
        for name, shape, trainable in node.parameters:
            path = f"{module}.{name}" if module else name
            if path not in again:
                yield path, shape, trainable


def _walk(path: str, node: Node, again: set[str]) -> Iterator[tuple[str, Node]]:
    yield path, node
    prefix = f"{path}." if path else ""
    for name, child in node.children:
        if prefix + name not in again:
            yield from _walk(prefix + name, child, again)
