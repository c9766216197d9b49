"""Frozen parameters leave their groups, missing ones join them; what else there is stays bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim import lr_scheduler as schedules

import freezelint
from tests.live.applying.small import Net, assert_twins, audit, codes, held, loss_of, net, stepping, train

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01),
    "fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "plain": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=False),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01, initial_accumulator_value=0.1),
    "Adadelta": lambda p: torch.optim.Adadelta(p),
    "Adamax": lambda p: torch.optim.Adamax(p),
    "Adafactor": lambda p: torch.optim.Adafactor(p),
    "ASGD": lambda p: torch.optim.ASGD(p),
    "NAdam": lambda p: torch.optim.NAdam(p),
    "RAdam": lambda p: torch.optim.RAdam(p),
    "RMSprop": lambda p: torch.optim.RMSprop(p, momentum=0.9),
    "Rprop": lambda p: torch.optim.Rprop(p),
}


def state_of(optimizer: Optimizer, parameters: list[torch.Tensor]) -> Any:
    return [copy.deepcopy(dict(optimizer.state[p])) for p in parameters]


def assert_same_state(optimizer: Optimizer, parameters: list[torch.Tensor], before: Any) -> None:
    for parameter, kept in zip(parameters, before, strict=True):
        now = optimizer.state[parameter]
        assert list(now) == list(kept)
        for key, value in kept.items():
            assert torch.equal(torch.as_tensor(now[key]), torch.as_tensor(value)), key


def halves(make: Callable[..., Optimizer]) -> tuple[Net, Optimizer]:
    """A trained model whose stem, which has a group of its own, is then frozen."""
    model = net()
    rest = [*model.body.parameters(), *model.head.parameters()]
    optimizer = make([{"params": list(model.stem.parameters())}, {"params": rest}])
    train(model, optimizer, 2, seed=5)
    model.stem.requires_grad_(False)
    model.stem[1].eval()
    optimizer.zero_grad()
    return model, optimizer


def loop(model: Net, optimizer: Optimizer, steps: int = 3) -> None:
    torch.manual_seed(3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_frozen_parameters_leave_with_their_state_and_an_empty_group_stays(
    make: Callable[..., Optimizer],
) -> None:
    model, optimizer = halves(make)
    groups, rest = list(optimizer.param_groups), [*model.body.parameters(), *model.head.parameters()]
    before = state_of(optimizer, rest)
    report = freezelint.audit(model, optimizer, lambda: loss_of(model).backward(), apply=True)
    assert codes(report.applied) == ["FRZ201"]
    assert "its group 0 stays, empty" in str(report.applied[0])
    assert all(now is then for now, then in zip(optimizer.param_groups, groups, strict=True))
    assert [len(group["params"]) for group in optimizer.param_groups] == [0, len(rest)]
    assert set(optimizer.state) == set(rest)
    assert_same_state(optimizer, rest, before)
    twin = copy.deepcopy(model)
    by_hand = make(
        [
            {"params": list(twin.stem.parameters())},
            {"params": [*twin.body.parameters(), *twin.head.parameters()]},
        ]
    )
    by_hand.param_groups[0]["params"].clear()
    for mine, its in zip(rest, held(by_hand), strict=True):
        by_hand.state[its] = copy.deepcopy(optimizer.state[mine])
    loop(model, optimizer)
    loop(twin, by_hand)
    assert_twins(model, twin)
    assert codes(freezelint.audit(model, optimizer, lambda: loss_of(model).backward())) == []


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_missing_parameters_join_their_siblings(make: Callable[..., Optimizer]) -> None:
    model = net()
    model.load_state_dict({name: value.clone() for name, value in model.state_dict().items()})
    optimizer = make(
        [{"params": list(model.head.parameters())}, {"params": list(model.body[0].parameters())}]
    )
    model.stem.requires_grad_(False)
    model.body[1].requires_grad_(False)
    with freezelint.watch(model, optimizer) as report:
        model.stem.eval()
        model.body.eval()
        loop(model, optimizer)
        model.body[1].requires_grad_(True)
        loop(model, optimizer)
    assert codes(report) == ["FRZ203"]
    before = state_of(optimizer, held(optimizer))
    kept = held(optimizer)
    (correction,) = report.apply()
    assert "added `body.1` (2 parameters) to group 1" in str(correction)
    assert optimizer.param_groups[1]["params"][-2:] == list(model.body[1].parameters())
    assert_same_state(optimizer, kept, before)
    start = model.body[1].weight.detach().clone()
    loop(model, optimizer)
    assert not torch.equal(model.body[1].weight, start)


def test_the_state_of_frozen_parameters_leaves_every_optimizer_that_holds_them() -> None:
    class Around(Optimizer):
        """As sharpness-aware minimisation does: the groups are those of the optimizer inside."""

        def __init__(self, inner: Optimizer) -> None:
            super().__init__(inner.param_groups, {})
            self.inner = inner
            self.param_groups = inner.param_groups

        def step(self, closure: Any = None) -> None:
            self.inner.step(closure)

    model, inner = halves(OPTIMIZERS["AdamW"])
    around = Around(inner)
    report = freezelint.audit(model, around, lambda: loss_of(model).backward(), apply=True)
    assert codes(report.applied) == ["FRZ201"]
    frozen = {id(p) for p in model.stem.parameters()}
    assert not any(id(p) in frozen for p in (*held(around), *held(inner), *inner.state))


def test_names_beside_parameters_follow() -> None:
    model = net()
    model.stem.requires_grad_(False)
    model.stem[1].eval()
    optimizer = torch.optim.SGD(model.named_parameters(), lr=0.1)
    freezelint.audit(model, optimizer, lambda: loss_of(model).backward(), apply=True)
    (group,) = optimizer.param_groups
    assert group["param_names"] == [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(group["params"]) == len(group["param_names"])
    optimizer.load_state_dict(optimizer.state_dict())


def test_stale_gradients_are_cleared_and_what_moved_stands_still() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    train(model, optimizer, 2)
    loss_of(model).backward()
    with freezelint.watch(model, optimizer) as report:
        loss_of(model).backward()
        model.stem.requires_grad_(False)
        model.stem[1].eval()
        for _ in range(2):
            loss_of(model).backward()
            optimizer.step()
    assert codes(report) == ["FRZ202"]
    (correction,) = report.apply()
    assert "cleared the gradients of `stem` (4 parameters)" in str(correction)
    assert "out of SGD, with the state of 4" in str(correction)
    frozen = [p.detach().clone() for p in model.stem.parameters()]
    loop(model, optimizer)
    assert all(torch.equal(p, kept) for p, kept in zip(model.stem.parameters(), frozen, strict=True))
    assert codes(freezelint.audit(model, optimizer, lambda: loss_of(model).backward())) == []


def replaced_head(make: Callable[..., Optimizer]) -> tuple[Net, Optimizer, freezelint.Report]:
    model = net()
    groups = [{"params": [*model.stem.parameters(), *model.body.parameters()]}]
    optimizer = make([*groups, {"params": list(model.head.parameters()), "lr": 0.5}])
    train(model, optimizer, 2)
    with freezelint.watch(model, optimizer) as report:
        loop(model, optimizer, 1)
        model.head = nn.Linear(8, 3)
        for _ in range(2):
            loss_of(model).backward()
            optimizer.step()
    return model, optimizer, report


@pytest.mark.parametrize("make", [OPTIMIZERS["SGD"], OPTIMIZERS["AdamW"], OPTIMIZERS["Adagrad"]])
def test_a_new_head_takes_the_place_of_the_old_one(make: Callable[..., Optimizer]) -> None:
    model, optimizer, report = replaced_head(make)
    assert codes(report) == ["FRZ204"]
    body = [*model.stem.parameters(), *model.body.parameters()]
    before = state_of(optimizer, body)
    report.apply()
    assert optimizer.param_groups[1]["params"] == [model.head.weight, model.head.bias]
    assert optimizer.param_groups[1]["lr"] == 0.5
    assert {id(p) for p in optimizer.state} <= {id(p) for p in model.parameters()}
    assert_same_state(optimizer, body, before)
    start = model.head.weight.detach().clone()
    loop(model, optimizer)
    assert not torch.equal(model.head.weight, start)
    assert codes(audit(model, optimizer)) == []


def test_weight_norm_after_the_optimizer() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with freezelint.watch(model, optimizer) as report:
        loop(model, optimizer, 1)
        nn.utils.parametrizations.weight_norm(model.head)
        loop(model, optimizer, 2)
    assert codes(report) == ["FRZ204"]
    report.apply()
    assert {id(p) for p in held(optimizer)} == {id(p) for p in model.parameters()}
    assert codes(audit(model, optimizer)) == []


def test_what_a_choice_by_name_forgot_is_optimised() -> None:
    model = net()
    optimizer = torch.optim.SGD(
        [p for name, p in model.named_parameters() if not name.endswith("bias")], lr=0.1
    )
    with freezelint.watch(model, optimizer) as report:
        loop(model, optimizer)
    assert codes(report) == ["FRZ210"]
    (correction,) = report.apply()
    assert correction.done
    assert {id(p) for p in held(optimizer)} == {id(p) for p in model.parameters()}
    assert codes(audit(model, optimizer)) == []
    assert report.apply()[0].refused == ("there is nothing left to correct: it is as it should be by now",)


def late(optimizer: Optimizer, model: Net, *parts: nn.Module) -> freezelint.Report:
    """Parts are unfrozen when the optimizer is there."""
    for part in parts:
        part.requires_grad_(False)
    with freezelint.watch(model, optimizer) as report:
        loop(model, optimizer, 1)
        for part in parts:
            part.requires_grad_(True)
        loop(model, optimizer, 2)
    return report


def test_a_bias_goes_to_the_group_that_is_not_decayed() -> None:
    model = net()
    trained = [*model.body.parameters(), *model.head.parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=0.01,
    )
    late(optimizer, model, model.stem).apply()
    decayed, plain = (group["params"] for group in optimizer.param_groups)
    assert all(p.ndim > 1 for p in decayed)
    assert all(p.ndim <= 1 for p in plain)
    assert len(decayed) + len(plain) == len(list(model.parameters()))


def test_the_nearest_block_tells_the_rate() -> None:
    model = net()
    optimizer = torch.optim.SGD(
        [
            {"params": list(model.body.parameters()), "lr": 0.01},
            {"params": list(model.head.parameters()), "lr": 0.1},
        ]
    )
    (correction,) = late(optimizer, model, model.stem).apply()
    assert "to group 0 of SGD (lr 0.01)" in str(correction)
    assert len(optimizer.param_groups[1]["params"]) == 2


SCHEDULES: dict[str, Callable[[Optimizer], Any]] = {
    "LambdaLR": lambda o: schedules.LambdaLR(o, [lambda n: 0.9**n, lambda n: 0.5**n]),
    "StepLR": lambda o: schedules.StepLR(o, 1),
    "OneCycleLR": lambda o: schedules.OneCycleLR(o, [0.1, 0.2], total_steps=40),
    "SequentialLR": lambda o: schedules.SequentialLR(
        o, [schedules.ConstantLR(o), schedules.ExponentialLR(o, 0.9)], [2]
    ),
    "ReduceLROnPlateau": lambda o: schedules.ReduceLROnPlateau(o, min_lr=[0.0, 0.01], patience=0),
}


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("fault", ["frozen", "late"])
def test_schedules_go_on_as_if_nothing_had_happened(make: Callable[[Optimizer], Any], fault: str) -> None:
    model, optimizer = halves(OPTIMIZERS["SGD"])
    schedule = make(optimizer)
    plain, by_hand = halves(OPTIMIZERS["SGD"])
    expected = make(by_hand)
    if fault == "frozen":
        freezelint.audit(model, optimizer, lambda: loss_of(model).backward(), apply=True)
    else:
        for p in model.stem.parameters():
            optimizer.param_groups[0]["params"][:] = []
            optimizer.state.pop(p, None)
        assert late(optimizer, model, model.stem).apply()[0].done
    for _ in range(6):
        for each, follows in ((optimizer, schedule), (by_hand, expected)):
            each.step()
            follows.step(*([1.0] if isinstance(follows, schedules.ReduceLROnPlateau) else []))
    assert [group["lr"] for group in optimizer.param_groups] == [
        group["lr"] for group in by_hand.param_groups
    ]
    assert plain is not model


def test_lbfgs_is_left_alone() -> None:
    model = net()
    model.stem.requires_grad_(False)
    model.stem[1].eval()
    optimizer = torch.optim.LBFGS(model.parameters())

    def step() -> None:
        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = loss_of(model)
            loss.backward()
            return loss

        optimizer.step(closure)

    report = freezelint.audit(model, optimizer, step, apply=True)
    assert codes(report) == ["FRZ201"]
    assert report.applied[0].refused == (
        "LBFGS keeps one state for all its parameters together: build it anew",
    )
    assert len(held(optimizer)) == len(list(model.parameters()))


def test_an_optimizer_is_never_emptied() -> None:
    """The generator's optimizer holds only what is frozen by now; another one trains the head."""
    model = net()
    stem = torch.optim.SGD(model.stem.parameters(), lr=0.1)
    rest = torch.optim.SGD(model.parameters(), lr=0.1)
    model.stem.requires_grad_(False)
    model.stem[1].eval()

    class Both:
        def __init__(self) -> None:
            self.optimizers = [stem, rest]

        def step(self) -> None:
            rest.step()

        def zero_grad(self) -> None:
            rest.zero_grad()

    report = freezelint.audit(model, Both(), lambda: loss_of(model).backward(), select=["FRZ201"], apply=True)
    (correction,) = report.applied[:1]
    assert correction.refused == ("SGD would have nothing left to train",)
    assert correction.done == ("took `stem` (4 parameters) out of SGD",)
    assert len(held(stem)) == 4
    assert len(held(rest)) == 6


def test_a_checkpoint_of_a_corrected_optimizer_loads_into_one_built_right() -> None:
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model.stem.requires_grad_(False)
    model.stem[1].eval()
    freezelint.audit(model, optimizer, lambda: loss_of(model).backward(), apply=True)
    loop(model, optimizer)
    right = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    right.load_state_dict(optimizer.state_dict())
    assert stepping(model, right) is not None
    loop(model, right)
