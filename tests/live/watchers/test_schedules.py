"""Schedules and rates: what is built, what steps, and which groups' rates it changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from freezelint.evidence import RateChange, Trace
from tests.live.observing import events, kinds, line_of, observed, step


def two_rates() -> tuple[nn.Sequential, SGD]:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[1].parameters(), "lr": 0.4}]
    return model, SGD(groups)


def changes(trace: Trace, *wanted: str) -> list[RateChange]:
    return [change for change in trace.rate_changes if trace.events[change.event].kind in wanted]


def test_a_schedule_is_built_and_its_construction_is_no_step() -> None:
    with observed() as recorder:
        _, optimizer = two_rates()
        schedule = lr_scheduler.StepLR(optimizer, 1, gamma=0.5)  # here
        schedule.get_last_lr()
    trace = recorder.trace()
    (event,) = events(recorder, "schedule-built")
    assert line_of(event.location) == "schedule = lr_scheduler.StepLR(optimizer, 1, gamma=0.5)  # here"
    assert [(s.class_name, s.built, s.steps) for s in trace.schedules] == [("StepLR", event.index, 0)]


def test_steps_are_events_with_the_rates_that_they_leave() -> None:
    with observed() as recorder:
        model, optimizer = two_rates()
        schedule = lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
        for _ in range(2):
            step(model, optimizer, torch.ones(1, 2))
            schedule.step()  # here
    trace = recorder.trace()
    assert trace.schedules[0].steps == 2
    assert {line_of(event.location) for event in events(recorder, "schedule-stepped")} == {
        "schedule.step()  # here"
    }
    first, second = changes(trace, "schedule-stepped")
    assert (first.changed, first.rates) == ((False, False), (0.1, 0.4))
    assert (second.changed, second.rates, second.equal) == ((True, True), (0.05, 0.2), False)
    assert second.schedule == 0


@pytest.mark.parametrize(
    "build",
    [
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, max_lr=0.4, total_steps=10),
        lambda optimizer: lr_scheduler.CyclicLR(optimizer, 0.1, 0.4, cycle_momentum=False),
    ],
)
def test_one_number_for_all_groups(build: Any) -> None:
    with observed() as recorder:
        _, optimizer = two_rates()
        build(optimizer)
    (change,) = changes(recorder.trace(), "schedule-built")
    assert change.equal is True
    assert change.rates[0] == change.rates[1] > 0


def test_a_schedule_around_others_steps_as_one() -> None:
    with observed() as recorder:
        model, optimizer = two_rates()
        parts = [lr_scheduler.LinearLR(optimizer, 0.5), lr_scheduler.ExponentialLR(optimizer, 0.9)]
        schedule = lr_scheduler.SequentialLR(optimizer, parts, [5])
        step(model, optimizer, torch.ones(1, 2))
        schedule.step()
    trace = recorder.trace()
    assert [(s.class_name, s.steps) for s in trace.schedules] == [
        ("LinearLR", 0),
        ("ExponentialLR", 0),
        ("SequentialLR", 1),
    ]
    assert all(changes(trace, "schedule-stepped")[0].changed)


def test_a_chain_belongs_to_the_optimizer_of_its_parts() -> None:
    with observed() as recorder:
        _, optimizer = two_rates()
        lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(optimizer), lr_scheduler.StepLR(optimizer, 3)])
    assert [s.class_name for s in recorder.trace().schedules] == ["ConstantLR", "StepLR", "ChainedScheduler"]


def test_a_plateau_is_a_schedule() -> None:
    with observed() as recorder:
        model, optimizer = two_rates()
        schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
        for _ in range(2):
            step(model, optimizer, torch.ones(1, 2))
            schedule.step(1.0)
    last = changes(recorder.trace(), "schedule-stepped")[-1]
    assert last.rates == pytest.approx((0.01, 0.04))


class Own(LRScheduler):
    """A schedule of the user's, with a step of its own that knows the first groups only."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(optimizer)

    def step(self, _epoch: int | None = None) -> None:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=False):
            group["lr"] = base * 0.5


