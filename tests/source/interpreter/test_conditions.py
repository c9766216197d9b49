"""Conditions that nobody knows: which side is taken, and what a finding says about it."""

from __future__ import annotations

import pytest

from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.reader import read
from tests.source.reading import found_in, read_source, value_of

FLAG = """
import argparse
import torch
from torch import nn
parser = argparse.ArgumentParser()
parser.add_argument("--freeze", action="store_true")
parser.add_argument("--arch", default="a")
args = parser.parse_args()
"""
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.head = nn.Linear(2, 2)
    def forward(self, x):
        return self.head(self.body(x))
model = Net()
"""
TRAIN = """
optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.1)
model.train()
for x, y in loader:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ("value", True),
        ("value is None", False),
        ("value is not None", True),
        ("value > 3", False),
        ("value == 'resnet'", True),
        ("not value", False),
    ],
)
def test_the_usual_side_is_taken(condition: str, taken: bool) -> None:
    source = f"from somewhere import value\nresult = False\nif {condition}:\n    result = True"
    assert value_of(source) is taken


def test_a_branch_that_gives_up_is_not_taken() -> None:
    assert value_of("from a import value\nresult = 1\nif value:\n    raise SystemExit") == 1


def test_the_same_condition_is_decided_alike_everywhere() -> None:
    machine = read_source("from a import value\nif value:\n    x = 1\nif value:\n    y = 2")
    assert list(machine.decisions.taken) == ["value"]


def test_a_finding_on_one_path_names_the_condition() -> None:
    freeze = "if args.freeze:\n    for p in model.body.parameters():\n        p.requires_grad = False\n"
    findings = [f for f in found_in(FLAG + NET + freeze + TRAIN) if f.code == "FRZ101"]
    assert len(findings) == 1
    assert findings[0].message.startswith("when `args.freeze`: ")


def test_a_finding_on_all_paths_names_none() -> None:
    freeze = "if args.freeze:\n    print(1)\nfor p in model.body.parameters():\n    p.requires_grad = False\n"
    findings = [f for f in found_in(FLAG + NET + freeze + TRAIN) if f.code == "FRZ101"]
    assert [f.message.startswith("when") for f in findings] == [False]


def test_a_setting_is_what_was_decided_on_it_from_the_beginning() -> None:
    source = f"""{FLAG}
chosen = args.arch
if args.arch == "b":
    optim_says = "b"
    print(torch.optim, chosen)
"""
    reading = read(file := SourceFile("train.py", source), Project(file))
    conditions = [[d.taken for d in run.decisions] for run in reading.entries[0]]
    assert [False] in conditions
    assert [True] in conditions


def test_two_options_cannot_be_chosen_at_once() -> None:
    modes = "if args.arch == 'b':\n    model.train()\nelse:\n    model.eval()"
    source = f"""{FLAG}
{NET}
if args.arch == "a":
    for p in model.body.parameters():
        p.requires_grad = False
{TRAIN.replace("model.train()", modes)}
"""
    assert "FRZ101" not in [finding.code for finding in found_in(source)]
