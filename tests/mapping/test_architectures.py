"""Maps of known architectures are what `freezing.summary` says of the real ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import timm
import torch
import transformers
from torch import nn
from torchvision import models

from freezelint import freezing
from freezelint.mapping.architectures import known, map_of, nearest
from freezelint.mapping.maps import as_text

MODELS: dict[str, Callable[[], nn.Module]] = {
    **{
        name: lambda name=name: models.get_model(name)
        for name in ("resnet50", "vgg16", "vit_b_16", "densenet121", "efficientnet_b0", "convnext_tiny")
    },
    "torchvision/shufflenet_v2_x1_0": models.shufflenet_v2_x1_0,
    "timm/vit_tiny_patch16_224": lambda: timm.create_model("vit_tiny_patch16_224"),
    "gpt2": lambda: transformers.GPT2Model(transformers.GPT2Config()),
    "bert-base-uncased": lambda: transformers.BertModel(transformers.BertConfig()),
    "BertForSequenceClassification": lambda: transformers.BertForSequenceClassification(
        transformers.BertConfig()
    ),
}
# What has buffers beside running statistics: the knowledge base does not tell them.
MORE_BUFFERS = ("gpt2", "bert-base-uncased", "BertForSequenceClassification")


@pytest.mark.parametrize("depth", [None, 1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_the_same_as_a_summary(name: str, depth: int | None) -> None:
    architecture = known(name)
    assert architecture is not None
    found = map_of(architecture, depth).summary
    with torch.device("meta"):
        expected = freezing.summary(MODELS[name](), depth=depth)
    assert [(row.block, row.parameters, row.trainable) for row in found.rows] == [
        (row.block, row.parameters, row.trainable) for row in expected.rows
    ]
    if name not in MORE_BUFFERS:
        assert [row.memory for row in found.rows] == [row.memory for row in expected.rows]


def test_names_that_are_nearly_right() -> None:
    assert known("resnet5o") is None
    assert nearest("resnet5o")[0] == "resnet50"
    assert "bert-base-uncased" in nearest("bert-base-uncasd")
    assert nearest("xyzzy") == []


TEXT = """\
resnet18 (ResNet), known from torchvision

block      parameters    trainable    frozen  mode               rate       memory
-------  ------------  -----------  --------  -----------------  ------  ---------
conv1           9,536        9,536         0                              37.8 KiB
layer1        147,968      147,968         0                             580.0 KiB
layer2        525,568      525,568         0                               2.0 MiB
layer3      2,099,712    2,099,712         0                               8.0 MiB
layer4      8,393,728    8,393,728         0                              32.0 MiB
fc            513,000      513,000         0                               2.0 MiB
total      11,689,512   11,689,512         0  100.0 % trainable           44.6 MiB

As it is built, before anything is frozen; memory is that of 32-bit weights and running statistics.
"""


def test_as_text() -> None:
    architecture = known("resnet18")
    assert architecture is not None
    assert as_text([map_of(architecture, None)]) == TEXT


def test_needs_no_torch() -> None:
    probe = (
        "import sys; from freezelint.cli import main; status = main(['map', 'resnet18']); "
        "sys.exit(status or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, TEXT)
