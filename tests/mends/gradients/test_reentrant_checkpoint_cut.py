from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

BEFORE = """\
import functools

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

stem, body, head = nn.Linear(4, 8), nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 2)
stem.requires_grad_(False)
optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.1)
for _ in range(2):
    images = torch.randn(16, 4)
    {checkpoint}
    optimizer.zero_grad()
    head(features).sum().backward()
    optimizer.step()
"""


def test_a_setting_stays_for_its_owner_to_change(tmp_path: Path) -> None:
    lines = "reentrant = True\n    features = checkpoint(body, stem(images), use_reentrant=reentrant)"
    done = fixed_script(tmp_path, BEFORE.format(checkpoint=lines))
    assert done.text == BEFORE.format(checkpoint=lines)
    assert done.refused["FRZ304"] == "`use_reentrant` comes from `reentrant`"


@pytest.mark.parametrize(
    "lines",
    [
        "features = checkpoint(body, stem(images), use_reentrant={})",
        "features = checkpoint(\n        body,\n        stem(images),\n        use_reentrant={},\n    )",
        "features = checkpoint(body[0], stem(images), use_reentrant={0})\n"
        "    features = checkpoint(body[1], features, use_reentrant={0})",
        "save = functools.partial(checkpoint, use_reentrant={})\n    features = save(body, stem(images))",
    ],
)
def test_it_is_not_reentrant_any_more(tmp_path: Path, lines: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(checkpoint=lines.format(True)))
    assert done.text == BEFORE.format(checkpoint=lines.format(False))
    assert done.applied == ("FRZ304",)
