from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

BEFORE = """\
import torch
from torch import nn


{code}


optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
model(torch.randn(16, 4)).sum().backward()
optimizer.step()
"""
MODEL = "\n\nmodel = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))\n"
FREEZE = "def freeze(module):\n    {}" + MODEL + "freeze(model[0])"


def test_it_is_an_unsafe_fix(tmp_path: Path) -> None:
    code = FREEZE.format("module.requires_grad_(True)")
    done = fixed_script(tmp_path, BEFORE.format(code=code))
    assert done.text == BEFORE.format(code=code)
    assert done.applied == ()


@pytest.mark.parametrize(
    ("body", "fixed"),
    [
        ("module.requires_grad_(True)", "module.requires_grad_(False)"),
        ("module.requires_grad_()", "module.requires_grad_(False)"),
        ("module.requires_grad_(requires_grad=True)", "module.requires_grad_(requires_grad=False)"),
        (
            "for p in module.parameters():\n        p.requires_grad = True",
            "for p in module.parameters():\n        p.requires_grad = False",
        ),
        (
            "for p in module.parameters(): setattr(p, 'requires_grad', True)",
            "for p in module.parameters(): setattr(p, 'requires_grad', False)",
        ),
        (
            "module.weight.requires_grad = True\n    module.bias.requires_grad = True",
            "module.weight.requires_grad = False\n    module.bias.requires_grad = False",
        ),
    ],
)
def test_the_constant_is_turned_round(tmp_path: Path, body: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(code=FREEZE.format(body)), unsafe=True)
    assert done.text == BEFORE.format(code=FREEZE.format(fixed))
    assert done.applied == ("FRZ511",)


def test_an_unfreeze_is_turned_round_too(tmp_path: Path) -> None:
    code = "def unfreeze(module):\n    module.requires_grad_({})" + MODEL
    code += "model.requires_grad_(False)\nunfreeze(model[2])"
    done = fixed_script(tmp_path, BEFORE.format(code=code.format(False)), unsafe=True)
    assert done.text == BEFORE.format(code=code.format(True))
