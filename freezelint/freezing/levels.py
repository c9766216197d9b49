"""A model by the depth of its names. No torch here: the command line tells it of sources too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from freezelint.freezing.partition import Part
from freezelint.freezing.trees import Node, dotted


def parts_at(model: Node, depth: int) -> list[Part]:
    """The modules that lie `depth` names deep, or end above that, and each parameter that is held above
    them: in definition order, every parameter once, what has none left out. Raises `ValueError` for a depth
    below 1.
    """
    if depth < 1:
        raise ValueError(f"depth is a number of names, at least 1, and is {depth}")
    found: list[Part] = []
    met: set[int] = set()
    for name, node, whole in _cut("", model, depth):
        new = {
            path: parameter
            for path, parameter in node.named_parameters(name, recurse=whole)
            if id(parameter) not in met
        }
        met.update(map(id, new.values()))
        if whole and new:
            found.append(Part(name, (name,), new))
        elif not whole:
            found += [Part(path, (), {path: parameter}) for path, parameter in new.items()]
    return found


def _cut(name: str, node: Node, depth: int) -> Iterator[tuple[str, Node, bool]]:
    """Modules with whether they are meant with all inside them."""
    whole = bool(name) and (depth == 0 or not node.children)
    yield name, node, whole
    for own, child in () if whole else node.children:
        yield from _cut(dotted(name, own), child, depth - 1)


def values_of(parameter: Any) -> int:
    """How many values there are in something with a shape."""
    count = 1
    for size in parameter.shape:
        count *= size
    return count
