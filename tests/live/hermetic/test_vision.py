"""Hermetic stand-ins for torchvision, torch.hub and timm."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from PIL.Image import Image
from torch.utils.data import random_split
from torchvision import datasets, models, transforms
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from freezelint.live.hermetic import HermeticError
from tests.live.hermetic.running import Reports, hermetic

WEIGHTS = models.ResNet18_Weights.IMAGENET1K_V1


def pretrained_alone(reports: Reports, model: torch.nn.Module) -> bool:
    return set(reports.of(model).values()) == {"pretrained"}


# Silent: what needs no download stays what it is.


def test_a_model_without_weights_is_not_marked() -> None:
    with hermetic() as reports:
        assert set(reports.of(models.resnet18(weights=None)).values()) == {"unmarked"}
        assert set(reports.of(timm.create_model("resnet18", pretrained=False)).values()) == {"unmarked"}
    assert reports.notes == []


def test_a_folder_of_pictures_that_is_there_is_read(tmp_path: Path) -> None:
    from PIL import Image as Images

    for name in ("ants", "bees", "wasps"):
        (tmp_path / name).mkdir()
        Images.new("RGB", (8, 8)).save(tmp_path / name / "1.png")
    with hermetic() as reports:
        assert datasets.ImageFolder(tmp_path).classes == ["ants", "bees", "wasps"]
    assert reports.notes == []


# Models.


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_way_to_ask_for_weights() -> None:
    with hermetic() as reports:
        for model in (
            models.resnet18(weights="DEFAULT"),
            models.resnet18(weights=WEIGHTS),
            models.resnet18(WEIGHTS),
            models.resnet18(pretrained=True),
            models.get_model("resnet18", weights="IMAGENET1K_V1"),
            torch.hub.load("pytorch/vision:v0.10.0", "resnet18", pretrained=True),
        ):
            assert isinstance(model, models.ResNet)
            assert model.fc.out_features == 1000
            assert pretrained_alone(reports, model)
    assert reports.notes == [
        ("torchvision weights", "random weights, counted as pretrained, instead of a download")
    ]


def test_weights_loaded_by_hand_fit() -> None:
    with hermetic():
        assert models.resnet18().load_state_dict(WEIGHTS.get_state_dict(progress=False)).missing_keys == []
        # An address of an older torchvision, of which the file has been replaced since.
        state = torch.hub.load_state_dict_from_url(
            "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"
        )
        assert models.mobilenet_v2().load_state_dict(state).unexpected_keys == []


def test_the_parts_that_a_builder_drops_are_stored() -> None:
    with hermetic():
        stored = models.GoogLeNet_Weights.DEFAULT.get_state_dict()
        assert "aux1.fc1.weight" in stored


def test_a_wrong_number_of_classes_is_refused_as_ever() -> None:
    with hermetic(), pytest.raises(ValueError, match="num_classes"):
        models.resnet18(weights=WEIGHTS, num_classes=10)


def test_only_the_backbone_of_a_detector_is_pretrained() -> None:
    with hermetic() as reports:
        detector = fasterrcnn_mobilenet_v3_large_320_fpn(
            weights=None, weights_backbone="DEFAULT", num_classes=3
        )
        origins = reports.of(detector)
    assert origins["backbone.body.0.0.weight"] == "pretrained"
    assert origins["roi_heads.box_predictor.cls_score.weight"] == "unmarked"


def test_a_whole_segmentation_model() -> None:
    with hermetic() as reports:
        assert pretrained_alone(reports, lraspp_mobilenet_v3_large(weights="DEFAULT"))


def test_timm_keeps_the_new_head_fresh() -> None:
    with hermetic() as reports:
        assert pretrained_alone(reports, timm.create_model("resnet18", pretrained=True))
        assert reports.named(timm.create_model("resnet18", pretrained=True, num_classes=5), "fresh") == [
            "fc.weight",
            "fc.bias",
        ]
        assert pretrained_alone(reports, timm.create_model("resnet18", pretrained=True, num_classes=0))
        assert pretrained_alone(reports, timm.create_model("resnet18", pretrained=True, features_only=True))


def test_unknown_weights_and_repositories_are_refused_with_advice() -> None:
    with hermetic():
        with pytest.raises(HermeticError, match=r"https://x\.org/a\.pth.*run freezelint without --hermetic"):
            torch.hub.load_state_dict_from_url("https://x.org/a.pth")
        with pytest.raises(HermeticError, match=r"somebody/something.*source='local'"):
            torch.hub.load("somebody/something", "net")


# Data sets.

TO_TENSOR = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])


@pytest.mark.parametrize(
    ("name", "classes", "channels"),
    [
        ("CIFAR10", 10, 3),
        ("CIFAR100", 100, 3),
        ("MNIST", 10, 1),
        ("FashionMNIST", 10, 1),
        ("KMNIST", 10, 1),
        ("SVHN", 10, 3),
        ("STL10", 10, 3),
        ("USPS", 10, 1),
        ("Flowers102", 102, 3),
        ("OxfordIIITPet", 37, 3),
        ("Food101", 101, 3),
        ("Caltech101", 101, 3),
        ("Caltech256", 257, 3),
        ("StanfordCars", 196, 3),
        ("FGVCAircraft", 100, 3),
        ("DTD", 47, 3),
        ("EuroSAT", 10, 3),
        ("GTSRB", 43, 3),
        ("PCAM", 2, 3),
        ("ImageNet", 1000, 3),
        ("Places365", 365, 3),
        ("FER2013", 7, 1),
        ("Country211", 211, 3),
    ],
)
def test_a_data_set_has_the_real_classes(name: str, classes: int, channels: int) -> None:
    with hermetic() as reports:
        data = getattr(datasets, name)("data", transform=TO_TENSOR, target_transform=lambda label: label + 1)
        picture, label = data[len(data) - 1]
    assert picture.shape == (channels, 32, 32)
    assert 1 <= label <= classes
    assert reports.notes[0][0] == f"torchvision {name}"


def test_lengths_are_real_so_that_scripts_can_split() -> None:
    with hermetic():
        train, held_out = random_split(datasets.CIFAR10("data", download=True), [45_000, 5_000])
        assert (len(train), len(held_out)) == (45_000, 5_000)
        assert len(datasets.MNIST("data", train=False)) == 10_000


def test_what_a_data_set_holds() -> None:
    with hermetic():
        cifar = datasets.CIFAR10("data")
        assert cifar.data.shape == (50_000, 32, 32, 3)
        assert isinstance(cifar.targets, list)
        assert cifar.class_to_idx["airplane"] == 0
        assert isinstance(cifar[0][0], Image)
        mnist = datasets.MNIST("data")
        assert mnist.data.shape == (60_000, 28, 28)
        assert mnist.targets.dtype == torch.int64
        assert datasets.SVHN("data", split="test").labels.shape == (26_032,)
        assert not torch.equal(mnist.data[0], mnist.data[1])


def test_a_subclass_of_the_scripts_own() -> None:
    class Twice(datasets.CIFAR10):
        def __getitem__(self, index: int) -> tuple[object, object]:
            picture, _ = super().__getitem__(index)
            return picture, picture

    with hermetic():
        first, second = Twice("data", train=False)[0]
        assert first is second


def test_targets_beyond_a_class() -> None:
    with hermetic():
        picture, mask = datasets.VOCSegmentation("data", image_set="train")[0]
        assert isinstance(picture, Image)
        assert max(mask.tobytes()) <= 20
        annotation = datasets.VOCDetection("data", image_set="train")[0][1]["annotation"]
        assert set(annotation["object"][0]["bndbox"]) == {"xmin", "ymin", "xmax", "ymax"}
        assert datasets.CelebA("data", target_type="attr")[0][1].shape == (40,)
        assert datasets.CocoDetection("data", "none.json")[0][1][0]["bbox"] == [50, 60, 200, 200]
        pets = datasets.OxfordIIITPet("data", target_types=["category", "segmentation"])
        assert len(pets[0][1]) == 2


def test_a_missing_folder_of_pictures_has_two_classes() -> None:
    with hermetic() as reports:
        data = datasets.ImageFolder("data/train", TO_TENSOR)
        assert data.classes == ["class_000", "class_001"]
        assert data[0][0].shape == (3, 32, 32)
    assert reports.notes == [
        ("ImageFolder data/train", "two classes of noise, because the folder does not exist")
    ]


def test_a_wrong_split_is_refused() -> None:
    with hermetic(), pytest.raises(ValueError, match=r"training.*train, test"):
        datasets.SVHN("data", split="training")
