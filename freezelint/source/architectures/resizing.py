"""The same architecture for another number of classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from freezelint.source.architectures.tree import Architecture, Node

_OUTPUTS = ("out_features", "out_channels", "num_embeddings", "nf")
_COUNTS = ("num_classes", "num_labels")


def resized(architecture: Architecture, scaling: list[list[Any]], classes: int) -> Architecture:
    """`scaling` tells which axes follow the number of classes: [parameter, axis, factor, offset]."""
    changes: dict[str, dict[str, dict[int, int]]] = {}
    for path, axis, factor, offset in scaling:
        module, _, name = path.rpartition(".")
        changes.setdefault(module, {}).setdefault(name, {})[axis] = factor * classes + offset
    root = _changed(architecture.root, "", changes)
    counts = tuple((name, classes if name in _COUNTS else value) for name, value in root.attributes)
    return replace(architecture, root=replace(root, attributes=counts), classes=classes)


def _changed(node: Node, path: str, changes: dict[str, dict[str, dict[int, int]]]) -> Node:
    prefix = f"{path}." if path else ""
    children = tuple(
        (name, _changed(child, prefix + name, changes) if _concerns(prefix + name, changes) else child)
        for name, child in node.children
    )
    own = changes.get(path, {})
    sizes: dict[int, int] = {}  # size along the first axis, before -> after
    parameters = []
    for name, shape, trainable in node.parameters:
        axes = own.get(name, {})
        new = tuple(axes.get(axis, size) for axis, size in enumerate(shape))
        if 0 in axes:
            sizes[shape[0]] = new[0]
        parameters.append((name, new, trainable))
    attributes = tuple(
        (name, sizes.get(value, value) if name in _OUTPUTS else value) for name, value in node.attributes
    )
    return replace(node, children=children, parameters=tuple(parameters), attributes=attributes)


def _concerns(path: str, changes: dict[str, dict[str, dict[int, int]]]) -> bool:
    return any(module == path or module.startswith(f"{path}.") for module in changes)
