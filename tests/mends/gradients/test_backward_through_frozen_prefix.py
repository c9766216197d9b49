from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.scripts import fixed_script

BEFORE = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
model[0].requires_grad_(False)
optimizer = torch.optim.SGD(model[2].parameters(), lr=0.1)
for _ in range(2):
    {images}
    optimizer.zero_grad()
    model(images).sum().backward()
    optimizer.step()
"""


def test_it_is_an_unsafe_fix(tmp_path: Path) -> None:
    images = "images = torch.randn(16, 4, requires_grad=True)"
    done = fixed_script(tmp_path, BEFORE.format(images=images))
    assert done.text == BEFORE.format(images=images)


@pytest.mark.parametrize(
    ("images", "fixed"),
    [
        ("images = torch.randn(16, 4, requires_grad=True)", "images = torch.randn(16, 4)"),
        (
            "images = torch.randn(16, 4, requires_grad=True, dtype=torch.float)  # fp32",
            "images = torch.randn(16, 4, dtype=torch.float)  # fp32",
        ),
        (
            "images = torch.randn(requires_grad=True, size=(16, 4))",
            "images = torch.randn(size=(16, 4))",
        ),
        ("images = torch.randn(16, 4).requires_grad_()", "images = torch.randn(16, 4)"),
        ("images = torch.randn(16, 4)\n    images.requires_grad_(True)", "images = torch.randn(16, 4)"),
        ("images = torch.randn(16, 4)\n    images.requires_grad = True", "images = torch.randn(16, 4)"),
        (
            "images = torch.randn(16, 4)\n    if True: images.requires_grad_()",
            "images = torch.randn(16, 4)\n    if True: pass",
        ),
        (
            "images = torch.autograd.Variable(torch.randn(16, 4), requires_grad=True)",
            "images = torch.autograd.Variable(torch.randn(16, 4))",
        ),
    ],
)
def test_the_input_asks_for_no_gradient(tmp_path: Path, images: str, fixed: str) -> None:
    done = fixed_script(tmp_path, BEFORE.format(images=images), unsafe=True)
    assert done.text == BEFORE.format(images=fixed)
    assert done.applied == ("FRZ302",)
