"""Stand-ins for torchvision's data sets: the same classes, with noise for pictures, so that the script's
subclasses work too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from freezelint.live.hermetic.pictures import labels, picture, pictures
from freezelint.live.hermetic.session import Session
from freezelint.live.hermetic.vision_catalogue import BY_FILE, IN_MEMORY, LONGEST, Arrays, Pictures

MODULES = ("torchvision.datasets",)

_WHY = "pictures of noise with the real sizes and classes instead of a download"


def install(module: ModuleType, session: Session) -> None:
    """Change the classes in place: what the script derives from them, or tests with `isinstance`, stays what
    it was.
    """
    for name, arrays in IN_MEMORY.items():
        if hasattr(module, name):
            _hold_noise(getattr(module, name), arrays, session)
    for name, spec in BY_FILE.items():
        if hasattr(module, name):
            _make_pictures(getattr(module, name), spec, session)
    _fill_missing_folders(module, session)
    session.replace(module.EMNIST, "__init__", _emnist(module, session))


def arguments_of(real: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    bound = inspect.signature(real).bind(instance, *args, **kwargs)
    bound.apply_defaults()
    return {**bound.arguments.get("kwargs", {}), **bound.arguments}


def start(session: Session, cls: type, instance: Any, arguments: dict[str, Any]) -> None:
    """What all of torchvision's data sets do when they are built."""
    from torchvision.datasets import VisionDataset

    session.note(f"torchvision {cls.__name__}", _WHY)
    transforms = {name: arguments.get(name) for name in ("transforms", "transform", "target_transform")}
    VisionDataset.__init__(instance, arguments.get("root"), **transforms)


def _length(lengths: Any, chosen: object) -> int:
    if chosen not in lengths:
        raise ValueError(f"Unknown split {chosen!r}; it should be one of {', '.join(map(str, lengths))}.")
    return int(lengths[chosen])


def _names(given: tuple[str, ...], count: int) -> list[str]:
    return list(given) if given else [f"class_{number:03d}" for number in range(count)]


def _hold_noise(cls: type, spec: Arrays, session: Session) -> None:
    def init(real: Callable[..., Any], instance: Any, *args: Any, **kwargs: Any) -> None:
        arguments = arguments_of(real, instance, args, kwargs)
        start(session, cls, instance, arguments)
        chosen = arguments[spec.split]
        setattr(instance, spec.split, chosen)
        count = _length(spec.lengths, bool(chosen) if spec.split == "train" else chosen)
        _hold(instance, spec, count)
        if chosen == "unlabeled":
            instance.labels[:] = -1
        elif chosen == "train+unlabeled":
            instance.labels[_length(spec.lengths, "train") :] = -1

    session.replace(cls, "__init__", init)


def _hold(instance: Any, spec: Arrays, count: int) -> None:
    import numpy

    seed = sum(map(ord, type(instance).__name__)) + count
    data, drawn = pictures(count, spec.shape, seed), labels(count, spec.classes, seed)
    if spec.tensors:
        noise = torch.randint(0, 256, (7 * count + 28 * 28,), dtype=torch.uint8)
        instance.data = noise.as_strided((count, *spec.shape), (7, spec.shape[1], 1))
        instance.targets = torch.tensor(drawn)
        return
    instance.data = data
    setattr(instance, spec.labels, numpy.array(drawn) if spec.labels == "labels" else drawn)
    if spec.labels == "targets" or spec.names:
        instance.classes = _names(spec.names, spec.classes)
        instance.class_to_idx = {name: number for number, name in enumerate(instance.classes)}


def _emnist(module: ModuleType, session: Session) -> Callable[..., None]:
    def init(real: Callable[..., Any], instance: Any, *args: Any, **kwargs: Any) -> None:
        arguments = arguments_of(real, instance, args, kwargs)
        start(session, module.EMNIST, instance, arguments)
        split = instance.split = arguments["split"]
        instance.train = bool(arguments.get("train", True))
        instance.classes = module.EMNIST.classes_split_dict[split]
        spec = Arrays((28, 28), len(instance.classes), "train", {}, tensors=True)
        _hold(instance, spec, 60_000 if instance.train else 10_000)
        # The letters are numbered from 1; class 0 is named, and empty.
        if split == "letters":
            instance.targets.clamp_(min=1)

    return init


def _make_pictures(cls: type, spec: Pictures, session: Session) -> None:
    def init(real: Callable[..., Any], instance: Any, *args: Any, **kwargs: Any) -> None:
        arguments = arguments_of(real, instance, args, kwargs)
        start(session, cls, instance, arguments)
        chosen = arguments[spec.split] if spec.split else ""
        instance.split = instance._split = chosen
        count = min(_length(spec.lengths, chosen), LONGEST)
        classes = spec.classes_by.get(arguments.get(spec.classes_argument), spec.classes)
        _describe(instance, spec, labels(count, classes, seed=count), classes)
        kinds = arguments.get("target_type", "category")
        instance.target_type = [kinds] if isinstance(kinds, str) else list(kinds)

    def get(_real: Callable[..., Any], instance: Any, index: int) -> Any:
        target = instance._freezelint_labels[range(len(instance._freezelint_labels))[index]]
        return transformed(instance, picture(index, spec.size, spec.mode), target)

    def length(_real: Callable[..., Any], instance: Any) -> int:
        return len(instance._freezelint_labels)

    session.replace(cls, "__init__", init)
    session.replace(cls, "__getitem__", get)
    session.replace(cls, "__len__", length)


def transformed(instance: Any, image: Any, target: Any) -> Any:
    """A pair as torchvision's data sets give it; `transforms` combines whatever the script passed."""
    return (image, target) if instance.transforms is None else instance.transforms(image, target)


def _describe(instance: Any, spec: Pictures, drawn: list[int], classes: int) -> None:
    names = _names(spec.names, classes)
    paths = [f"{instance.root}/{names[label]}/{i}.jpg" for i, label in enumerate(drawn)]
    instance._freezelint_labels = drawn
    for attribute in spec.name_attributes:
        setattr(instance, attribute, names)
    if "classes" in spec.name_attributes:
        instance.class_to_idx = {name: number for number, name in enumerate(names)}
    for attribute in spec.labels:
        setattr(instance, attribute, drawn)
    for attribute in spec.files:
        setattr(instance, attribute, paths)
    for attribute in spec.pairs:
        setattr(instance, attribute, list(zip(paths, drawn, strict=True)))


def _fill_missing_folders(module: ModuleType, session: Session) -> None:
    """A folder of pictures that is not there becomes one of two classes: few enough for every head that a
    script may have.
    """

    def init(real: Callable[..., Any], instance: Any, root: Any, *args: Any, **kwargs: Any) -> None:
        if not Path(root).is_dir():
            session.note(f"ImageFolder {root}", "two classes of noise, because the folder does not exist")
            root = _folder_of_noise(session)
        real(instance, root, *args, **kwargs)

    session.replace(module.ImageFolder, "__init__", init)


def _folder_of_noise(session: Session, classes: int = 2, each: int = 64) -> str:
    folder = session.folder / "images"
    if not folder.exists():
        for number in range(classes):
            (folder / f"class_{number:03d}").mkdir(parents=True)
        for index in range(classes * each):
            picture(index, (256, 256)).save(
                folder / f"class_{index % classes:03d}" / f"{index:04d}.jpg", quality=40
            )
    return str(folder)
