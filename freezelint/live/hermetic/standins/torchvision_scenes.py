"""Stand-ins for torchvision's data sets whose targets are more than a class: VOC, COCO, CelebA, Oxford-IIIT
Pet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from freezelint.live.hermetic.pictures import labels, picture
from freezelint.live.hermetic.session import Session
from freezelint.live.hermetic.standins.torchvision_datasets import arguments_of, start, transformed
from freezelint.live.hermetic.vision_catalogue import LONGEST

MODULES = ("torchvision.datasets",)

_VOC_NAMES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable"),
    *("dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
_SIZE = (500, 375)
Example = Callable[[Any, int], tuple[Any, Any]]


def install(module: ModuleType, session: Session) -> None:
    """Change the classes in place, as for the simpler data sets."""
    _stand_in(module.VOCSegmentation, session, _voc, _segmentation)
    _stand_in(module.VOCDetection, session, _voc, _detection)
    _stand_in(module.CelebA, session, _celeba, _face)
    _stand_in(module.OxfordIIITPet, session, _pets, _pet)
    _stand_in(module.CocoDetection, session, _coco, _coco_objects, unless_there="annFile")
    _stand_in(module.CocoCaptions, session, _coco, _coco_captions, unless_there="annFile")


def _stand_in(
    cls: type,
    session: Session,
    describe: Callable[[Any, dict[str, Any]], int],
    example: Example,
    unless_there: str = "",
) -> None:
    """`describe` sets the attributes and returns the length; `example` makes a picture and its target."""

    def init(real: Callable[..., Any], instance: Any, *args: Any, **kwargs: Any) -> None:
        arguments = arguments_of(real, instance, args, kwargs)
        if unless_there and Path(arguments[unless_there]).exists():
            real(instance, *args, **kwargs)
            return
        start(session, cls, instance, arguments)
        instance._freezelint_length = describe(instance, arguments)

    def get(real: Callable[..., Any], instance: Any, index: int) -> Any:
        if not hasattr(instance, "_freezelint_length"):
            return real(instance, index)
        image, target = example(instance, range(instance._freezelint_length)[index])
        return transformed(instance, image, target)

    def length(real: Callable[..., Any], instance: Any) -> int:
        stood_in = getattr(instance, "_freezelint_length", None)
        return int(real(instance)) if stood_in is None else int(stood_in)

    session.replace(cls, "__init__", init)
    session.replace(cls, "__getitem__", get)
    session.replace(cls, "__len__", length)


def _voc(instance: Any, arguments: dict[str, Any]) -> int:
    instance.year, instance.image_set = str(arguments["year"]), arguments["image_set"]
    count = {"train": 1_464, "val": 1_449, "trainval": 2_913}.get(instance.image_set, 1_449)
    instance.images = [f"{instance.root}/{number:06d}.jpg" for number in range(count)]
    instance.targets = [f"{instance.root}/{number:06d}.target" for number in range(count)]
    return count


def _segmentation(_instance: Any, index: int) -> tuple[Any, Any]:
    return picture(index, _SIZE), picture(index + 1, _SIZE, "L", values=21)


def _detection(_instance: Any, index: int) -> tuple[Any, Any]:
    box = {"xmin": "50", "ymin": "60", "xmax": "250", "ymax": "260"}
    thing = {
        "name": _VOC_NAMES[index % 20],
        "pose": "Unspecified",
        "truncated": "0",
        "difficult": "0",
        "bndbox": box,
    }
    size = {"width": str(_SIZE[0]), "height": str(_SIZE[1]), "depth": "3"}
    annotation = {
        "folder": "VOC",
        "filename": f"{index:06d}.jpg",
        "size": size,
        "segmented": "0",
        "object": [thing],
    }
    return picture(index, _SIZE), {"annotation": annotation}


def _celeba(instance: Any, arguments: dict[str, Any]) -> int:
    kinds = arguments["target_type"]
    instance.split = arguments["split"]
    instance.target_type = kinds if isinstance(kinds, list) else [kinds]
    counts = {"train": 162_770, "valid": 19_867, "test": 19_962, "all": 202_599}
    count = min(counts[instance.split], LONGEST)
    instance.attr = torch.randint(0, 2, (count, 40))
    instance.identity = torch.randint(1, 10_178, (count, 1))
    instance.bbox = torch.tensor([[40, 50, 100, 120]]).expand(count, 4)
    instance.landmarks_align = torch.randint(50, 150, (count, 10))
    instance.attr_names = [f"attribute_{number:02d}" for number in range(40)]
    instance.filename = [f"{number:06d}.jpg" for number in range(count)]
    return count


def _face(instance: Any, index: int) -> tuple[Any, Any]:
    held = {"attr": instance.attr, "bbox": instance.bbox, "landmarks": instance.landmarks_align}
    targets = [
        instance.identity[index, 0] if kind == "identity" else held[kind][index]
        for kind in instance.target_type
    ]
    return picture(index, (178, 218)), _one_or_all(targets)


def _pets(instance: Any, arguments: dict[str, Any]) -> int:
    kinds = arguments["target_types"]
    instance._split = arguments["split"]
    instance._target_types = [kinds] if isinstance(kinds, str) else list(kinds)
    count = {"trainval": 3_680, "test": 3_669}[instance._split]
    instance._labels = labels(count, 37, seed=count)
    instance._bin_labels = [label % 2 for label in instance._labels]
    instance._images = [f"{instance.root}/{number}.jpg" for number in range(count)]
    instance.classes = [f"breed_{number:02d}" for number in range(37)]
    instance.class_to_idx = {name: number for number, name in enumerate(instance.classes)}
    instance.bin_classes = ["Cat", "Dog"]
    instance.bin_class_to_idx = {"Cat": 0, "Dog": 1}
    return count


def _pet(instance: Any, index: int) -> tuple[Any, Any]:
    made: dict[str, Callable[[], Any]] = {
        "category": lambda: instance._labels[index],
        "binary-category": lambda: instance._bin_labels[index],
        # The trimap's pixels are 1, 2 and 3.
        "segmentation": lambda: picture(index + 1, _SIZE, "L", values=3).point(lambda pixel: pixel + 1),
    }
    return picture(index, _SIZE), _one_or_all([made[kind]() for kind in instance._target_types])


def _coco(instance: Any, _arguments: dict[str, Any]) -> int:
    instance.ids = list(range(1, 5_001))
    images = {number: {"id": number, "file_name": f"{number:012d}.jpg"} for number in instance.ids}
    categories = {number: {"id": number, "name": f"category_{number}"} for number in range(1, 91)}
    instance.coco = SimpleNamespace(
        imgs=images,
        cats=categories,
        getImgIds=lambda: list(images),
        getCatIds=lambda: list(categories),
        loadImgs=lambda ids: [images[number] for number in ids],
        loadCats=lambda ids: [categories[number] for number in ids],
    )
    return len(instance.ids)


def _coco_objects(instance: Any, index: int) -> tuple[Any, Any]:
    corners = [50.0, 60.0, 250.0, 60.0, 250.0, 260.0, 50.0, 260.0]
    thing = {
        "id": index + 1,
        "image_id": instance.ids[index],
        "category_id": index % 90 + 1,
        "bbox": [50.0, 60.0, 200.0, 200.0],
        "area": 40_000.0,
        "iscrowd": 0,
        "segmentation": [corners],
    }
    return picture(index, (640, 480)), [thing]


def _coco_captions(_instance: Any, index: int) -> tuple[Any, Any]:
    return picture(index, (640, 480)), [f"a picture of noise, number {index}, caption {n}" for n in range(5)]


def _one_or_all(targets: Iterable[Any]) -> Any:
    """One target as it is, several as a tuple, none as None: torchvision's habit."""
    several = tuple(targets)
    if not several:
        return None
    return several[0] if len(several) == 1 else several
