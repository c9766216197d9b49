from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

BEFORE = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
{freeze}
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
model(torch.randn(16, 4)).sum().backward()
optimizer.step()
"""


@pytest.mark.parametrize(
    ("statement", "fixed"),
    [
        ("p.requires_grad == False", "p.requires_grad = False"),
        ("False == p.requires_grad", "p.requires_grad = False"),
        ("p.requires_grad is False  # frozen", "p.requires_grad = False  # frozen"),
        ("p.requires_grad != True", "p.requires_grad = False"),
        ("(p.requires_grad == False)", "p.requires_grad = False"),
    ],
)
def test_a_comparison_becomes_an_assignment(tmp_path: Path, statement: str, fixed: str) -> None:
    loop = "for p in model[0].parameters():\n    {}"
    done = fixed_script(tmp_path, BEFORE.format(freeze=loop.format(statement)))
    assert done.text == BEFORE.format(freeze=loop.format(fixed))
    assert done.applied == ("FRZ503",)


def test_for_a_module_its_method_is_called(tmp_path: Path) -> None:
    done = fixed_script(tmp_path, BEFORE.format(freeze="model[0].requires_grad == False"))
    assert done.text == BEFORE.format(freeze="model[0].requires_grad_(False)")


def test_in_a_loop_on_one_line(tmp_path: Path) -> None:
    loop = "for p in model[0].parameters(): p.requires_grad {} False"
    done = fixed_script(tmp_path, BEFORE.format(freeze=loop.format("==")))
    assert done.text == BEFORE.format(freeze=loop.format("="))


def test_what_is_no_constant_is_assigned_as_well(tmp_path: Path) -> None:
    loop = "TRAIN = False\nfor p in model[0].parameters():\n    p.requires_grad {} TRAIN"
    done = fixed_script(tmp_path, BEFORE.format(freeze=loop.format("==")))
    assert done.text == BEFORE.format(freeze=loop.format("="))


def test_a_chain_of_comparisons_stays(tmp_path: Path) -> None:
    loop = "for p in model[0].parameters():\n    p.requires_grad == p.requires_grad == False"
    done = fixed_script(tmp_path, BEFORE.format(freeze=loop))
    assert done.text == BEFORE.format(freeze=loop)
