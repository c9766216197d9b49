"""Sources that must stay silent: read, and followed to their steps, so that the silence is an answer."""

from __future__ import annotations

import textwrap

from freezelint.registry import rules
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.judging import findings_of
from freezelint.source.reader import Reading, read

DEFAULTS = {rule.code for rule in rules() if rule.severity != "info"}

IMPORTS = """
import copy
import itertools
import torch
import torchvision
from torch import nn
import torch.nn.functional as F
"""


def reading(text: str) -> Reading:
    file = SourceFile("train.py", IMPORTS + textwrap.dedent(text))
    return read(file, Project(file))


def told(read: Reading) -> list[str]:
    """The findings at default selection, as lines to read."""
    return [f"{f.code} {f.location.line}: {f.message}" for f in findings_of(read) if f.code in DEFAULTS]


def assert_silent(text: str) -> None:
    """No finding, in a source whose training is followed."""
    found = reading(text)
    assert told(found) == []
    assert any(run.trace.steps for runs in found.entries for run in runs), "no training step was reached"
