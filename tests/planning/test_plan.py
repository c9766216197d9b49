"""`freezelint plan`: a training script for a published model, from its name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torchvision import models

from freezelint import freezing
from freezelint.cli import main
from freezelint.errors import BadInputError
from freezelint.planning.command import told
from freezelint.planning.targets import find

SIZES = (500, 5000, 50_000, 500_000)
WORDS = ("high", "medium", "low")

# Name, library, and the lines that give the model its new head.
TARGETS = {
    ("resnet50", "torchvision"): "model.fc = nn.Linear(model.fc.in_features, CLASSES)",
    ("vgg16", "torchvision"): "model.classifier[6] = nn.Linear(model.classifier[6].in_features, CLASSES)",
    ("vit_b_16", "torchvision"): "model.heads.head = nn.Linear(model.heads.head.in_features, CLASSES)",
    (
        "squeezenet1_1",
        "torchvision",
    ): "model.classifier[1] = nn.Conv2d(model.classifier[1].in_channels, CLASSES, kernel_size=1)",
    (
        "maxvit_t",
        "torchvision",
    ): "model.classifier[5] = nn.Linear(model.classifier[5].in_features, CLASSES, bias=False)",
    ("r3d_18", "torchvision"): 'models.video.r3d_18(weights="DEFAULT")',
    ("convnext_tiny", "timm"): 'timm.create_model("convnext_tiny", pretrained=True, num_classes=CLASSES)',
    ("efficientnet_b0", "timm"): 'timm.create_model("efficientnet_b0", pretrained=True, num_classes=CLASSES)',
    (
        "bert-base-uncased",
        "transformers",
    ): "AutoModelForSequenceClassification.from_pretrained(NAME, num_labels=CLASSES)",
    ("gpt2", "transformers"): "model.config.pad_token_id = model.config.eos_token_id",
    ("google/vit-base-patch16-224", "transformers"): "AutoModelForImageClassification.from_pretrained("
    "\n        NAME, num_labels=CLASSES, ignore_mismatched_sizes=True\n    )",
    ("facebook/wav2vec2-base", "transformers"): "AutoModelForAudioClassification.from_pretrained(",
}


def check(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "freezelint", "check", "--no-cache", "--isolated", *options]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("target", TARGETS, ids=[name for name, _ in TARGETS])
def test_the_reader_finds_nothing_in_any_cell(tmp_path: Path, target: tuple[str, str]) -> None:
    name, library = target
    for samples in SIZES:
        for word in WORDS:
            code = told(name, samples, word, library, 3, "text")
            assert TARGETS[target] in code
            assert max(map(len, code.splitlines())) <= 110
            (tmp_path / f"{samples}_{word}.py").write_text(code)
    done = check(tmp_path, "--output-format", "json")
    report = json.loads(done.stdout)
    assert report["summary"]["files_read"] == 12
    assert (report["findings"], report["limits"]) == ([], []), "read to the end"


SABOTAGE = {
    "FRZ101": ("            module.eval()\n", "            pass\n"),
    "FRZ402": ('HEAD = ("fc.",)', 'HEAD = ("layer4.",)'),
    "FRZ203": ("            optimizer.add_param_group(group)\n", ""),
}


@pytest.mark.parametrize("code", SABOTAGE)
def test_silence_is_earned(tmp_path: Path, code: str) -> None:
    before, after = SABOTAGE[code]
    script = told("resnet18", 5000, "low", None, 2, "text")
    assert before in script
    (tmp_path / "train.py").write_text(script.replace(before, after))
    assert code in check(tmp_path).stdout


@pytest.mark.parametrize(
    ("name", "samples", "word", "steps"),
    [
        ("resnet18", 500, "low", 2),
        ("prajjwal1/bert-tiny", 5000, "low", 10),
        ("mobilenetv3_small_100", 50_000, "low", 2),
    ],
)
def test_the_audit_finds_nothing(tmp_path: Path, name: str, samples: int, word: str, steps: int) -> None:
    """As it is printed, on stand-ins for data and weights; for the text through every opening."""
    (tmp_path / "train.py").write_text(told(name, samples, word, None, 2, "text"))
    done = check(tmp_path, "--run", "--hermetic", "--steps", str(steps), "train.py")
    assert "No freezing bugs found" in done.stdout, done.stdout + done.stderr
    assert f"{steps} steps watched" in done.stdout


TORCHVISION = (
    *("alexnet", "densenet121", "efficientnet_b0", "googlenet", "mobilenet_v2", "mvit_v1_b", "resnet50"),
    *("mnasnet0_5", "s3d", "shufflenet_v2_x1_0", "squeezenet1_0", "swin_t", "vgg11_bn", "vit_b_32"),
)
TIMM = ("beit_base_patch16_224", "convnext_atto", "mixer_b16_224", "resnetv2_50", "vit_tiny_patch16_224")


@pytest.mark.parametrize("name", TORCHVISION)
def test_blocks_of_torchvision_are_those_of_the_model(name: str) -> None:
    with torch.device("meta"):
        options: dict[str, Any] = {"aux_logits": False} if name == "googlenet" else {}
        model = models.get_model(name, num_classes=3, **options)
    assert_same_plan(name, "torchvision", model)


@pytest.mark.parametrize("name", TIMM)
def test_blocks_of_timm_are_those_of_the_model(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=3)
    assert_same_plan(name, "timm", model)


def assert_same_plan(name: str, library: str, model: torch.nn.Module) -> None:
    known = find(name, library, 3).anatomy
    head = tuple(dict.fromkeys(path for block in known.head for path in block.modules))
    ours = freezing.recommend(500, "medium", model, head=head).model
    assert set(known.parameters) == set(ours.parameters)
    assert {(b.name, b.values, b.layers, b.head) for b in known.blocks} == {
        (b.name, b.values, b.layers, b.head) for b in ours.blocks
    }
    assert (known.statistics, known.normed) == (ours.statistics, ours.normed)


def test_new_parts_of_a_checkpoint_are_the_head() -> None:
    head = find("distilbert-base-uncased", None, 2).anatomy.head
    assert [block.name for block in head] == ["pre_classifier", "classifier"]


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "resnet50", "--samples", "20000", "--similarity", "low", "--classes", "14"]
    assert main([*arguments, "--output-format", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    told_of = ("target", "library", "classes", "size", "similarity", "norms")
    assert [plan[key] for key in told_of] == ["resnet50", "torchvision", 14, "medium", "low", "follow"]
    assert [(b["name"], b["frozen"], b["from_epoch"]) for b in plan["blocks"][:3]] == [
        ("conv1", True, None), ("layer1", True, None), ("layer2", False, 1),
    ]  # fmt: skip
    assert [b["learning_rate"] for b in plan["blocks"][:3]] == [None, None, pytest.approx(5.12e-4)]
    assert plan["blocks"][-1]["parameters"] == 2048 * 14 + 14
    assert "CLASSES = 14" in plan["code"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == plan["code"]


@pytest.mark.parametrize(
    ("name", "library", "message"),
    [
        (
            "resnet51",
            "torchvision",
            "resnet51 is no model of torchvision that freezelint knows; nearest: resnet",
        ),
        (
            "bert-base-uncasd",
            None,
            "bert-base-uncasd is no model that freezelint knows; nearest: bert-base-uncased",
        ),
        ("x", "timm", "x is no model of timm that freezelint knows; names are those of timm"),
        (
            "bert",
            "transformers",
            "bert is a type of model, without weights: name a checkpoint, such as bert-base-",
        ),
        (
            "fasterrcnn_resnet50_fpn",
            None,
            "detects objects in pictures: a plan is for models that give one class",
        ),
        ("raft_small", None, "estimates motion: a plan is for models that give one class"),
        ("inception_v3", "torchvision", r"several classifiers \(AuxLogits.fc, fc\), .* timm's of this name"),
        ("facebook/detr-resnet-50", None, "has no head for classes in transformers"),
    ],
)
def test_what_cannot_be_planned_says_why(name: str, library: str | None, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        told(name, 100, "high", library, 2, "text")


def test_faults_of_the_arguments_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["plan", "resnet51", "--samples", "5", "--similarity", "high"],
        ["plan", "resnet50", "--samples", "0", "--similarity", "high"],
        ["plan", "resnet50", "--samples", "5", "--similarity", "same"],
        ["plan", "resnet50"],
    ):
        assert main(arguments) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.count("\n") == 1
