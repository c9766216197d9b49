"""`freezelint map TARGET`: scripts, runs, factories, names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from freezelint.cli import main

SCRIPT = """\
import argparse
import torch
from torch import nn


class Stage(nn.Sequential):
    def __init__(self, inputs, outputs):
        super().__init__(nn.Conv2d(inputs, outputs, 3), nn.BatchNorm2d(outputs), nn.ReLU())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([Stage(3, 4), Stage(4, 4), Stage(4, 4)])
        self.head = nn.Linear(4, 2)

    def forward(self, images):
        for stage in self.stages:
            images = stage(images)
        return self.head(images.mean((2, 3)))


def build():
    model = Net()
    model.stages[0].requires_grad_(False)
    model.stages[0][1].eval()
    groups = [{"params": model.head.parameters()}, {"params": model.stages[1:].parameters(), "lr": 1e-4}]
    optimizer = torch.optim.SGD(groups, lr=1e-2)
    return model, optimizer, lambda: model(torch.zeros(2, 3, 8, 8)).sum().backward()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--freeze", action="store_true")
    args = parser.parse_args()
    model, optimizer, step = build()
    if args.freeze:
        model.stages[1].requires_grad_(False)
    optimizer.zero_grad()
    step()
    optimizer.step()


def alone():
    return Net().stages


def wrong():
    return "a model"


if __name__ == "__main__":
    main()
"""

TABLE = """\
block       parameters    trainable    frozen  mode              rate      memory
--------  ------------  -----------  --------  ----------------  ------  --------
stages.0           120            0       120  mixed                        520 B
stages.1           156          156         0  train             0.0001     664 B
stages.2           156          156         0  train             0.0001     664 B
head                10           10         0  train             0.01        40 B
total              442          322       120  72.9 % trainable           1.8 KiB
"""


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What `freezelint map` says, on a directory with the script; complaints where it fails."""
    (tmp_path / "train.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, status: int = 0) -> str:
        assert main(["map", *arguments]) == status
        out, err = capfd.readouterr()
        return err if status else out

    return run


@pytest.mark.parametrize("options", [[], ["--run"]], ids=["read", "run"])
def test_a_script_at_its_first_step(told: Callable[..., str], options: list[str]) -> None:
    text = told("train.py", *options)
    assert text.startswith("model (Net), at the first optimizer step (train.py:41)\n\n" + TABLE)
    assert ("This is so when not `args.freeze`, and differs otherwise." in text) is not bool(options)


def test_the_arguments_of_a_script(told: Callable[..., str]) -> None:
    data = json.loads(told("train.py", "--run", "--output-format", "json", "--", "--freeze"))
    (model,) = data["models"]
    assert model["notes"] == []
    assert [row["trainable"] for row in model["blocks"]] == [0, 0, 156, 10]


def test_a_factory(told: Callable[..., str]) -> None:
    assert told("train.py:build") == "train.py:build (Net), as it is built\n\n" + TABLE
    (model,) = json.loads(told("train.py:alone", "--output-format", "json"))["models"]
    assert (model["name"], model["class"]) == ("train.py:alone", "ModuleList")
    assert [(row["block"], row["mode"], row["rates"]) for row in model["blocks"]] == [
        (f"{k}", "train", []) for k in range(3)
    ]
    assert model["total"] == {
        "parameters": 432, "trainable": 432, "frozen": 0, "unknown": 0, "memory": 1848,
    }  # fmt: skip


@pytest.mark.parametrize("target", ["train.py", "train.py:build"])
def test_by_depth(told: Callable[..., str], target: str) -> None:
    (model,) = json.loads(told(target, "--depth", "3", "--output-format", "json"))["models"]
    rows = [(row["block"], row["frozen"], row["mode"]) for row in model["blocks"]]
    assert rows[:3] == [
        ("stages.0.0", 112, "train"), ("stages.0.1", 8, "eval"), ("stages.1.0", 0, "train"),
    ]  # fmt: skip
    assert rows[-1] == ("head", 0, "train")


def test_an_architecture(told: Callable[..., str]) -> None:
    (model,) = json.loads(told("bert-base-uncased", "--depth", "1", "--output-format", "json"))["models"]
    assert [row["block"] for row in model["blocks"]] == ["embeddings", "encoder", "pooler"]
    assert model["total"]["parameters"] == 109_482_240
    assert model["blocks"][0]["mode"] is None


def test_a_function_that_trains(told: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text(
        "import torch, torchvision\n\n"
        "def fit(loader, rate):\n"
        "    model = torchvision.models.resnet18()\n"
        "    model.layer1.requires_grad_(False)\n"
        "    optimizer = torch.optim.SGD(model.parameters(), lr=rate)\n"
        "    for images in loader:\n"
        "        model(images).sum().backward()\n"
        "        optimizer.step()\n"
    )
    text = told("part.py")
    assert "layer1        147,968            0   147,968  train             ?       580.0 KiB" in text
    assert "In `fit`, whose arguments nobody knows." in text


def test_what_the_source_does_not_tell(told: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "unknown.py").write_text(
        "import torch\nfrom torch import nn\nfrom elsewhere import flag\n\n"
        "model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))\n"
        "model[0].requires_grad_(flag)\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "model(torch.zeros(1, 3)).sum().backward()\n"
        "optimizer.step()\n"
    )
    first = told("unknown.py").splitlines()[4]
    assert first.split() == ["0", "12", "0", "0", "12", "train", "0.1", "48", "B"]
    (model,) = json.loads(told("unknown.py", "--output-format", "json"))["models"]
    assert [(row["trainable"], row["frozen"], row["unknown"]) for row in model["blocks"]] == [
        (0, 0, 12), (8, 0, 0),
    ]  # fmt: skip


def test_what_is_replaced_later(told: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "twice.py").write_text(
        "import torch\nfrom torch import nn\n\n"
        "model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))\n"
        "for head in (model[1], nn.Linear(3, 5)):\n"
        "    model[1] = head\n"
        "    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)\n"
        "    model(torch.zeros(1, 3)).sum().backward()\n"
        "    optimizer.step()\n"
    )
    (model,) = json.loads(told("twice.py", "--output-format", "json"))["models"]
    assert [(row["parameters"], row["rates"]) for row in model["blocks"]] == [(12, []), (8, [0.1])]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("resnet5o", "no architecture of this name is known; nearest: `resnet50`"),
        ("gone.py", "gone.py: there is no such file"),
        (".", ".: is a directory; name a script, a factory (`train.py:build`) or an architecture"),
        ("train.py:nope", "train.py:nope: there is no `nope` in train.py"),
        ("train.py:wrong", "train.py:wrong returned an object of class str; it must return a model, or"),
        ("broken.py", "broken.py: "),
        ("empty.py", "empty.py: no training step of a known model was found in it; run it (`--run`)"),
        ("empty.py:model", "empty.py:model: "),
    ],
)
def test_bad_input_is_told_in_one_line(
    told: Callable[..., str], tmp_path: Path, target: str, said: str
) -> None:
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "empty.py").write_text("def model():\n    raise RuntimeError('no weights')\n")
    complaint = told(target, status=2).splitlines()[-1]
    assert complaint.startswith("error: ")
    assert said in complaint


def test_a_run_without_a_step(told: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "idle.py").write_text("print('nothing to do')\n")
    assert "idle.py: the script ran to its end without an optimizer step" in told(
        "idle.py", "--run", status=2
    )
