"""Imports: modules of the project are read when something of them is used; everything else is a library."""

from __future__ import annotations

from pathlib import Path

from freezelint.source.files.project import Project
from freezelint.source.files.source_file import load
from freezelint.source.judging import findings_of
from freezelint.source.reader import read

MODELS = """
from torch import nn
from .layers import Block
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = Block()
        self.head = nn.Linear(2, 2)
    def forward(self, x):
        return self.head(self.body(x))
"""
LAYERS = """
from torch import nn
def Block():
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
"""
HELPERS = """
from train import unused  # a cycle
def freeze(module):
    for p in module.parameters():
        p.requires_grad = False
def train_one_epoch(model, optimizer, loader):
    model.train()
    for x in loader:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
"""
TRAIN = """
import torch
import helpers
from package.models import *
unused = 1
model = Net()
helpers.freeze(model.body)
optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
helpers.train_one_epoch(model, optimizer, data)
"""


def test_a_fault_in_a_helper_is_told_where_it_is_with_the_call(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "models.py").write_text(MODELS)
    (tmp_path / "package" / "layers.py").write_text(LAYERS)
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "train.py").write_text(TRAIN)
    file = load(tmp_path / "train.py", "train.py")
    findings = findings_of(read(file, Project(file)))
    assert [(finding.code, Path(finding.path).name, finding.line) for finding in findings] == [
        ("FRZ101", "helpers.py", 7)
    ]
    assert [call.path for call in findings[0].location.calls] == ["train.py"]


def test_packages_that_are_mere_directories(tmp_path: Path) -> None:
    """As notebooks of a course have them: `from lessons.code import engine`, without any `__init__.py`."""
    (tmp_path / "lessons" / "code").mkdir(parents=True)
    (tmp_path / "lessons" / "code" / "engine.py").write_text(HELPERS.replace("from train import unused", ""))
    text = TRAIN.replace("import helpers", "from lessons.code import engine as helpers")
    text = text.replace("from package.models import *", "from torchvision.models import resnet18")
    text = text.replace("Net()", "resnet18(weights='DEFAULT')").replace("model.body", "model")
    text = text.replace("model.head", "model.fc.requires_grad_(True)")
    (tmp_path / "train.py").write_text(text)
    file = load(tmp_path / "train.py", "train.py")
    findings = findings_of(read(file, Project(file)))
    assert [(finding.code, Path(finding.path).name) for finding in findings] == [("FRZ101", "engine.py")]


def test_a_module_that_does_not_parse_is_a_limit(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "train.py").write_text("from broken import freeze\nfreeze(1)\nresult = 2\n")
    file = load(tmp_path / "train.py", "train.py")
    project = Project(file)
    assert findings_of(read(file, project)) == []
    assert project.limits
