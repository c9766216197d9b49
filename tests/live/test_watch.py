"""`freezelint.watch` looks at the user's own steps, in the user's own loop."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import nn

import freezelint


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    )


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(4, 3, 8, 8)), torch.randint(0, 2, (4,))).backward()
        optimizer.step()


def test_changes_nothing_of_what_is_trained() -> None:
    plain = small()
    watched = copy.deepcopy(plain)
    for model, watching in ((plain, False), (watched, True)):
        torch.manual_seed(1)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        if watching:
            with freezelint.watch(model, optimizer):
                train(model, optimizer, 5)
        else:
            train(model, optimizer, 5)
    for one, other in zip(plain.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_reports_after_the_block_and_inside_it() -> None:
    model = small()
    for parameter in model[1].parameters():
        parameter.requires_grad = False
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.1)
    with freezelint.watch(model, optimizer) as report:
        assert list(report) == []
        train(model, optimizer, 1)
        assert [finding.code for finding in report] == ["FRZ101"]
        train(model, optimizer, 3)
    assert [finding.code for finding in report] == ["FRZ101"]
    assert report.trace.steps_done == 4


def test_names_the_lines_of_what_happens_inside_the_block() -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with freezelint.watch(model, optimizer) as report:
        for parameter in model[1].parameters():
            parameter.requires_grad = False  # the freeze
        model.train()  # the undoing
        train(model, optimizer, 2)
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    (finding,) = [finding for finding in report if finding.code == "FRZ101"]
    assert lines[finding.line - 1].endswith("# the undoing")
    assert any(lines[related.location.line - 1].endswith("# the freeze") for related in finding.related)


def test_looks_again_when_the_trainable_set_changes() -> None:
    model = small()
    optimizer = torch.optim.SGD(model[4].parameters(), lr=0.1)
    model[:4].requires_grad_(False)
    model[1].eval()
    with freezelint.watch(model, optimizer) as report:
        train(model, optimizer, 4)
        assert list(report) == []
        model[0].requires_grad_(True)  # forgotten in the optimizer
        train(model, optimizer, 2)
    assert [finding.code for finding in report] == ["FRZ203"]
    assert len(report.trace.steps) < report.trace.steps_done


def test_passes_on_what_the_block_raises_and_keeps_what_it_saw() -> None:
    model = small()
    model[1].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kept = None
    try:
        with freezelint.watch(model, optimizer) as report:
            kept = report
            train(model, optimizer, 1)
            raise KeyError("enough")
    except KeyError:
        pass
    assert kept is not None
    assert "FRZ101" in {finding.code for finding in kept}
