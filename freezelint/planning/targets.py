"""From the name of a published model to its blocks, by the knowledge base."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from freezelint.errors import BadInputError
from freezelint.freezing.anatomy import Anatomy, Weights, anatomy
from freezelint.freezing.trees import Node as Tree
from freezelint.freezing.trees import Stack
from freezelint.source import architectures
from freezelint.source.architectures import Architecture, Node
from freezelint.source.architectures.reading import library as library_of

Library = Literal["torchvision", "timm", "transformers"]
Data = Literal["images", "clips", "text", "audio"]

LIBRARIES: tuple[Library, ...] = ("torchvision", "timm", "transformers")

_STACKS: dict[str, Stack] = {"Sequential": "sequence", "ModuleList": "list", "ModuleDict": "dict"}
# In this order: models of sound are also called sequence classifiers.
_TASKS: dict[str, Data] = {
    "ForImageClassification": "images",
    "ForAudioClassification": "audio",
    "ForVideoClassification": "clips",
    "ForSequenceClassification": "text",
}
_NO_CLASSIFIERS = {
    "DeepLabV3": "segments pictures",
    "FCN": "segments pictures",
    "LRASPP": "segments pictures",
    "RAFT": "estimates motion",
    **dict.fromkeys(
        ("FCOS", "FasterRCNN", "KeypointRCNN", "MaskRCNN", "RetinaNet", "SSD"), "detects objects in pictures"
    ),
}
_FOR = "a plan is for models that give one class to each input"
_CLIPS = ("VideoResNet", "S3D", "MViT", "SwinTransformer3d")
_HEAD_CLASSES = ("Linear", "Conv2d", "Conv3d")


@dataclass(frozen=True)
class Head:
    """The layer that gives a score to each class: its dotted name, class, input size, kernel, and whether it
    has a bias."""

    path: str
    class_name: str
    inputs: int
    kernel: tuple[int, ...]
    bias: bool


@dataclass(frozen=True)
class Target:
    """A published model: its name in its library, the blocks with a head for `classes` classes, and what it
    is fed with.

    `head` is the layer to replace (torchvision). `task` is the end of a class of transformers; `mismatched`
    tells that its checkpoint brings a head of another size, `generative` that it pads nothing by itself.
    """

    name: str
    library: Library
    classes: int
    anatomy: Anatomy
    data: Data
    head: Head | None = None
    task: str = ""
    mismatched: bool = False
    generative: bool = False


def find(name: str, library: str | None, classes: int) -> Target:
    """The model of this name. Raises `BadInputError` for one that is not known, with the nearest names, and
    for one that does not classify.
    """
    finders = {"torchvision": _torchvision, "timm": _timm, "transformers": _transformers}
    for each in LIBRARIES if library is None else (library,):
        found = finders[each](name, classes)
        if found is not None:
            return found
    raise BadInputError(_unknown(name, library))


def _torchvision(name: str, classes: int) -> Target | None:
    found = architectures.torchvision(name, None, "all")
    if found is None:
        return None
    kind = found.root.class_name
    if kind in _NO_CLASSIFIERS:
        raise BadInputError(f"{name} {_NO_CLASSIFIERS[kind]}: {_FOR}")
    layer = found.root.at(found.labelled[0]) if len(found.labelled) == 1 else None
    if layer is None or layer.class_name not in _HEAD_CLASSES:
        raise BadInputError(
            f"{name} has several classifiers ({', '.join(found.labelled)}), of which a plan can replace one "
            "only: take another model, or timm's of this name (--library timm)"
        )
    shapes = {own: shape for own, shape, _ in layer.parameters}
    weight = shapes["weight"]
    head = Head(found.labelled[0], layer.class_name, weight[1], weight[2:], "bias" in shapes)
    resized = architectures.torchvision(name, classes, "all") or found
    data: Data = "clips" if kind in _CLIPS else "images"
    return Target(name, "torchvision", classes, _anatomy(resized, found.labelled), data, head)


def _timm(name: str, classes: int) -> Target | None:
    found = architectures.timm(name, classes)
    if found is None:
        return None
    return Target(name, "timm", classes, _anatomy(found, found.head), "images")


def _transformers(name: str, classes: int) -> Target | None:
    index = library_of("transformers").index
    checkpoints: dict[str, tuple[str, str, int]] = index["checkpoints"]
    if name in index["types"] and name not in checkpoints:
        of_type = [each for each, (group, _, _) in checkpoints.items() if group.partition(":")[0] == name]
        raise BadInputError(
            f"{name} is a type of model, without weights: name a checkpoint, such as {_listed(of_type[:3])}"
        )
    for task, data in _TASKS.items():
        published = architectures.transformers(name, task)
        found = architectures.transformers(name, task, classes)
        if found is None or published is None:
            continue
        head = tuple(dict.fromkeys((*found.head, *found.labelled)))
        return Target(
            name,
            "transformers",
            classes,
            _anatomy(found, head),
            data,
            task=task,
            mismatched=not set(published.labelled) <= set(published.head) and published.classes != classes,
            generative=_is_generative(name),
        )
    if name.rpartition("/")[2].lower() in checkpoints:
        raise BadInputError(f"{name} has no head for classes in transformers: {_FOR}")
    return None


def _is_generative(name: str) -> bool:
    """Whether it writes text and reads from one side only, and so came without padding."""
    writes = architectures.transformers(name, "ForCausalLM")
    return writes is not None and architectures.transformers(name, "ForMaskedLM") is None


def _anatomy(found: Architecture, head: tuple[str, ...]) -> Anatomy:
    first: dict[str, int] = {}
    for position, path in enumerate(found.calls):
        first.setdefault(path, position)
    return anatomy(
        found.root.class_name,
        _tree(found),
        shape=lambda weights: weights.shape,
        head=lambda name: any(name == part or name.startswith(f"{part}.") for part in head),
        first=first or None,
        batch_norm=lambda kind: kind[2],
    )


def _tree(found: Architecture) -> Tree:
    """The tree that blocks are found in; layers that are alike are different nodes there."""
    places: dict[str, Tree] = {}
    weights: dict[str, Weights] = {}
    repeated, tied = dict(found.repeated), dict(found.tied)

    def planted(path: str, node: Node) -> Tree:
        prefix = f"{path}." if path else ""
        own = {}
        for name, shape, _ in node.parameters:
            where = tied.get(prefix + name, prefix + name)
            own[name] = weights.setdefault(where, Weights(shape))
        tree = places[path] = _leaf(node, own)
        for name, child in node.children:
            same = repeated.get(prefix + name)
            tree.children.append((name, places[same] if same in places else planted(prefix + name, child)))
        return tree

    return planted("", found.root)


def _leaf(node: Node, parameters: dict[str, Weights]) -> Tree:
    kinds = {node.class_name, *node.bases}
    statistics = node.norm is not None and node.norm.has_statistics
    vectors = bool(parameters) and all(len(weights.shape) <= 1 for weights in parameters.values())
    is_list = "ParametrizationList" in kinds
    return Tree(
        kind=(node.library, node.class_name, "_BatchNorm" in kinds),
        stack="" if is_list else next((stack for name, stack in _STACKS.items() if name in kinds), ""),
        norm=node.role == "norm" or statistics or (vectors and "norm" in node.class_name.lower()),
        trails="PReLU" in kinds,
        embedding=bool({"Embedding", "EmbeddingBag"} & kinds),
        statistics=statistics,
        parametrized=any(name == "parametrizations" for name, _ in node.children),
        parameters=dict(parameters),
    )


def _unknown(name: str, library: str | None) -> str:
    wanted = LIBRARIES if library is None else (library,)
    known = dict.fromkeys(each for one in wanted for each in architectures.names(one))
    near = get_close_matches(name.rpartition("/")[2].lower(), list(known), 3, cutoff=0.5)
    where = f" of {library}" if library else ""
    hint = f"nearest: {_listed(near)}" if near else f"names are those of {', '.join(wanted)}"
    return f"{name} is no model{where} that freezelint knows; {hint}"


def _listed(names: list[str]) -> str:
    return ", ".join(names)
