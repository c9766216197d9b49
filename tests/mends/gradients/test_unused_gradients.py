from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixing.mending import mended
from tests.mends.scripts import fixed_script

BEFORE = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.body = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        self.neck = nn.Linear(8, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.neck(self.body(self.stem(x))))


{code}
for _ in range(2):
    optimizer.zero_grad()
    model(torch.randn(16, 4)).sum().backward()
    optimizer.step()
"""


@pytest.mark.parametrize(
    ("code", "fixed"),
    [
        (  # a new head comes later: all that is there before it is frozen
            "model = Classifier()\nmodel.head = nn.Linear(8, 3)\n"
            "optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)",
            "model = Classifier()\nmodel.requires_grad_(False)\nmodel.head = nn.Linear(8, 3)\n"
            "optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)",
        ),
        (
            "model = Classifier()\nmodel.load_state_dict(Classifier().state_dict())\n"
            "model.head = nn.Linear(8, 3)\n"
            "optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)",
            "model = Classifier()\nmodel.load_state_dict(Classifier().state_dict())\n"
            "model.requires_grad_(False)\nmodel.head = nn.Linear(8, 3)\n"
            "optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)",
        ),
        (  # few blocks: each
            "model = Classifier()\n"
            "optimizer = torch.optim.SGD([*model.neck.parameters(), *model.head.parameters()], lr=0.1)",
            "model = Classifier()\nmodel.stem.requires_grad_(False)\nmodel.body.requires_grad_(False)\n"
            "optimizer = torch.optim.SGD([*model.neck.parameters(), *model.head.parameters()], lr=0.1)",
        ),
        (
            "model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(9)))\n"
            "optimizer = torch.optim.SGD(model[-1].parameters(), lr=0.1)",
            "model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(9)))\nmodel[:8].requires_grad_(False)\n"
            "optimizer = torch.optim.SGD(model[-1].parameters(), lr=0.1)",
        ),
        (  # many: all but what is trained
            "model = Classifier()\noptimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)",
            "model = Classifier()\nmodel.requires_grad_(False)\nmodel.head.requires_grad_(True)\n"
            "optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)",
        ),
        (
            "model = Classifier()\n"
            "last = [p for n, p in model.named_parameters() if n.startswith('head')]\n"
            "optimizer = torch.optim.SGD(last, lr=0.1)",
            "model = Classifier()\n"
            "last = [p for n, p in model.named_parameters() if n.startswith('head')]\n"
            "model.requires_grad_(False)\nfor parameter in last:\n    parameter.requires_grad = True\n"
            "optimizer = torch.optim.SGD(last, lr=0.1)",
        ),
    ],
)
def test_what_no_optimizer_holds_is_frozen(tmp_path: Path, code: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(code=code))
    assert done.text == BEFORE.format(code=fixed)
    assert done.applied == ("FRZ301",)


def test_in_a_function_that_gets_the_model(tmp_path: Path) -> None:
    code = """\
def parameters_of(net):
    {}return torch.optim.SGD(net.head.parameters(), lr=0.1)


model = Classifier()
optimizer = parameters_of(model)"""
    done = fixed_script(tmp_path, BEFORE.format(code=code.format("")))
    frozen = "net.requires_grad_(False)\n    net.head.requires_grad_(True)\n    "
    assert done.text == BEFORE.format(code=code.format(frozen))


def test_in_the_methods_of_a_trainer(tmp_path: Path) -> None:
    code = """\
class Trainer:
    def __init__(self):
        self.net = Classifier()
        {}self.optimizer = torch.optim.SGD([*self.net.neck.parameters(), *self.net.head.parameters()], lr=0.1)


trainer = Trainer()
model, optimizer = trainer.net, trainer.optimizer"""
    done = fixed_script(tmp_path, BEFORE.format(code=code.format("")))
    frozen = "self.net.stem.requires_grad_(False)\n        self.net.body.requires_grad_(False)\n        "
    assert done.text == BEFORE.format(code=code.format(frozen))


def test_in_the_constructor_of_a_model_that_builds_its_own_optimizer(tmp_path: Path) -> None:
    text = """\
import lightning as L
import torch
from torch import nn


class Classifier(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU()){}
        self.head = nn.Linear(8, 2)

    def training_step(self, batch, index):
        return self.head(self.backbone(batch)).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.head.parameters(), lr=0.1)


L.Trainer(max_steps=2).fit(Classifier(), torch.utils.data.DataLoader(torch.randn(8, 4)))
"""
    done = fixed_script(tmp_path, text.format(""))
    assert done.text == text.format("\n        self.backbone.requires_grad_(False)")


def test_a_network_that_only_measures_is_frozen_where_it_is_built(tmp_path: Path) -> None:
    (tmp_path / "losses.py").write_text(
        """\
from torch import nn
from torchvision.models import vgg11


class Perceptual(nn.Module):
    def __init__(self):
        super().__init__()
        network = vgg11(weights="DEFAULT")
        self.features = network.features[:4]

    def forward(self, x):
        return self.features(x).square().mean()
"""
    )
    (tmp_path / "train.py").write_text(
        """\
import torch

from losses import Perceptual

loss = Perceptual()
image = torch.rand(1, 3, 32, 32, requires_grad=True)
optimizer = torch.optim.Adam([image], lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    loss(image).backward()
    optimizer.step()
"""
    )
    done = mended(tmp_path, "losses.py", "train.py")
    assert "        network.requires_grad_(False)\n        self.features" in done.texts["losses.py"]
    assert done.applied == ("FRZ301",)


def test_in_a_file_with_tabs_and_other_line_ends(tmp_path: Path) -> None:
    code = (
        "model = Classifier()\nif True:\n    {}optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)"
    )
    text = BEFORE.replace("\n", "\r\n").replace("    ", "\t").replace("{code}", code.replace("    ", "\t"))
    done = fixed_script(tmp_path, text.replace("{}", "").replace("\r\r", "\r"))
    assert "\tmodel.requires_grad_(False)\r\n\tmodel.head.requires_grad_(True)\r\n" in done.text


def test_between_the_lines_of_a_cell(tmp_path: Path) -> None:
    code = "model = Classifier()\nmodel.head = nn.Linear(8, 3)\n"
    code += "optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)"
    first, last = BEFORE.split("{code}\n")
    shown = [{"cell_type": "code", "source": text.splitlines(keepends=True)} for text in (first, code, last)]
    (tmp_path / "train.ipynb").write_text(json.dumps({"cells": shown}, indent=1))
    done = mended(tmp_path, "train.ipynb")
    told = ["".join(cell["source"]) for cell in json.loads(done.text)["cells"]]
    assert told == [first, code.replace("()\n", "()\nmodel.requires_grad_(False)\n", 1), last]
