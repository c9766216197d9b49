"""torchvision's classification data sets by their outside: picture size, classes, and number of items per
split.

Lengths are the real ones, because scripts rely on them (`random_split(data, [45000, 5000])`, `drop_last`); a
picture is made only when it is asked for. The longest are cut to `LONGEST`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST = 50_000


@dataclass(frozen=True)
class Pictures:
    """A data set of single pictures with one class each.

    `split` is the argument that selects the part, `lengths` the items for each of its values ("" where there
    is no such argument). `labels`, `files` and `pairs` are the attributes that hold classes, paths, or both.
    """

    size: tuple[int, int]
    classes: int
    split: str
    lengths: Mapping[object, int]
    mode: str = "RGB"
    labels: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    name_attributes: tuple[str, ...] = ("classes",)
    classes_by: Mapping[object, int] = field(default_factory=dict)
    classes_argument: str = ""


@dataclass(frozen=True)
class Arrays:
    """A data set that holds all pictures in `data`. `shape` is that of one picture there, `tensors` whether
    it is a tensor.
    """

    shape: tuple[int, ...]
    classes: int
    split: str
    lengths: Mapping[object, int]
    labels: str = "targets"
    tensors: bool = False
    names: tuple[str, ...] = ()


_TRAIN_TEST_MNIST: Mapping[object, int] = {True: 60_000, False: 10_000}
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
_EUROSAT = (
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
)
_FILES_AND_LABELS: Mapping[str, Any] = {"labels": ("_labels",), "files": ("_image_files",)}
_FOLDER: Mapping[str, Any] = {"labels": ("targets",), "pairs": ("samples", "imgs")}

IN_MEMORY: Mapping[str, Arrays] = {
    "CIFAR10": Arrays((32, 32, 3), 10, "train", {True: 50_000, False: 10_000}, names=_CIFAR10),
    "CIFAR100": Arrays((32, 32, 3), 100, "train", {True: 50_000, False: 10_000}),
    "MNIST": Arrays((28, 28), 10, "train", _TRAIN_TEST_MNIST, tensors=True),
    "FashionMNIST": Arrays((28, 28), 10, "train", _TRAIN_TEST_MNIST, tensors=True),
    "KMNIST": Arrays((28, 28), 10, "train", _TRAIN_TEST_MNIST, tensors=True),
    "USPS": Arrays((16, 16), 10, "train", {True: 7_291, False: 2_007}),
    "SVHN": Arrays(
        (3, 32, 32), 10, "split", {"train": 73_257, "test": 26_032, "extra": 531_131}, labels="labels"
    ),
    "STL10": Arrays(
        (3, 96, 96),
        10,
        "split",
        {"train": 5_000, "test": 8_000, "unlabeled": 100_000, "train+unlabeled": 105_000},
        labels="labels",
        names=_STL10,
    ),
}

BY_FILE: Mapping[str, Pictures] = {
    "Flowers102": Pictures(
        (500, 500), 102, "split", {"train": 1_020, "val": 1_020, "test": 6_149}, **_FILES_AND_LABELS
    ),
    "Food101": Pictures((512, 384), 101, "split", {"train": 75_750, "test": 25_250}, **_FILES_AND_LABELS),
    "DTD": Pictures(
        (300, 300), 47, "split", {"train": 1_880, "val": 1_880, "test": 1_880}, **_FILES_AND_LABELS
    ),
    "FGVCAircraft": Pictures(
        (1024, 700),
        100,
        "split",
        {"train": 3_334, "val": 3_333, "trainval": 6_667, "test": 3_333},
        **_FILES_AND_LABELS,
        classes_by={"variant": 100, "family": 70, "manufacturer": 41},
        classes_argument="annotation_level",
    ),
    "Country211": Pictures(
        (400, 300), 211, "split", {"train": 31_650, "valid": 10_550, "test": 21_100}, **_FOLDER
    ),
    "SUN397": Pictures((500, 375), 397, "", {"": 108_754}, **_FILES_AND_LABELS),
    "Caltech101": Pictures(
        (300, 200),
        101,
        "",
        {"": 8_677},
        labels=("y",),
        name_attributes=("categories", "annotation_categories"),
    ),
    "Caltech256": Pictures((300, 200), 257, "", {"": 30_607}, labels=("y",), name_attributes=("categories",)),
    "StanfordCars": Pictures((600, 400), 196, "split", {"train": 8_144, "test": 8_041}, pairs=("_samples",)),
    "Imagenette": Pictures((500, 375), 10, "split", {"train": 9_469, "val": 3_925}, pairs=("_samples",)),
    "GTSRB": Pictures(
        (50, 50), 43, "split", {"train": 26_640, "test": 12_630}, pairs=("_samples",), name_attributes=()
    ),
    "PCAM": Pictures(
        (96, 96), 2, "split", {"train": 262_144, "val": 32_768, "test": 32_768}, name_attributes=()
    ),
    "FER2013": Pictures(
        (48, 48),
        7,
        "split",
        {"train": 28_709, "test": 7_178},
        mode="L",
        pairs=("_samples",),
        name_attributes=(),
    ),
    "RenderedSST2": Pictures(
        (448, 448),
        2,
        "split",
        {"train": 6_920, "val": 872, "test": 1_821},
        pairs=("_samples",),
        names=("negative", "positive"),
    ),
    "EuroSAT": Pictures((64, 64), 10, "", {"": 27_000}, **_FOLDER, names=_EUROSAT),
    "ImageNet": Pictures((500, 375), 1000, "split", {"train": 1_281_167, "val": 50_000}, **_FOLDER),
    "Places365": Pictures(
        (256, 256),
        365,
        "split",
        {"train-standard": 1_803_460, "train-challenge": 8_026_628, "val": 36_500},
        labels=("targets",),
        pairs=("imgs",),
    ),
}
