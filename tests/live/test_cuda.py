"""The live audit on a GPU: the same findings, and everything put back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import freezelint
from tests.live.test_audit import Net, assert_same, everything, identities
from tests.stories import FIXTURES, judged, places

pytestmark = pytest.mark.cuda


def loss_of(model: nn.Module) -> torch.Tensor:
    images = torch.randn(4, 3, 8, 8, device="cuda")
    return nn.functional.cross_entropy(model(images), torch.randint(0, 2, (4,), device="cuda"))


@pytest.mark.parametrize("fused", [False, True])
def test_audit_leaves_everything_as_it_was(fused: bool) -> None:
    model = Net().cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=fused)
    loss_of(model).backward()
    optimizer.step()
    before, identity = everything(model, optimizer), identities(model, optimizer)
    random = torch.cuda.get_rng_state_all()

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()

    freezelint.audit(model, optimizer, step)
    assert_same(everything(model, optimizer), before)
    assert_same(torch.cuda.get_rng_state_all(), random)
    assert identities(model, optimizer) == identity


@pytest.mark.parametrize("fused", [False, True])
def test_a_frozen_parameter_that_moves_is_seen_by_its_value(fused: bool) -> None:
    model = Net().cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=fused)
    loss_of(model).backward()
    with freezelint.watch(model, optimizer) as report:
        model.head.weight.requires_grad = False  # its gradient stays, and AdamW goes on using it
        model.body[1].eval()
        optimizer.step()
    assert [finding.code for finding in report] == ["FRZ202"]


def test_statistics_that_drift_are_seen() -> None:
    model = Net().cuda()
    model.body.requires_grad_(False)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    report = freezelint.audit(model, optimizer, lambda: loss_of(model).backward())
    assert [finding.code for finding in report] == ["FRZ101"]


def test_a_script_that_says_cuda_runs_on_the_gpu() -> None:
    story = Path(FIXTURES, "hard_coded_cuda")
    findings, output = judged(story)
    assert {code for _, _, code in places(findings)} == {"FRZ101"}, output
