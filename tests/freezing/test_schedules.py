"""Schedules keep ratios, follow groups that are added, and warm up again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from freezelint import freezing
from freezelint.freezing import RatioSchedule


def optimizer_of(*rates: float, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in rates], **options)


def run(optimizer: torch.optim.Optimizer, schedule: RatioSchedule, steps: int) -> list[list[float]]:
    """The rates at which each step is taken."""
    taken = []
    for _ in range(steps):
        taken.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return taken


def first(rows: list[list[float]]) -> list[float]:
    return [row[0] for row in rows]


def test_cosine_with_warm_up() -> None:
    optimizer = optimizer_of(1.0)
    found = first(run(optimizer, freezing.warmup_cosine(optimizer, 10, 4, lowest=0.1), 12))
    assert found[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found[4:10] == pytest.approx([0.1 + 0.9 * (1 + math.cos(math.pi * k / 6)) / 2 for k in range(6)])
    assert found[10:] == pytest.approx([0.1, 0.1])


def test_linear_with_and_without_warm_up() -> None:
    optimizer = optimizer_of(2.0)
    found = first(run(optimizer, freezing.warmup_linear(optimizer, 4, 2), 5))
    assert found == pytest.approx([1.0, 2.0, 2.0, 1.0, 0.0])
    optimizer = optimizer_of(2.0)
    assert first(run(optimizer, freezing.warmup_linear(optimizer, 4), 4)) == pytest.approx(
        [2.0, 1.5, 1.0, 0.5]
    )


def test_slanted_triangular_is_ulmfit_s() -> None:
    """Equation 3 of the paper, written out."""
    total, cut_fraction, ratio, highest = 50, 0.1, 32, 0.01
    cut = math.floor(total * cut_fraction)
    expected = []
    for t in range(total):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_fraction - 1))
        expected.append(highest * (1 + p * (ratio - 1)) / ratio)
    optimizer = optimizer_of(highest)
    found = first(run(optimizer, freezing.slanted_triangular(optimizer, total), total))
    assert found == pytest.approx(expected)


SCHEDULES: dict[str, Callable[[torch.optim.Optimizer], RatioSchedule]] = {
    "cosine": lambda optimizer: freezing.warmup_cosine(optimizer, 20, 3),
    "linear": lambda optimizer: freezing.warmup_linear(optimizer, 20, 3),
    "slanted": lambda optimizer: freezing.slanted_triangular(optimizer, 20),
}


@pytest.fixture(params=SCHEDULES)
def build(request: pytest.FixtureRequest) -> Callable[[torch.optim.Optimizer], RatioSchedule]:
    return SCHEDULES[request.param]


def test_ratios_are_kept(build: Callable[[torch.optim.Optimizer], RatioSchedule]) -> None:
    optimizer = optimizer_of(1.0, 0.5, 0.1)
    for one, two, three in run(optimizer, build(optimizer), 20):
        assert (two, three) == pytest.approx((one * 0.5, one * 0.1))


def test_groups_that_are_added_follow(build: Callable[[torch.optim.Optimizer], RatioSchedule]) -> None:
    optimizer = optimizer_of(1.0)
    schedule = build(optimizer)
    run(optimizer, schedule, 5)
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.25})
    run(optimizer, schedule, 1)
    rows = run(optimizer, schedule, 10)
    assert len({row[0] for row in rows}) > 1
    for one, two in rows:
        assert two == pytest.approx(one * 0.25)
    assert schedule.get_last_lr() == [group["lr"] for group in optimizer.param_groups]


def test_a_restart_warms_up_again_while_the_decay_goes_on() -> None:
    optimizer = optimizer_of(1.0)
    schedule = freezing.warmup_linear(optimizer, 20, 4)
    run(optimizer, schedule, 8)
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.5})
    schedule.restart()
    rows = run(optimizer, schedule, 6)
    left = [1 - (step - 4) / 16 for step in range(8, 14)]
    ramp = [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert first(rows) == pytest.approx([a * b for a, b in zip(left, ramp, strict=True)])
    assert [row[1] for row in rows] == pytest.approx([row[0] / 2 for row in rows])


def test_a_restart_begins_a_new_triangle() -> None:
    optimizer = optimizer_of(1.0)
    schedule = freezing.slanted_triangular(optimizer, 20)
    whole = run(optimizer, schedule, 12)
    schedule.restart()
    assert run(optimizer, schedule, 12) == whole


def test_it_resumes_where_it_was(build: Callable[[torch.optim.Optimizer], RatioSchedule]) -> None:
    optimizer = optimizer_of(1.0, 0.5)
    schedule = build(optimizer)
    run(optimizer, schedule, 5)
    schedule.restart()
    run(optimizer, schedule, 1)
    saved = {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
    rest = run(optimizer, schedule, 10)

    other = optimizer_of(1.0, 0.5)
    resumed = build(other)
    other.load_state_dict(saved["optimizer"])
    resumed.load_state_dict(saved["schedule"])
    assert run(other, resumed, 10) == rest


def test_a_state_with_other_groups_is_refused() -> None:
    optimizer = optimizer_of(1.0)
    schedule = freezing.warmup_cosine(optimizer, 10)
    state = schedule.state_dict()
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))]})
    with pytest.raises(ValueError, match="saved with 1 parameter groups and the optimizer has 2"):
        schedule.load_state_dict(state)


def test_a_rate_in_a_tensor_stays_one() -> None:
    rate = torch.tensor(1.0)
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=rate, foreach=False, capturable=False)
    schedule = freezing.warmup_linear(optimizer, 10, 2)
    schedule.restart()
    assert optimizer.param_groups[0]["lr"] is rate
    assert first(run(optimizer, schedule, 3)) == pytest.approx([0.5, 1.0, 1.0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda o: freezing.warmup_cosine(o, 0), "total_steps must be at least 1, and is 0"),
        (lambda o: freezing.warmup_linear(o, 5, 6), r"warmup_steps must lie between 0 and total_steps \(5\)"),
        (lambda o: freezing.warmup_linear(o, 5, lowest=1.0), r"lowest must lie in \[0, 1\), and is 1.0"),
        (lambda o: freezing.slanted_triangular(o, 5, rising=1.0), "rising must lie between 0 and 1"),
        (lambda o: freezing.slanted_triangular(o, 5, ratio=1.0), "ratio must be above 1"),
    ],
)
def test_numbers_out_of_range_raise(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(optimizer_of(1.0))


def test_a_state_in_memory_is_not_changed_by_groups_that_come_later() -> None:
    optimizer = optimizer_of(0.1)
    schedule = freezing.warmup_linear(optimizer, 10)
    state = schedule.state_dict()
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.01})
    schedule.restart()
    assert state["base_lrs"] == [0.1]

    resumed_optimizer = optimizer_of(0.1)
    resumed = freezing.warmup_linear(resumed_optimizer, 10)
    resumed.load_state_dict(state)
    resumed_optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.01})
    resumed.step()
    assert state["base_lrs"] == [0.1]
