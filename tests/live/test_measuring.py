"""What corrections save is measured on the very objects, which are left as they were."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

import freezelint
from freezelint.costs import Measurement
from freezelint.judge import judge
from freezelint.live.measuring import _Alive
from freezelint.wording import saved
from tests.live.test_audit import assert_same, everything, identities


class Wide(nn.Module):
    """A body that costs much more than its head."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*(nn.Sequential(nn.Linear(256, 256), nn.ReLU()) for _ in range(4)))
        self.head = nn.Linear(256, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.body(inputs))
        return result


def stepping(model: nn.Module, device: str = "cpu") -> Callable[[], None]:
    def step() -> None:
        model(torch.randn(128, 256, device=device)).square().mean().backward()

    return step


def test_nothing_is_measured_where_there_is_nothing_to_correct() -> None:
    model = Wide()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    assert freezelint.audit(model, optimizer, stepping(model), measure=True).measurements == ()
    assert freezelint.audit(model, optimizer, stepping(model)).measurements == ()


def test_unused_gradients_cost_time_and_memory() -> None:
    model = Wide()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.01)
    report = freezelint.audit(model, optimizer, stepping(model), measure=True)
    (measured,) = report.measurements
    assert measured.corrected == ("FRZ301",)
    assert measured.device == "cpu"
    assert measured.seconds_after < measured.seconds_before
    gradients = sum(p.numel() * 4 for p in model.body.parameters())
    activations = 4 * 128 * 256 * 4  # one for each layer of the body
    assert measured.bytes_before - measured.bytes_after > gradients
    assert measured.bytes_before - measured.bytes_after < gradients + 3 * activations
    assert "Correcting FRZ301 " in str(report)


@pytest.mark.parametrize(
    ("savings", "told"),
    [((0.5, 0.6), "per step (6.0 ms, 2.0 ms without them), and"), ((0.5, -0.1), "per step, and")],
)
def test_the_finding_tells_the_time_where_it_is_beyond_doubt(savings: tuple[float, ...], told: str) -> None:
    model = Wide()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.01)
    trace = freezelint.audit(model, optimizer, stepping(model)).trace
    measured = Measurement(("FRZ301",), 0.006, 0.002, savings, 2048, 1024, "cpu")
    (finding,) = judge([replace(trace, measurements=(measured,))])
    assert told in finding.message


def test_the_memory_of_a_step_is_counted_to_the_byte() -> None:
    """Of two layers autograd keeps the input of each; the output is there at the same time as both."""
    model = nn.Sequential(nn.Linear(64, 32), nn.Linear(32, 16))
    resident = sum(p.numel() * 4 for p in model.parameters())
    alive = _Alive(model.parameters())
    with alive:
        output = model(torch.randn(8, 64))
    assert alive.peak == resident + 8 * (64 + 32 + 16) * 4
    assert output.requires_grad


def test_memory_that_is_freed_is_used_again() -> None:
    alive = _Alive(())
    with alive:
        for _ in range(10):
            torch.randn(1000)
    assert 4000 <= alive.peak <= 8000


def test_state_that_leaves_with_frozen_parameters_is_saved() -> None:
    model = Wide()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(2):
        stepping(model)()
        optimizer.step()
        optimizer.zero_grad()
    model.body.requires_grad_(False)
    report = freezelint.audit(model, optimizer, stepping(model), measure=True)
    (measured,) = report.measurements
    moments = sum(2 * p.numel() * 4 + 4 for p in model.body.parameters())
    assert measured.corrected == ("FRZ201",)
    assert measured.bytes_before - measured.bytes_after == moments


def test_unused_gradients_are_told_apart_from_the_rest() -> None:
    model = Wide()
    model.body[0].requires_grad_(False)
    parameters = [*model.body[0].parameters(), *model.head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.01)
    report = freezelint.audit(model, optimizer, stepping(model), measure=True)
    assert [each.corrected for each in report.measurements] == [("FRZ201", "FRZ301"), ("FRZ301",)]


@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
def test_everything_is_left_as_it_was(fails: bool) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(288, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model(torch.randn(4, 3, 8, 8)).sum().backward()
    optimizer.step()
    model[:2].requires_grad_(False)
    before, identity = everything(model, optimizer), identities(model, optimizer)
    batches = iter(range(8 if fails else 1000))

    def step() -> None:
        next(batches)
        model.train()
        optimizer.zero_grad()
        model(torch.randn(4, 3, 8, 8)).sum().backward()
        optimizer.step()

    if fails:
        with pytest.raises(StopIteration):
            freezelint.audit(model, optimizer, step, measure=True)
    else:
        report = freezelint.audit(model, optimizer, step, measure=True)
        assert report.measurements[0].corrected == ("FRZ101", "FRZ201")
    assert_same(everything(model, optimizer), before)
    assert identities(model, optimizer) == identity
    assert "train" not in vars(model[1])


def test_measured_first_then_applied() -> None:
    model = Wide()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.01)
    values = copy.deepcopy(model.state_dict())
    report = freezelint.audit(model, optimizer, stepping(model), measure=True, apply=True)
    assert report.measurements
    assert [each.code for each in report.applied] == ["FRZ301"]
    assert not any(p.requires_grad for p in model.body.parameters())
    assert all(torch.equal(value, values[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("seconds", "savings", "sizes", "told"),
    [
        ((0.05, 0.03), (0.3, 0.5), (3 << 20, 1 << 20), "saves 40 % of a step's time (50.0 ms → 30.0 ms; "),
        ((0.05, 0.03), (0.3, 0.5), (3 << 20, 1 << 20), "30 % to 50 % in 2 rounds) and 2.0 MiB of its peak"),
        ((2.0, 2.0), (-0.1, 0.1), (3 << 20, 1 << 20), "no measurable difference to a step's time (2.00 s → "),
        ((2.0, 2.0), (-0.1, 0.1), (3 << 20, 1 << 20), "and saves 2.0 MiB of its peak memory (3.0 MiB → 1.0"),
        ((2e-5, 3e-5), (-0.5, -0.4), (1024, 2048), "costs 50 % more time a step (20 µs → 30 µs; "),
        ((2e-5, 3e-5), (-0.5, -0.4), (1024, 2048), "and takes 1.0 KiB more peak memory (1.0 KiB → 2.0 KiB)"),
        ((2e-5, 1e-5), (0.5, 0.5), (1024, 1024), "and leaves its peak memory at 1.0 KiB"),
    ],
)
def test_how_it_is_told(
    seconds: tuple[float, float], savings: tuple[float, ...], sizes: tuple[int, int], told: str
) -> None:
    assert told in saved(Measurement(("FRZ301",), *seconds, savings, *sizes, "cpu"))


@pytest.mark.cuda
def test_on_a_gpu_its_allocator_is_asked() -> None:
    model = Wide().cuda()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.01)
    (measured,) = freezelint.audit(model, optimizer, stepping(model, "cuda"), measure=True).measurements
    assert measured.device == "cuda"
    assert measured.bytes_before - measured.bytes_after >= sum(p.numel() * 4 for p in model.body.parameters())
