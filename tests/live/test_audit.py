"""`freezelint.audit` finds faults, and leaves everything as it was."""

from __future__ import annotations

import copy
import gc
import random
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import freezelint


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.body(images).mean((2, 3)))
        return result


def loss_of(model: nn.Module) -> torch.Tensor:
    return nn.functional.cross_entropy(model(torch.randn(4, 3, 8, 8)), torch.randint(0, 2, (4,)))


def everything(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """All that an audit could disturb, copied."""
    return copy.deepcopy(
        {
            "parameters": {name: p.detach() for name, p in model.named_parameters()},
            "buffers": dict(model.named_buffers()),
            "gradients": {name: p.grad for name, p in model.named_parameters()},
            "flags": {name: p.requires_grad for name, p in model.named_parameters()},
            "modes": {name: module.training for name, module in model.named_modules()},
            "optimizer": optimizer.state_dict(),
            "hooks": [
                [
                    len(getattr(m, kind))
                    for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
                ]
                for m in model.modules()
            ],
            "torch": torch.get_rng_state(),
            "python": random.getstate(),
        }
    )


def identities(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[int]:
    """Objects that user code may hold on to."""
    tensors = [*model.parameters(), *model.buffers()]
    return [
        *map(id, tensors),
        *(t.data_ptr() for t in tensors),
        *(id(p.grad) for p in model.parameters()),
        id(optimizer.state),
    ]


def assert_same(one: Any, other: Any, at: str = "") -> None:
    assert type(one) is type(other), at
    if isinstance(one, dict):
        assert list(one) == list(other), at
        for key in one:
            assert_same(one[key], other[key], f"{at}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), at
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_same(left, right, f"{at}[{index}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), at
    else:
        assert one == other, at


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1),
    "fused": lambda p: torch.optim.AdamW(p, lr=0.1, fused=True),
    "capturable": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.1), foreach=False),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
@pytest.mark.parametrize("warm", [False, True], ids=["new", "trained"])
def test_leaves_everything_as_it_was(
    make: Callable[..., torch.optim.Optimizer], fails: bool, warm: bool
) -> None:
    model = Net()
    model.body[1].eval()
    optimizer = make(model.parameters())
    if warm:
        loss_of(model).backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= 0.5
    before, identity = everything(model, optimizer), identities(model, optimizer)

    def step() -> None:
        model.train()
        optimizer.zero_grad()
        loss_of(model).backward()
        random.random()
        optimizer.step()
        model.head.weight.requires_grad = False
        model.body[0] = nn.Identity()
        optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))]})
        if fails:
            raise KeyError("no such batch")
        model.body[0] = nn.Conv2d(3, 8, 3)

    if fails:
        with pytest.raises(KeyError, match="no such batch"):
            freezelint.audit(model, optimizer, step)
    else:
        freezelint.audit(model, optimizer, step)
    assert_same(everything(model, optimizer), before)
    assert identities(model, optimizer) == identity


def test_restores_a_frozen_network_that_the_step_writes_to_by_hand() -> None:
    """A momentum encoder is in no optimizer; its weights move all the same."""
    student, teacher = Net(), Net().requires_grad_(False)
    both = nn.ModuleDict({"student": student, "teacher": teacher})
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    before, identity = everything(both, optimizer), identities(both, optimizer)

    def step() -> None:
        loss_of(student).backward()
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
                slow.mul_(0.9).add_(fast, alpha=0.1)
            teacher.head.weight.data = torch.zeros_like(teacher.head.weight)
            torch._foreach_add_([p.data for p in teacher.body.parameters()], 1.0)

    freezelint.audit(both, optimizer, step)
    assert_same(everything(both, optimizer), before)
    assert identities(both, optimizer) == identity


def test_takes_out_everything_that_it_put_into_torch() -> None:
    watched = (
        nn.Module,
        nn.Parameter,
        torch.Tensor,
        torch.optim.Optimizer,
        torch.autograd,
        torch.nn.utils,
        torch,
    )
    before = [dict(vars(owner)) for owner in watched]
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    freezelint.audit(model, optimizer, lambda: loss_of(model).backward())
    for owner, kept in zip(watched, before, strict=True):
        now = dict(vars(owner))
        assert {k: v for k, v in now.items() if k in kept} == kept, owner
        assert not set(now) - set(kept) - {"compiler"}, owner


