"""One optimizer step: flags, gradients and movements of every parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from freezelint.evidence import ParameterState, Step
from tests.live.observing import observed


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def steps_of(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    before: Callable[[int], object] = lambda _: None,
    after: Callable[[int], object] = lambda _: None,
    count: int = 2,
) -> list[dict[str, ParameterState]]:
    """The states of the parameters, by path, in each step; `before` and `after` run around its end."""
    with observed() as recorder:
        recorder.watch(model, optimizer)
        for number in range(count):
            optimizer.zero_grad()
            loss = model(torch.ones(1, 2)).square().mean()
            if loss.requires_grad:
                loss.backward()
            before(number)
            optimizer.step()
            after(number)
        trace = recorder.trace()
    return [{trace.parameters[p].path: state for p, state in step.parameters.items()} for step in trace.steps]


def test_what_trains() -> None:
    model = net()
    for states in steps_of(model, torch.optim.SGD(model.parameters(), lr=0.1)):
        assert {state.trainable for state in states.values()} == {True}
        assert {state.gradient for state in states.values()} == {"nonzero"}


def test_what_is_frozen_and_in_no_optimizer() -> None:
    model = net()
    model[0].requires_grad_(False)
    states = steps_of(model, torch.optim.SGD(model[1].parameters(), lr=0.1))[0]
    assert (states["0.weight"].trainable, states["0.weight"].gradient) == (False, "none")


# --- movements ---


def test_a_frozen_parameter_without_a_gradient_stands_still() -> None:
    model = net()
    model[0].requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    assert [states["0.weight"].moved for states in steps_of(model, optimizer)] == [False, False]


def test_a_frozen_parameter_with_a_gradient_left_in_place_moves() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def freeze(number: int) -> None:
        if number == 0:
            model[0].requires_grad_(False)

    first = steps_of(model, optimizer, before=freeze, count=1)[0]
    assert (first["0.weight"].trainable, first["0.weight"].moved) == (False, True)


def test_weights_averaged_by_hand_move_between_two_steps() -> None:
    class Averaged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fast, self.slow = nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                target = self.slow(inputs)
            result: torch.Tensor = self.fast(inputs) - target
            return result

    model = Averaged()

    def average(_: int) -> None:
        with torch.no_grad():
            for slow, fast in zip(model.slow.parameters(), model.fast.parameters(), strict=True):
                slow.lerp_(fast, 0.5)

    optimizer = torch.optim.SGD(model.fast.parameters(), lr=0.1)
    first, second = steps_of(model, optimizer, after=average)
    assert first["slow.weight"].moved is None
    assert second["slow.weight"].moved is True


# --- gradients ---


@pytest.mark.parametrize(
    "convert",
    [
        lambda gradient: gradient,
        lambda gradient: gradient.to(torch.bfloat16).to(gradient.dtype),
        lambda gradient: gradient.t().contiguous().t(),
        lambda gradient: torch.full_like(gradient, float("nan")),
        lambda gradient: torch.full_like(gradient, 1e-45),
        lambda gradient: -gradient.abs(),
    ],
    ids=["plain", "rounded", "transposed", "not a number", "tiny", "negative"],
)
def test_gradients_that_are_there(convert: Callable[[torch.Tensor], torch.Tensor]) -> None:
    model = net()

    def change(_: int) -> None:
        for parameter in model.parameters():
            if parameter.grad is not None and parameter.dim() == 2:
                parameter.grad = convert(parameter.grad)

    states = steps_of(model, torch.optim.SGD(model.parameters(), lr=0.0), before=change)[0]
    assert {state.gradient for state in states.values()} == {"nonzero"}


def test_a_gradient_of_zeros_is_told_from_none() -> None:
    model = net()

    def change(_: int) -> None:
        model[0].weight.grad = torch.zeros_like(model[0].weight)
        model[0].bias.grad = None

    states = steps_of(model, torch.optim.SGD(model.parameters(), lr=0.1), before=change)[0]
    assert [states[path].gradient for path in ("0.weight", "0.bias", "1.weight")] == [
        "zero",
        "none",
        "nonzero",
    ]


def test_a_gradient_that_the_optimizer_took_away_is_unknown() -> None:
    class Consuming(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step(closure)
            self.zero_grad()

    model = net()
    states = steps_of(model, Consuming(model.parameters(), lr=0.1))[0]
    assert {state.gradient for state in states.values()} == {"unknown"}


def test_a_sparse_gradient() -> None:
    model = nn.Sequential(nn.Embedding(50, 2, sparse=True), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        model(torch.tensor([3])).sum().backward()
        optimizer.step()
    assert {state.gradient for state in recorder.trace().steps[0].parameters.values()} == {"nonzero"}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16, torch.complex64], ids=str)
def test_every_type_of_number(dtype: torch.dtype) -> None:
    model = net().to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        model(torch.ones(1, 2, dtype=dtype)).abs().sum().backward()
        model[0].weight.grad = torch.zeros_like(model[0].weight)
        optimizer.step()
    trace = recorder.trace()
    found = {trace.parameters[p].path: s.gradient for p, s in trace.steps[0].parameters.items()}
    assert found == {"0.weight": "zero", "0.bias": "nonzero", "1.weight": "nonzero", "1.bias": "nonzero"}


def test_images_with_channels_last() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 1))
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        model(torch.ones(1, 3, 3, 3).to(memory_format=torch.channels_last)).sum().backward()
        optimizer.step()
    assert {state.gradient for state in recorder.trace().steps[0].parameters.values()} == {"nonzero"}


def test_scaled_gradients_of_mixed_precision() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    with observed() as recorder:
        recorder.watch(model, optimizer)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(torch.ones(1, 2)).float().sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    (step,) = recorder.trace().steps
    assert {state.gradient for state in step.parameters.values()} == {"nonzero"}


# --- which steps are looked at ---


def recorded(change: Callable[[int, nn.Sequential, torch.optim.Optimizer], object]) -> list[int]:
    """Which of ten steps were recorded, where `change` runs before each."""
    model = net()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
    with observed() as recorder:
        recorder.watch(model, optimizer)
        for number in range(10):
            change(number, model, optimizer)
            optimizer.zero_grad()
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
        trace = recorder.trace()
    return [trace.events[step.event].steps_before for step in trace.steps if step.event is not None]


def test_the_first_two_steps_are() -> None:
    assert recorded(lambda *_: None) == [0, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda model, _: model[0].requires_grad_(True),
        lambda model, _: model.eval(),
        lambda model, optimizer: optimizer.add_param_group({"params": model[0].parameters()}),
    ],
    ids=["flag", "mode", "group"],
)
def test_a_step_after_a_change_is(change: Callable[[Any, Any], object]) -> None:
    found = recorded(lambda number, *parts: number == 6 and change(*parts))
    assert found[:2] == [0, 1]
    assert len(found) == 3
    assert found[2] in (6, 7)  # a change shows after the step before which it was made


def test_every_optimizer_of_several_is_seen_stepping() -> None:
    generator, critic = net(), net()
    both = nn.ModuleList([generator, critic])
    one, other = (torch.optim.SGD(m.parameters(), lr=0.1) for m in (generator, critic))
    with observed() as recorder:
        recorder.watch(both, one)
        recorder.optimizers.known(other)
        for _ in range(3):
            for _ in range(2):
                critic(torch.ones(1, 2)).sum().backward()
                other.step()
            generator(torch.ones(1, 2)).sum().backward()
            one.step()
        trace = recorder.trace()
    stepping = [state.stepping.optimizer for state in trace.steps if state.stepping]
    assert stepping.count(0) >= 2
    assert stepping.count(1) >= 2


def test_steps_know_who_holds_what() -> None:
    model = net()
    first = torch.optim.SGD(model[0].parameters(), lr=0.1)
    second = torch.optim.SGD([{"params": model[0].weight}, {"params": model[1].parameters()}], lr=0.1)
    with observed() as recorder:
        recorder.watch(model, first)
        recorder.optimizers.known(second)
        model(torch.ones(1, 2)).sum().backward()
        first.step()
        step: Step = recorder.trace().steps[0]
    weight = recorder.ledger.entry(model[0].weight).id
    assert step.held_by(weight) == [(0, 0), (1, 0)]
    assert [state.stepping for state in step.optimizers] == [True, False]
