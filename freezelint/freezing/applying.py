"""Setting a plan up on a model: flags, modes, optimizer, schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from freezelint.freezing import norms
from freezelint.freezing.decisions import GRADUAL_DECAY, Decision
from freezelint.freezing.flags import leave_trainable
from freezelint.freezing.gradual import GradualUnfreezing
from freezelint.freezing.modes import keep_frozen_in_eval
from freezelint.freezing.patterns import Selection, inner
from freezelint.freezing.plans import Plan
from freezelint.freezing.schedules import RatioSchedule, warmup_cosine, warmup_linear
from freezelint.freezing.structure import Block


@dataclass(frozen=True)
class Training:
    """What a plan needs while it is carried out:

        training = plan.apply(model, loader)
        criterion = nn.CrossEntropyLoss(label_smoothing=plan.decision.label_smoothing)
        for epoch in range(plan.epochs):
            training.begin_epoch(epoch)
            model.train()
            for inputs, labels in loader:
                criterion(model(inputs), labels).backward()
                training.optimizer.step()
                training.schedule.step()
                training.optimizer.zero_grad()

    What is frozen stays in eval through `model.train()`. `unfreezing` is None where all that trains does so
    from the beginning. To resume, load the states of `unfreezing`, `optimizer` and `schedule` in this order.
    """

    optimizer: Optimizer
    schedule: RatioSchedule
    unfreezing: GradualUnfreezing | None = None

    def begin_epoch(self, epoch: int) -> tuple[str, ...]:
        """Open what is due at the beginning of an epoch (counted from 0), and return the names of the
        blocks."""
        return () if self.unfreezing is None else self.unfreezing.begin_epoch(epoch)


def apply(
    plan: Plan,
    model: nn.Module,
    loader: Iterable[Any],
    forward: Callable[[nn.Module, Any], Any] | None,
) -> Training:
    """See `Plan.apply`."""
    model = inner(model)
    decision = plan.decision
    total = decision.epochs * _length(loader)
    found = {block.name: block for block in blocks_of(plan, model)}
    head = _joined([found[block.name] for block in plan.model.head])
    if decision.norms == "calibrated":
        norms.calibrate(model, loader, *_modules(plan, model), forward=forward)
    if decision.stages:
        return _gradual(plan, model, found, head, total)
    trained = [found[name] for name in decision.rates]
    selection = Selection()
    for block in trained:
        selection.add(block.selection(model))
    leave_trainable(model, selection)
    if decision.norms == "frozen":
        norms.freeze(model, *_modules(plan, model))
    keep_frozen_in_eval(model)
    groups = [
        {
            "params": [p for p in block.parameters.values() if p.requires_grad],
            "lr": decision.rates[block.name],
            "name": block.name,
        }
        for block in trained
    ]
    optimizer = _optimizer(decision, groups)
    return Training(optimizer, _schedule(decision, optimizer, total))


def _gradual(plan: Plan, model: nn.Module, found: dict[str, Block], head: Block, total: int) -> Training:
    decision = plan.decision
    rate = decision.rates[plan.model.head[0].name]
    optimizer = _optimizer(
        decision, [{"params": list(head.parameters.values()), "lr": rate, "name": head.name}]
    )
    schedule = _schedule(decision, optimizer, total)
    stages = [_joined([found[name] for name in names]) for names in reversed(decision.stages)]
    unfreezing = GradualUnfreezing(
        model,
        optimizer,
        decay=GRADUAL_DECAY,
        every=decision.every,
        norms="frozen" if decision.norms == "frozen" else "follow",
        schedule=schedule,
        blocks=[*stages, head],
    )
    keep_frozen_in_eval(model)
    return Training(optimizer, schedule, unfreezing)


def blocks_of(plan: Plan, model: nn.Module) -> list[Block]:
    """The blocks of the plan in a model. Raises `ValueError` where it has other parameters."""
    parameters = dict(model.named_parameters())
    wanted = set(plan.model.parameters)
    other = wanted.symmetric_difference(parameters)
    if other:
        missing = sorted(other - parameters.keys()) or sorted(other)
        raise ValueError(
            f"the plan is for another model than this {type(model).__name__}: `{missing[0]}` and "
            f"{len(other) - 1} more parameters are only in one of them; recommend anew for this model"
        )
    modules = dict(model.named_modules())
    found = []
    for block in plan.model.blocks:
        held = {name: parameters[name] for name in block.parameters}
        owners = tuple(name for name in block.modules if name in modules)
        found.append(Block(block.name, owners, held))
    return found


def _joined(parts: list[Block]) -> Block:
    """Several blocks as one, named after the one that is nearest to the output."""
    if len(parts) == 1:
        return parts[0]
    modules = tuple(name for block in parts for name in block.modules)
    parameters = {name: p for block in parts for name, p in block.parameters.items()}
    return Block(parts[0].name, modules, parameters)


def _modules(plan: Plan, model: nn.Module) -> list[nn.Module]:
    """The modules of the body."""
    return [model.get_submodule(name) for block in plan.model.body for name in block.modules]


def _optimizer(decision: Decision, groups: list[dict[str, Any]]) -> Optimizer:
    if decision.optimizer == "SGD":
        return torch.optim.SGD(groups, momentum=0.9, weight_decay=decision.weight_decay)
    return torch.optim.AdamW(groups, weight_decay=decision.weight_decay)


def _schedule(decision: Decision, optimizer: Optimizer, total: int) -> RatioSchedule:
    make = warmup_cosine if decision.schedule == "cosine" else warmup_linear
    warmup = min(decision.warmup_steps, max(total // 10, 1))
    return make(optimizer, total, warmup, decision.lowest)


def _length(loader: Iterable[Any]) -> int:
    if not isinstance(loader, Sized):
        raise ValueError(
            f"a {type(loader).__name__} has no length: the schedule needs the number of batches in an epoch; "
            "pass a DataLoader or a list"
        )
    if not len(loader):
        raise ValueError("the loader has no batch")
    return len(loader)
