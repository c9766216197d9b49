from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

BEFORE = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 2))
{freeze}
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
model(torch.randn(16, 4)).sum().backward()
optimizer.step()
"""
LOOP = "for p in model[0].parameters():\n    {}"


def test_a_name_that_comes_from_elsewhere_stays(tmp_path: Path) -> None:
    freeze = "name = 'require' + '_grad'\n" + LOOP.format("setattr(p, name, False)")
    done = fixed_script(tmp_path, BEFORE.format(freeze=freeze))
    assert done.text == BEFORE.format(freeze=freeze)
    assert "is not written where the attribute is set" in done.refused["FRZ502"]


@pytest.mark.parametrize(
    ("freeze", "fixed"),
    [
        (LOOP.format("p.require_grad = False"), LOOP.format("p.requires_grad = False")),
        (LOOP.format("p.requires_gard = False  # off"), LOOP.format("p.requires_grad = False  # off")),
        (
            LOOP.format("setattr(p, 'requires_grads', False)"),
            LOOP.format("setattr(p, 'requires_grad', False)"),
        ),
        (
            "for p in model[0].parameters(): p.require_grad = False; print(p)",
            "for p in model[0].parameters(): p.requires_grad = False; print(p)",
        ),
        (
            "a = model[0]\na.weight.require_grad = a.bias.require_grad = False",
            "a = model[0]\na.weight.requires_grad = a.bias.requires_grad = False",
        ),
        (
            "for k, v in dict(require_grad=False).items():\n    setattr(model[0].weight, k, v)",
            "for k, v in dict(requires_grad=False).items():\n    setattr(model[0].weight, k, v)",
        ),
        ("model[0].require_grad = False", "model[0].requires_grad_(False)"),
        ('setattr(model[0], "require_grad", False)', "model[0].requires_grad_(False)"),
        (
            "model[0].require_grad = model[2].require_grad = False",
            "model[0].requires_grad_(False)\nmodel[2].requires_grad_(False)",
        ),
    ],
)
def test_it_gets_its_right_name(tmp_path: Path, freeze: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(freeze=freeze))
    assert done.text == BEFORE.format(freeze=fixed)
    assert done.applied == ("FRZ502",)


def test_what_asks_for_the_attribute_follows(tmp_path: Path) -> None:
    freeze = (
        LOOP.format("p.require_grad = False") + "\nprint([p.require_grad for p in model[0].parameters()])"
    )
    done = fixed_script(tmp_path, BEFORE.format(freeze=freeze))
    assert done.text == BEFORE.format(freeze=freeze.replace("require_", "requires_"))


def test_an_option_of_the_same_name_keeps_it(tmp_path: Path) -> None:
    freeze = """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--require_grad", action="store_true")
args = parser.parse_args()
for p in model[0].parameters():
    p.require_grad = args.require_grad"""
    done = fixed_script(tmp_path, BEFORE.format(freeze=freeze))
    assert done.text == BEFORE.format(freeze=freeze.replace("p.require_grad", "p.requires_grad"))
