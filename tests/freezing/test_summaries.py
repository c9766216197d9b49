"""What is frozen and what trains, block by block."""

from __future__ import annotations

import torch
from torch import nn

from freezelint import freezing
from tests.freezing.models import Net

TABLE = """\
block      parameters    trainable    frozen  mode              rate              memory
-------  ------------  -----------  --------  ----------------  --------------  --------
stage.0           120            0       120  mixed                                520 B
stage.1           156          156         0  train             0.001 to 0.002     664 B
head               10           10         0  train             0.01                40 B
total             286          166       120  58.0 % trainable                   1.2 KiB"""


def test_as_a_table() -> None:
    model = Net(2)
    freezing.freeze(model, "stage.0")
    stage = model.stage[1]
    optimizer = torch.optim.SGD(
        [
            {"params": model.head.parameters()},
            {"params": stage.conv.parameters(), "lr": 1e-3},
            {"params": stage.bn.parameters(), "lr": 2e-3},
        ],
        lr=1e-2,
    )
    summary = freezing.summary(model, optimizer)
    assert str(summary) == TABLE


def test_as_numbers() -> None:
    model = Net(2).eval()
    freezing.freeze_all_but(model, "head")
    summary = freezing.summary(model)
    assert [row.block for row in summary.rows] == ["stage.0", "stage.1", "head"]
    assert (summary.parameters, summary.trainable, summary.frozen) == (286, 10, 276)
    assert [(row.mode, row.rates) for row in summary.rows] == [("eval", ())] * 3
    tensors = [*model.parameters(), *model.buffers()]
    assert summary.memory == sum(t.numel() * t.element_size() for t in tensors)


def test_costs_no_memory_for_a_model_of_any_size() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(65536, 65536), nn.Linear(65536, 65536))
    assert "32.0 GiB" in str(freezing.summary(model))
