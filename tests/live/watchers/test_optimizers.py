"""Optimizers: how they are built and extended, what iterators they are fed, and when they step."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW

from tests.live.observing import events, kinds, line_of, names, observed, step


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def test_a_construction_is_an_event_with_what_it_was_given() -> None:
    model = net()
    with observed() as recorder:
        recorder.watch(model)
        SGD(model[1].parameters(), lr=0.5, momentum=0.9)  # here
        (event,) = events(recorder, "optimizer-built")
        trace = recorder.trace()
    assert line_of(event.location) == "SGD(model[1].parameters(), lr=0.5, momentum=0.9)  # here"
    assert names(trace, event.parameters) == ["1.weight", "1.bias"]
    (optimizer,) = trace.optimizers
    assert (optimizer.class_name, optimizer.built) == ("SGD", event.index)
    (group,) = optimizer.groups
    assert (group.lr, group.momentum, group.weight_decay) == (0.5, 0.9, 0.0)


def test_the_groups_as_they_were_built_and_what_was_added_later() -> None:
    model = net()
    with observed() as recorder:
        optimizer = AdamW(
            [{"params": model[0].parameters(), "lr": 0.1, "name": "body"}, {"params": [model[1].weight]}],
            lr=torch.tensor(0.2),
        )
        optimizer.add_param_group({"params": [model[1].bias], "lr": 0.3})
        (built,) = recorder.trace().optimizers
        assert [(group.name, group.lr, len(group.parameters)) for group in built.groups] == [
            ("body", 0.1, 2),
            ("", pytest.approx(0.2), 1),
        ]
        (added,) = events(recorder, "group-added")
    assert built.added == (added.index,)
    assert len(added.parameters) == 1


def test_an_optimizer_from_before_the_audit_is_known_by_its_groups() -> None:
    model = net()
    optimizer = Adam(model.parameters())
    with observed() as recorder:
        recorder.watch(model, optimizer)
        (known,) = recorder.trace().optimizers
    assert known.built is None
    assert len(known.groups[0].parameters) == 4


def test_an_optimizer_that_is_refused() -> None:
    model = net().requires_grad_(False)
    with observed() as recorder:
        recorder.watch(model)
        with pytest.raises(ValueError, match="empty parameter list"):
            SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    trace = recorder.trace()
    assert [(e.kind, e.value) for e in trace.events] == [("optimizer-built", "refused")]
    assert [state.phase for state in trace.steps] == ["optimizer-built"]


def test_a_schedule_belongs_to_its_optimizer() -> None:
    with observed() as recorder:
        optimizer = SGD(net().parameters(), lr=0.1)
        torch.optim.lr_scheduler.SequentialLR(
            optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(optimizer),
                torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9),
            ],
            [1],
        )
    schedules = recorder.trace().schedules
    assert {schedule.class_name for schedule in schedules} >= {"LinearLR", "ExponentialLR"}
    assert {schedule.optimizer for schedule in schedules} == {0}


# --- steps ---


def test_each_step_is_one_event_of_its_optimizer() -> None:
    first, second = net(), net()
    with observed() as recorder:
        recorder.watch(nn.ModuleList([first, second]))
        one, other = SGD(first.parameters(), lr=0.1), Adam(second.parameters())
        step(first, one, torch.ones(1, 2))
        step(second, other, torch.ones(1, 2))
        step(first, one, torch.ones(1, 2))
    trace = recorder.trace()
    assert [event.optimizer for event in trace.events_of("stepped")] == [0, 1, 0]
    assert [state.stepping.optimizer for state in trace.steps if state.stepping] == [0, 1, 0]
    assert trace.steps_done == 3


def test_a_closure_is_part_of_its_step() -> None:
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = model(torch.ones(1, 2)).square().mean()
        loss.backward()
        return loss

    with observed() as recorder:
        recorder.watch(model, optimizer)
        optimizer.step(closure)
    trace = recorder.trace()
    assert trace.steps_done == 1
    assert len(trace.events_of("backward")) > 1
    assert {state.gradient for state in trace.steps[0].parameters.values()} <= {"nonzero", "zero"}


class Sharpness(torch.optim.Optimizer):
    """An optimizer that steps another one, as SAM and Lookahead do."""

    def __init__(self, params: Any, base: type[torch.optim.Optimizer], **settings: Any) -> None:
        super().__init__(params, settings)
        self.base = base(self.param_groups, **settings)

    def step(self, closure: Any = None) -> None:
        self.base.step(closure)


def test_a_step_inside_a_step_is_part_of_it() -> None:
    model = net()
    with observed() as recorder:
        recorder.watch(model)
        step(model, Sharpness(model.parameters(), SGD, lr=0.1), torch.ones(1, 2))
    trace = recorder.trace()
    assert trace.steps_done == 1
    (stepping,) = [trace.optimizers[e.optimizer or 0].class_name for e in trace.events_of("stepped")]
    assert stepping == "Sharpness"


def test_hooks_are_gone_afterwards() -> None:
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
    step(model, optimizer, torch.ones(1, 2))
    assert recorder.journal.steps == 0


def test_an_optimizer_that_is_dropped_holds_nothing_any_more() -> None:
    model = net()
    with observed() as recorder:
        recorder.watch(model)
        SGD(model.parameters(), lr=0.1)
        second = SGD(model[1].parameters(), lr=0.1)
        step(model, second, torch.ones(1, 2))
    trace = recorder.trace()
    assert len(trace.optimizers) == 2
    assert [state.optimizer for state in trace.steps[0].optimizers] == [1]


def test_a_forked_process_is_not_the_one_that_is_watched() -> None:
    """A worker of a data loader inherits everything; what it does is none of the training's business."""
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        child = os.fork()
        if not child:
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.grad = torch.ones_like(parameter)
                optimizer.step()
            os._exit(recorder.journal.steps)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --- iterators ---


