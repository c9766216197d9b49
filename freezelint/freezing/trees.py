"""A model as a tree of plain nodes: what its structure can be told by, without torch, so that the source
reader finds the same blocks in a model that it has only read about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

# Containers of torch that say nothing but what follows what.
Stack = Literal["", "sequence", "list", "dict"]


@dataclass(eq=False)
class Node:
    """One module. `parameters` are its own; `children` holds none twice. `kind` is its class, or whatever
    stands for that; `trails` marks an activation with weights, which belongs to what it follows.
    """

    kind: Any
    stack: Stack = ""
    norm: bool = False
    trails: bool = False
    embedding: bool = False
    statistics: bool = False
    parametrized: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    children: list[tuple[str, Node]] = field(default_factory=list)

    def walk(self, prefix: str = "") -> list[tuple[str, Node]]:
        """Every node with its dotted name, this one first, each once, in definition order."""
        found: list[tuple[str, Node]] = []
        met: set[int] = set()
        pending = [(prefix, self)]
        while pending:
            name, node = pending.pop()
            if id(node) not in met:
                met.add(id(node))
                found.append((name, node))
                pending += [(dotted(name, own), child) for own, child in reversed(node.children)]
        return found

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Any]]:
        """Every parameter with its dotted name, each once."""
        met: set[int] = set()
        for name, node in self.walk(prefix) if recurse else [(prefix, self)]:
            for own, parameter in node.parameters.items():
                if id(parameter) not in met:
                    met.add(id(parameter))
                    yield dotted(name, own), parameter

    @property
    def has_parameters(self) -> bool:
        """Whether there is any parameter in it."""
        return any(node.parameters for _, node in self.walk())

    @property
    def is_part(self) -> bool:
        """Whether there is anything in it that can be frozen: parameters, or running statistics."""
        return any(node.parameters or node.statistics for _, node in self.walk())


def dotted(prefix: str, name: str) -> str:
    """A name inside of what the prefix names."""
    return f"{prefix}.{name}" if prefix else name
