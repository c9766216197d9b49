from __future__ import annotations

from pathlib import Path

from tests.mends.scripts import fixed_script

LOOP = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
model.requires_grad_(False)
for block in (model[4], model[2], model[0]):
    block.requires_grad_(True)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    model(torch.randn(16, 4)).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
"""
CLASS = """\
import torch
from torch import nn


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = None

    def open(self, block):
        block.requires_grad_(True)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=0.01)

    def step(self):
        self.model(torch.randn(16, 4)).square().mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
model.requires_grad_(False)
trainer = Trainer(model)
for block in (model[4], model[2], model[0]):
    trainer.open(block)
    trainer.step()
"""


def test_without_leave_nothing_changes(tmp_path: Path) -> None:
    assert fixed_script(tmp_path, LOOP).text == LOOP


def test_an_optimizer_without_a_name_is_left_alone(tmp_path: Path) -> None:
    text = LOOP.replace("    optimizer = torch", "    step(torch").replace("lr=0.01)", "lr=0.01))")
    text = text.replace("for block", "def step(optimizer):\n{body}\n\n\nfor block")
    body, rest = text.split("    model(torch")
    text = body.format(body=f"    model(torch{rest.rstrip()}")
    done = fixed_script(tmp_path, text, unsafe=True)
    assert done.text == text
    assert done.refused == {"FRZ207": "the new optimizer is given no name where it is built"}


def test_in_a_loop_the_state_goes_from_one_to_the_next(tmp_path: Path) -> None:
    done = fixed_script(tmp_path, LOOP, unsafe=True)
    lines = LOOP.splitlines(keepends=True)
    lines.insert(8, "    optimizer.state.update(state)\n    state = optimizer.state\n")
    lines.insert(5, "state = {}\n")
    assert done.text == "".join(lines)


def test_an_attribute_that_may_hold_none_yet(tmp_path: Path) -> None:
    done = fixed_script(tmp_path, CLASS, unsafe=True)
    lines = CLASS.splitlines(keepends=True)
    lines.insert(13, "        self.optimizer.state.update(state)\n")
    lines.insert(12, "        state = {} if self.optimizer is None else self.optimizer.state\n")
    assert done.text == "".join(lines)


STAGES = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
model.requires_grad_(False)
model[4].requires_grad_(True)
first = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
model(torch.randn(16, 4)).square().mean().backward()
first.step()
model[2].requires_grad_(True)
second = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
model(torch.randn(16, 4)).square().mean().backward()
second.step()
model[0].requires_grad_(True)
third = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
model(torch.randn(16, 4)).square().mean().backward()
third.step()
"""


def test_each_stage_takes_over(tmp_path: Path) -> None:
    lines = STAGES.splitlines(keepends=True)
    lines.insert(15, "third.state.update(second.state)\n")
    lines.insert(11, "second.state.update(first.state)\n")
    assert fixed_script(tmp_path, STAGES, unsafe=True).text == "".join(lines)


def test_each_stage_takes_over_under_one_name(tmp_path: Path) -> None:
    text = STAGES.replace("first", "optimizer").replace("second", "optimizer").replace("third", "optimizer")
    lines = text.splitlines(keepends=True)
    for number in (14, 10):
        lines.insert(number + 1, "optimizer.state.update(state)\n")
        lines.insert(number, "state = optimizer.state\n")
    assert fixed_script(tmp_path, text, unsafe=True).text == "".join(lines)