def generated(model: nn.Module) -> Iterator[nn.Parameter]:
    yield from model.parameters()


def chained(model: nn.Module) -> Iterator[nn.Parameter]:
    return itertools.chain(model[0].parameters(), model[1].parameters())  # type: ignore[index]


def filtered(model: nn.Module) -> Iterator[nn.Parameter]:
    return filter(lambda p: p.requires_grad, model.parameters())


ITERATORS = [generated, chained, filtered]


@pytest.mark.parametrize("make", ITERATORS)
def test_an_iterator_that_is_used_once(make: Callable[[nn.Module], Iterator[nn.Parameter]]) -> None:
    model = net()
    with observed() as recorder:
        SGD(make(model), lr=0.1)
        nn.utils.clip_grad_norm_(make(model), 1.0)
        nn.utils.clip_grad_norm_(list(make(model)), 1.0)
    assert "iterator-exhausted" not in kinds(recorder)


@pytest.mark.parametrize("make", ITERATORS)
def test_an_iterator_that_the_optimizer_has_emptied(
    make: Callable[[nn.Module], Iterator[nn.Parameter]],
) -> None:
    model = net()
    with observed() as recorder:
        trained = make(model)
        SGD(trained, lr=0.1)
        nn.utils.clip_grad_norm_(trained, 1.0)  # clips nothing
        (event,) = events(recorder, "iterator-exhausted")
    assert (event.name, event.value) == ("clip_grad_norm_", "SGD")
    assert line_of(event.location).endswith("# clips nothing")


@pytest.mark.parametrize("make", [generated, filtered])
def test_an_iterator_that_user_code_has_emptied(
    make: Callable[[nn.Module], Iterator[nn.Parameter]],
) -> None:
    model = net()
    with observed() as recorder:
        trained = make(model)
        assert sum(p.numel() for p in trained) == 13
        with pytest.raises(ValueError, match="empty parameter list"):
            SGD(trained, lr=0.1)
        (event,) = events(recorder, "iterator-exhausted")
    assert (event.name, event.value) == ("SGD", "")


def test_an_empty_iterator_inside_a_group() -> None:
    model = net()
    with observed() as recorder:
        trained = generated(model[0])
        SGD([{"params": trained}], lr=0.1)
        Adam([{"params": model[1].parameters()}, {"params": trained}])
        (event,) = events(recorder, "iterator-exhausted")
    assert (event.name, event.value) == ("Adam", "SGD")


def test_only_the_latest_iterators_are_kept() -> None:
    model = net()
    with observed() as recorder:
        for _ in range(100):
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        assert len(recorder.optimizers._consumed) == 64
        assert "iterator-exhausted" not in kinds(recorder)


# --- schedules ---


def test_schedules_of_every_kind_are_recorded_once() -> None:
    schedules = torch.optim.lr_scheduler
    with observed() as recorder:
        optimizer = SGD(params=net().parameters(), lr=0.1)
        schedules.StepLR(optimizer, 1)
        schedules.ReduceLROnPlateau(optimizer=optimizer)
    assert [s.class_name for s in recorder.trace().schedules] == ["StepLR", "ReduceLROnPlateau"]
