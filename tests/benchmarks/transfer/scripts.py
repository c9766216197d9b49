"""The fine-tuning script, as it should be, and what is exchanged in it to plant a fault."""

from __future__ import annotations

from dataclasses import dataclass

# The last stage and a new head are trained on 60 pictures of the target.
RIGHT = """\
import torch
from digits import EPOCHS, SEED, WEIGHTS, Half, SmallResNet, report
from torch import nn

torch.manual_seed(SEED)
target = Half(5).few(60)
model = SmallResNet()
model.load_state_dict(torch.load(WEIGHTS))
for parameter in model.parameters():
    parameter.requires_grad = False
model.head = nn.Linear(64, 5)
model.stage3.requires_grad_(True)
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05, momentum=0.9)


def step(x, y):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()


for epoch in range(EPOCHS):
    model.train()
    model.stem.eval()
    model.stage1.eval()
    model.stage2.eval()
    for x, y in target:
        step(x, y)

report(model, optimizer, lambda: step(target.train_x[:32], target.train_y[:32]), target)
"""
_EVAL = "    model.stem.eval()\n    model.stage1.eval()\n    model.stage2.eval()\n"
_FREEZE = "for parameter in model.parameters():\n    parameter.requires_grad = False\n"
_HEAD = "model.head = nn.Linear(64, 5)\n"
_OPEN = "model.stage3.requires_grad_(True)\n"
_ALL = (
    "optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05, momentum=0.9)\n"
)
_MODULES = "for stage in (model.stem, model.stage1, model.stage2):\n    stage.requires_grad = False\n"


@dataclass(frozen=True)
class Fault:
    """One fault: what takes the place of what in the right script."""

    code: str
    changes: tuple[tuple[str, str], ...]
    unsafe: bool = False

    @property
    def script(self) -> str:
        text = RIGHT
        for old, new in self.changes:
            assert text.count(old) == 1, (self.code, old)
            text = text.replace(old, new)
        return text


_LATE = "    if epoch == 4:\n        model.stage3.requires_grad_(True)\n    model.train()\n"
FAULTS = (
    Fault("FRZ101", ((_EVAL, ""),)),
    Fault("FRZ102", ((f"    model.train()\n{_EVAL}", f"{_EVAL}    model.train()\n"),)),
    Fault(
        "FRZ203",
        (
            (_OPEN, ""),
            ("    model.train()\n", _LATE),
            (
                "model.stage2.eval()\n",
                "model.stage2.eval()\n    if epoch < 4:\n        model.stage3.eval()\n",
            ),
        ),
    ),
    Fault("FRZ204", ((f"{_HEAD}{_OPEN}{_ALL}", f"{_OPEN}model.head.requires_grad_(True)\n{_ALL}{_HEAD}"),)),
    Fault(
        "FRZ301",
        (
            (_FREEZE, ""),
            (_OPEN, ""),
            (
                _ALL,
                _ALL.replace("[p for p in model.parameters() if p.requires_grad]", "model.head.parameters()"),
            ),
        ),
    ),
    Fault("FRZ401", ((_FREEZE, ""), (_OPEN, ""), (_EVAL, "")), unsafe=True),
    Fault("FRZ402", ((f"{_FREEZE}{_HEAD}", f"{_HEAD}{_FREEZE}"),)),
    Fault("FRZ501", ((_FREEZE, _MODULES),)),
)
