"""The script that the mends of this family are tried on, with what differs between the cases."""

from __future__ import annotations

SCRIPT = """\
import itertools

import torch
from torch import nn

body, head = nn.Sequential(nn.Linear(4, 8), nn.ReLU()), nn.Linear(8, 2)
model = nn.Sequential(body, head)
model.load_state_dict(torch.load("model.pt"))
{setup}
for epoch in range(4):
{epoch}    optimizer.zero_grad()
    model(torch.randn(16, 4)).sum().backward()
    optimizer.step()
"""


def script(setup: str, epoch: str = "") -> str:
    """`setup` stands before the training loop, `epoch` at its beginning."""
    inner = "".join(f"    {line}\n" if line else "\n" for line in epoch.splitlines())
    return SCRIPT.format(setup=setup, epoch=inner)
