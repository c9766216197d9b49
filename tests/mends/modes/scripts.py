"""The script that the mends of this family are tried on, with what differs between the cases."""

from __future__ import annotations

NETWORK = """\
import sys

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.1))
        self.head = nn.Linear(8, 2){construction}

    def forward(self, x):
        return self.head(self.body(self.stem(x)).mean((2, 3))){methods}


"""

LOADED = """\
model = Net()
model.load_state_dict(torch.load("net.pt"))
"""

FROZEN = """\
for p in model.stem.parameters():
    p.requires_grad = False
"""

ALL_FROZEN = """\
for p in model.parameters():
    p.requires_grad = False
model.head = nn.Linear(8, 3)
"""

OPTIMIZER = "optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)\n"

STEP = """\
optimizer.zero_grad()
model(torch.randn(4, 3, 8, 8)).sum().backward()
optimizer.step()
"""

TESTED_LOOP = """\
for module in model.modules():
    if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
        module.eval()
"""

PLAIN_LOOP = TESTED_LOOP.replace(" and not module.weight.requires_grad", "")


def script(setup: str, epoch: str, *, construction: str = "", methods: str = "", functions: str = "") -> str:
    """`setup` stands between the loading of the model and the making of the optimizer, `epoch` before the
    step in the training loop; `construction` and `methods` belong to the model's class.
    """
    network = NETWORK.format(construction=indented(construction, 2), methods=indented(methods, 1))
    loop = f"for epoch in range(3):{indented(epoch + STEP, 1)}\n"
    return network + functions + LOADED + setup + OPTIMIZER + loop


def indented(text: str, levels: int) -> str:
    """The lines, each on a new one and that far indented."""
    return "".join(f"\n{'    ' * levels}{line}" if line else "\n" for line in text.splitlines())
