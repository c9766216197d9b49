from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

BEFORE = """\
import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.ModuleList(nn.Linear(4, 4) for _ in range(12))
        self.fc_norm = nn.LayerNorm(4)
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        for layer in self.layer:
            x = layer(x)
        return self.fc(self.fc_norm(x))


model = Encoder()
{code}
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
model(torch.randn(16, 4)).sum().backward()
optimizer.step()
"""
LOOP = """\
for name, p in model.named_parameters():
    if {}:
        p.requires_grad = False"""


def test_it_is_an_unsafe_fix(tmp_path: Path) -> None:
    code = LOOP.format("'layer.1' in name")
    done = fixed_script(tmp_path, BEFORE.format(code=code))
    assert done.text == BEFORE.format(code=code)


def test_a_pattern_that_also_means_others_stays(tmp_path: Path) -> None:
    code = "model.fc1 = nn.Linear(4, 4)\nmodel.requires_grad_(False)\n"
    code += LOOP.format("'fc' in name").replace("False", "True")
    done = fixed_script(tmp_path, BEFORE.format(code=code), unsafe=True)
    assert done.text == BEFORE.format(code=code)
    assert done.refused["FRZ505"] == "`fc` also stands for `fc1`, as far as is known"


@pytest.mark.parametrize(
    ("test", "fixed"),
    [
        ("'layer.1' in name", "'layer.1.' in name"),
        ("'layer.0' in name or 'layer.1' in name", "'layer.0.' in name or 'layer.1.' in name"),
        ("name.startswith(('layer.0', 'layer.1'))", "name.startswith(('layer.0.', 'layer.1.'))"),
        ("any(name.startswith(k) for k in ['layer.1'])", "any(name.startswith(k) for k in ['layer.1.'])"),
        ("any(f'layer.{i}' in name for i in range(2))", "any(f'layer.{i}.' in name for i in range(2))"),
        (
            "any('layer.{}'.format(i) in name for i in range(2))",
            "any('layer.{}.'.format(i) in name for i in range(2))",
        ),
        (
            "any('layer.' + str(i) in name for i in range(2))",
            "any('layer.' + str(i) + '.' in name for i in range(2))",
        ),
    ],
)
def test_the_pattern_ends_with_a_dot(tmp_path: Path, test: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(code=LOOP.format(test)), unsafe=True)
    assert done.text == BEFORE.format(code=LOOP.format(fixed))
    assert done.applied == ("FRZ505",)


@pytest.mark.parametrize(
    ("code", "fixed"),
    [
        (
            "FROZEN = ['layer.0', 'layer.1']\n" + LOOP.format("any(k in name for k in FROZEN)"),
            "FROZEN = ['layer.0.', 'layer.1.']\n" + LOOP.format("any(k in name for k in FROZEN)"),
        ),
        (
            "FROZEN = ['layer.0', 'layer.1']\nprint(FROZEN)\n"
            + LOOP.format("any(k in name for k in FROZEN)"),
            "FROZEN = ['layer.0', 'layer.1']\nprint(FROZEN)\n"
            + LOOP.format("any(f'{k}.' in name for k in FROZEN)"),
        ),
        (
            "model.requires_grad_(False)\n" + LOOP.format("'fc' in name").replace("= False", "= True"),
            "model.requires_grad_(False)\n" + LOOP.format("'fc.' in name").replace("= False", "= True"),
        ),
        (
            "for name, p in model.named_parameters():\n    p.requires_grad = not name.startswith('layer.1')",
            "for name, p in model.named_parameters():\n    p.requires_grad = not name.startswith('layer.1.')",
        ),
        (
            "for name, p in model.named_parameters():\n    if 'layer.1' not in name: continue\n"
            "    p.requires_grad = False",
            "for name, p in model.named_parameters():\n    if 'layer.1.' not in name: continue\n"
            "    p.requires_grad = False",
        ),
    ],
)
def test_wherever_it_is_written(tmp_path: Path, code: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(code=code), unsafe=True)
    assert done.text == BEFORE.format(code=fixed)


@pytest.mark.parametrize(
    ("code", "fixed"),
    [
        (
            "for m, p in zip(model.modules(), model.parameters()):\n    if isinstance(m, nn.LayerNorm):\n"
            "        # the scale, too\n        p.requires_grad = False",
            "for m in model.modules():\n    if isinstance(m, nn.LayerNorm):\n"
            "        for p in m.parameters(recurse=False):\n            # the scale, too\n"
            "            p.requires_grad = False",
        ),
        (
            "for (name, m), p in zip(model.named_modules(), model.parameters()):\n"
            "    if isinstance(m, nn.Linear) and p.ndim == 1:\n        p.requires_grad = False",
            "for name, m in model.named_modules():\n    for p in m.parameters(recurse=False):\n"
            "        if isinstance(m, nn.Linear) and p.ndim == 1:\n            p.requires_grad = False",
        ),
    ],
)
def test_a_pairing_becomes_a_loop_over_owners(tmp_path: Path, code: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(code=code), unsafe=True)
    assert done.text == BEFORE.format(code=fixed)
    assert done.applied == ("FRZ505",)
