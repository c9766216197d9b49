"""A script that uses `freezelint.freezing` passes the linter: read, and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """\
import torch
from torch import nn
from freezelint import freezing


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU()) for _ in range(3)
        )
        self.head = nn.Linear(3, 2)

    def forward(self, images):
        for stage in self.stages:
            images = stage(images)
        return self.head(images.mean((2, 3)))


source = Net()
model = Net()
model.load_state_dict(source.state_dict())
model.head = nn.Linear(3, 2)
freezing.freeze_all_but(model, "head")
freezing.norms.calibrate(model, [torch.randn(8, 3, 8, 8) for _ in range(2)])
optimizer = torch.optim.AdamW(model.head.parameters(), lr=1e-3)
schedule = freezing.slanted_triangular(optimizer, total_steps=100)
unfreezing = freezing.GradualUnfreezing(model, optimizer, norms="frozen", schedule=schedule)
for epoch in range(4):
    unfreezing.begin_epoch(epoch)
    model.train()
    for _ in range(2):
        loss = nn.functional.cross_entropy(model(torch.randn(4, 3, 8, 8)), torch.randint(0, 2, (4,)))
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
"""


def check(directory: Path, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    (directory / "train.py").write_text(script)
    command = [sys.executable, "-m", "freezelint", "check", "--no-cache", *options, "train.py"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("options", [[], ["--run", "--steps", "8"]], ids=["read", "run"])
def test_find_nothing(tmp_path: Path, options: list[str]) -> None:
    done = check(tmp_path, SCRIPT, *options)
    assert "No freezing bugs found in" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
    if options:
        assert "8 steps watched" in done.stdout


def test_find_the_fault_where_flags_alone_are_set(tmp_path: Path) -> None:
    """The silence above is earned: flags alone leave the norm layers in train mode."""
    by_flag = SCRIPT.replace('freezing.freeze_all_but(model, "head")', "model.stages.requires_grad_(False)")
    script = "\n".join(line for line in by_flag.splitlines() if "unfreezing" not in line)
    assert "FRZ101" in check(tmp_path, script, "--run").stdout
