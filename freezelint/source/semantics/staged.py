"""Backbones in stages of transformers (ResNet, ConvNext) with other depths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from freezelint.source import architectures
from freezelint.source.architectures import Architecture, Node
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Value

_STAGED = ("ResNetModel", "ConvNextModel", "ConvNextV2Model")
_SETTINGS = {
    "depths",
    "hidden_sizes",
    "embedding_size",
    "layer_type",
    "num_stages",
    "num_channels",
    "patch_size",
    "image_size",
}
_BASIC = "microsoft/resnet-18"  # whose layers are basic ones
_WIDTH = 64
_USUAL = [256, 512, 1024, 2048]
_MOST = 100


def staged(architecture: Architecture, settings: Mapping[str, Value]) -> Architecture | None:
    """The architecture with the depths and the kind of layer that are asked for; None where that is not what
    they are about.
    """
    place = next((path for path, node in _models(architecture)), None)
    if place is None or not settings or not set(settings) <= _SETTINGS:
        return None
    kind = known(settings.get("layer_type", "bottleneck"))
    pattern = architecture
    resnet = architecture.root.at(place)
    if resnet is not None and resnet.class_name == "ResNetModel" and kind == "basic":
        found = architectures.transformers(_BASIC, architecture.root.class_name, architecture.classes)
        if found is None:
            return None
        pattern = found
    elif kind != "bottleneck":
        return None
    prefix = f"{place}." if place else ""
    stages = pattern.root.at(f"{prefix}encoder.stages")
    depths, sizes = _numbers(settings.get("depths")), _numbers(settings.get("hidden_sizes", _USUAL))
    if stages is None or sizes is None or (depths is None and {"depths", "hidden_sizes"} & set(settings)):
        return None
    if depths is None:
        return pattern if "num_stages" not in settings else None
    if known(settings.get("num_stages", len(depths))) != len(depths):
        return None
    width = known(settings.get("embedding_size", _WIDTH))
    made = _stages(stages, depths, narrow=kind == "basic" and width == sizes[0])
    if len(depths) != len(sizes) or made is None:
        return None
    from freezelint.source.semantics.reshaped import with_node

    root = with_node(pattern.root, f"{prefix}encoder.stages", replace(stages, children=made))
    return replace(pattern, root=root, ran=None)


def _models(architecture: Architecture) -> list[tuple[str, Node]]:
    root = architecture.root
    return [(path, node) for path, node in [("", root), *root.children] if node.class_name in _STAGED]


def _numbers(value: Value) -> list[int] | None:
    numbers = known(value)
    if not isinstance(numbers, (list, tuple)) or not 0 < len(numbers) <= _MOST:
        return None
    fits = all(type(number) is int and 0 < number <= 10_000 for number in numbers)
    return list(numbers) if fits else None


def _stages(stages: Node, depths: list[int], *, narrow: bool) -> tuple[tuple[str, Node], ...] | None:
    """Stages of these depths; the first one has no shortcut of its own where it is `narrow`."""
    patterns = [stages.at("0"), stages.at("1")]
    layers = stages.at("1.layers")
    if None in patterns or layers is None or len(layers.children) < 2 or max(depths) > _MOST:
        return None
    opening, following = layers.children[0][1], layers.children[1][1]
    made = []
    for number, depth in enumerate(depths):
        pattern = patterns[min(number, 1)]
        if pattern is None:
            return None
        first = following if number == 0 and narrow else opening
        inner = tuple((str(place), first if place == 0 else following) for place in range(depth))
        children = tuple(
            (name, replace(child, children=inner) if name == "layers" else child)
            for name, child in pattern.children
        )
        made.append((str(number), replace(pattern, children=children)))
    return tuple(made)