def test_silent_on_a_correct_step() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    report = freezelint.audit(model, optimizer, lambda: loss_of(model).backward())
    report.raise_for_findings()
    assert list(report) == []
    assert report.trace.steps_done == 2


def test_finds_frozen_norm_in_train_mode_and_frozen_parameters_in_the_optimizer() -> None:
    model = Net()
    model.body.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    report = freezelint.audit(model, optimizer, lambda: loss_of(model).backward())
    assert [finding.code for finding in report] == ["FRZ101", "FRZ201"]
    assert "`body` is frozen but runs in train mode" in str(report)
    with pytest.raises(freezelint.FindingsError, match="FRZ101"):
        report.raise_for_findings()


def test_steps_the_optimizer_where_the_step_does_not() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert (
        freezelint.audit(model, optimizer, lambda: loss_of(model).backward(), steps=3).trace.steps_done == 3
    )

    def whole() -> None:
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()

    assert freezelint.audit(model, optimizer, whole).trace.steps_done == 2


def test_select_chooses_the_rules() -> None:
    model = Net()
    model.body.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    report = freezelint.audit(model, optimizer, lambda: loss_of(model).backward(), select=["FRZ2"])
    assert [finding.code for finding in report] == ["FRZ201"]


def test_does_not_step_where_a_scaler_has_skipped_the_step() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1e38)
    finite = []

    def step() -> None:
        finite.append(bool(model.weight.isfinite().all()))
        optimizer.zero_grad()
        scaler.scale(model(torch.full((4, 2), 100.0)).sum() * 1e3).backward()
        scaler.step(optimizer)
        scaler.update()

    assert freezelint.audit(model, optimizer, step).trace.steps_done == 0
    assert finite == [True, True]


def test_steps_an_object_around_an_optimizer_and_restores_what_is_inside() -> None:
    class Wrapper:
        def __init__(self) -> None:
            self.inner = torch.optim.AdamW(model.parameters(), lr=0.1)

        def step(self) -> None:
            self.inner.step()

        def zero_grad(self) -> None:
            self.inner.zero_grad()

    model = Net()
    wrapper = Wrapper()
    before = everything(model, wrapper.inner)
    report = freezelint.audit(model, wrapper, lambda: loss_of(model).backward())
    assert report.trace.steps_done == 2
    assert_same(everything(model, wrapper.inner), before)


@pytest.mark.parametrize(
    ("model", "optimizer", "step", "complaint"),
    [
        (3, None, print, "model must be a torch.nn.Module, and is of class int"),
        (Net(), None, print, "optimizer must have `step` and `zero_grad`, and is None"),
        (Net(), [], print, "optimizer must be a torch.optim.Optimizer, .* and is of class list"),
        (Net(), torch.optim.SGD(Net().parameters()), 3, "step must be a function .*, and is of class int"),
    ],
)
def test_refuses_other_arguments(model: Any, optimizer: Any, step: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        freezelint.audit(model, optimizer, step)


def test_watch_refuses_other_arguments() -> None:
    with (
        pytest.raises(
            TypeError, match=r"optimizer must be a torch\.optim\.Optimizer, .* and is of class list"
        ),
        freezelint.watch(Net(), []),
    ):
        pass


@pytest.mark.parametrize("watching", [False, True], ids=["audit", "watch"])
def test_a_report_keeps_nothing_alive(watching: bool) -> None:
    def run() -> tuple[freezelint.Report, list[weakref.ref[Any]]]:
        model = Net()
        optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
        batch = torch.randn(4, 3, 8, 8, requires_grad=True)

        def step() -> None:
            model(batch).sum().backward()
            optimizer.step()

        if watching:
            with freezelint.watch(model, optimizer) as report:
                step()
                step()
        else:
            report = freezelint.audit(model, optimizer, step)
        return report, [weakref.ref(each) for each in (model, optimizer, batch, *model.parameters())]

    report, references = run()
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)
    assert report.trace.steps_done == 2
