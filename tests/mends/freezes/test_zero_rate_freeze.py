from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

BEFORE = """\
import torch
from torch import nn

backbone, neck, head = nn.Sequential(nn.Linear(4, 8), nn.ReLU()), nn.Linear(8, 8), nn.Linear(8, 2)
{code}
for _ in range(2):
    optimizer.zero_grad()
    head(neck(backbone(torch.randn(16, 4)))).sum().backward()
    optimizer.step()
"""


def test_groups_that_are_not_written_out_stay(tmp_path: Path) -> None:
    code = "groups = [dict(params=backbone.parameters(), lr=0.0), dict(params=head.parameters())]\n"
    code += "optimizer = torch.optim.SGD(groups, lr=0.1)"
    done = fixed_script(tmp_path, BEFORE.format(code=code), unsafe=True)
    assert done.text == BEFORE.format(code=code)
    assert "is not written out" in done.refused["FRZ509"]


REST = '{"params": neck.parameters()}, {"params": head.parameters()}'


@pytest.mark.parametrize(
    ("code", "fixed"),
    [
        (
            f'optimizer = torch.optim.SGD([{{"params": backbone.parameters(), "lr": 0}}, {REST}], lr=0.1)',
            f"backbone.requires_grad_(False)\noptimizer = torch.optim.SGD([{REST}], lr=0.1)",
        ),
        (
            f'groups = [{{"params": backbone.parameters(), "lr": 0.0}}, {REST}]\n'
            "optimizer = torch.optim.SGD(groups, lr=0.1)",
            f"backbone.requires_grad_(False)\ngroups = [{REST}]\noptimizer = torch.optim.SGD(groups, lr=0.1)",
        ),
        (
            "optimizer = torch.optim.SGD(\n    [\n"
            '        {"params": [*backbone.parameters(), *neck.parameters()], '
            '"lr": 0},\n        {"params": head.parameters()},\n    ],\n    lr=0.1,\n)',
            "backbone.requires_grad_(False)\nneck.requires_grad_(False)\n"
            "optimizer = torch.optim.SGD(\n    [\n"
            '        {"params": head.parameters()},\n    ],\n    lr=0.1,\n)',
        ),
        (
            "model = nn.Sequential(backbone, neck, head)\n"
            "optimizer = torch.optim.SGD([\n"
            '    {"params": [p for n, p in model.named_parameters() if n[0] != "2"], "lr": 0},\n'
            '    {"params": head.parameters()},\n], lr=0.1)',
            "model = nn.Sequential(backbone, neck, head)\n"
            "for n, p in model.named_parameters():\n"
            '    if n[0] != "2":\n'
            "        p.requires_grad = False\n"
            "optimizer = torch.optim.SGD([\n"
            '    {"params": head.parameters()},\n], lr=0.1)',
        ),
        (
            "optimizer = torch.optim.SGD([*neck.parameters(), *head.parameters()], lr=0.1)\n"
            'optimizer.add_param_group({"params": backbone.parameters(), "lr": 0.0})',
            "optimizer = torch.optim.SGD([*neck.parameters(), *head.parameters()], lr=0.1)\n"
            "backbone.requires_grad_(False)",
        ),
    ],
)
def test_it_is_frozen_and_leaves_the_optimizer(tmp_path: Path, code: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(code=code), unsafe=True)
    assert done.text == BEFORE.format(code=fixed)
    assert done.applied[0] == "FRZ509"


def test_groups_that_are_counted_keep_their_number(tmp_path: Path) -> None:
    code = """\
optimizer = torch.optim.SGD([{{"params": {params}, "lr": 0.0}}, {{"params": head.parameters()}}], lr=0.1)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, [lambda epoch: 1.0, lambda epoch: 0.5])"""
    before = code.format(params="backbone.parameters()")
    done = fixed_script(tmp_path, BEFORE.format(code=before), unsafe=True)
    assert done.text == BEFORE.format(
        code="backbone.requires_grad_(False)\n"
        + code.format(params="[p for p in backbone.parameters() if p.requires_grad]")
    )