def test_a_schedule_of_the_users_own() -> None:
    before = vars(Own)["step"]
    with observed() as recorder:
        model, optimizer = two_rates()
        schedule = Own(optimizer)  # here
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "lr": 0.3})
        step(model, optimizer, torch.ones(1, 2))
        optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"] = 1.0
        schedule.step()
    trace = recorder.trace()
    assert line_of(events(recorder, "schedule-built")[0].location) == "schedule = Own(optimizer)  # here"
    assert [s.steps for s in trace.schedules] == [1]
    (change,) = changes(trace, "schedule-stepped")
    assert change.changed == (True, True, False)
    assert vars(Own)["step"] is before


def test_steps_that_another_recorder_takes_are_unknown() -> None:
    before = vars(Own)["step"]
    with observed() as outer:
        _, optimizer = two_rates()
        with observed() as inner:
            schedule = Own(optimizer)
            schedule.step()
        schedule.step()
    assert [s.steps for s in inner.trace().schedules] == [1]
    assert [(s.steps, s.can_step) for s in outer.trace().schedules] == [(None, None)]
    assert vars(Own)["step"] is before


def test_a_schedule_that_fails_for_a_group_that_it_does_not_know() -> None:
    with observed() as recorder:
        model, optimizer = two_rates()
        schedule = lr_scheduler.OneCycleLR(optimizer, max_lr=[0.1, 0.4], total_steps=10)
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "lr": 0.3})
        step(model, optimizer, torch.ones(1, 2))
        with pytest.raises(KeyError):
            schedule.step()
    (event,) = events(recorder, "schedule-stepped")
    assert event.value == "group-missing"


def test_a_schedule_that_fails_for_another_reason() -> None:
    with observed() as recorder:
        _, optimizer = two_rates()
        schedule = lr_scheduler.OneCycleLR(optimizer, max_lr=0.4, total_steps=1)
        optimizer.step()
        schedule.step()
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "lr": 0.3})
        with pytest.raises(ValueError, match="Tried to step"):
            schedule.step()
    assert {event.value for event in events(recorder, "schedule-stepped")} == {""}


def test_rates_that_are_written_by_hand() -> None:
    with observed() as recorder:
        model, optimizer = two_rates()
        for group in optimizer.param_groups:
            group["lr"] = 0.2
        step(model, optimizer, torch.ones(1, 2))
        step(model, optimizer, torch.ones(1, 2))
    trace = recorder.trace()
    (change,) = changes(trace, "rates-set")
    assert (change.changed, change.rates, change.equal) == ((True, True), (0.2, 0.2), True)
    assert change.schedule is None
    assert kinds(recorder).index("rates-set") < kinds(recorder).index("stepped")


def test_what_an_optimizer_keeps_for_its_parameters() -> None:
    with observed() as recorder:
        model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        recorder.watch(model)
        old = torch.optim.Adam(model[1].parameters())
        step(model, old, torch.ones(1, 2))
        new = torch.optim.Adam(model.parameters())
        new.state[model[1].weight] = old.state[model[1].weight]
        step(model, new, torch.ones(1, 2))
    trace = recorder.trace()
    first, second = trace.optimizers
    names = {parameter.path: parameter.id for parameter in trace.parameters}
    assert first.state_at_start == ()
    assert second.state_at_start == (names["1.weight"],)
    kept = [state.state for taken in trace.steps for state in taken.optimizers if state.stepping]
    assert kept == [(names["1.weight"], names["1.bias"]), tuple(sorted(names.values()))]


def test_plain_sgd_keeps_nothing() -> None:
    with observed() as recorder:
        model, optimizer = two_rates()
        step(model, optimizer, torch.ones(1, 2))
    trace = recorder.trace()
    assert [state.state for state in trace.steps[0].optimizers] == [()]
