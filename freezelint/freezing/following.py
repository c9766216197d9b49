"""Making torch's own schedules follow groups that are added to their optimizer later: by themselves they
raise, or leave such groups at their rate."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR

from freezelint.freezing.schedules import RatioSchedule

# They keep bounds for each group that nothing but their constructor can work out.
_CYCLIC = (CyclicLR, OneCycleLR)


def refuse(schedule: LRScheduler) -> None:
    """Raise `ValueError` for a schedule that cannot take in other groups than its first."""
    for each in _inside(schedule):
        if isinstance(each, _CYCLIC):
            raise ValueError(
                f"{type(each).__name__} cannot follow groups that are added later: use "
                "`freezing.warmup_cosine` or `freezing.slanted_triangular`, which also warm up again at each "
                "block"
            )


def take_in(schedule: LRScheduler, optimizer: Optimizer, head: dict[str, Any]) -> None:
    """Let a schedule go on with all groups that the optimizer has now. What is new is at its base rate, and
    goes to the part of it that the group `head` is at. A `RatioSchedule` sees to itself.
    """
    if isinstance(schedule, RatioSchedule):
        return
    for group in optimizer.param_groups:
        if "initial_lr" not in group and "initial_lr" in head:
            group["initial_lr"] = group["lr"].clone() if isinstance(group["lr"], Tensor) else group["lr"]
            if head["initial_lr"]:
                group["lr"] = group["lr"] * (head["lr"] / head["initial_lr"])
    for each in _inside(schedule):
        _extend(each, optimizer.param_groups, head)


def unwrapped_schedule(schedule: Any) -> Any:
    """A schedule out of accelerate's wrapper."""
    return getattr(schedule, "scheduler", schedule)


def _extend(schedule: Any, groups: list[dict[str, Any]], head: dict[str, Any]) -> None:
    """Give a schedule for each new group what it keeps for each of them, in new lists: a `state_dict` that
    was taken before holds the old ones.
    """
    position = next(number for number, group in enumerate(groups) if group is head)
    for name in ("min_lrs", "lr_lambdas"):
        kept = getattr(schedule, name, None)
        if isinstance(kept, list):
            setattr(schedule, name, kept + [kept[position]] * (len(groups) - len(kept)))
    base = getattr(schedule, "base_lrs", None)
    if isinstance(base, list):
        schedule.base_lrs = base + [group["initial_lr"] for group in groups[len(base) :]]


def _inside(schedule: Any) -> list[Any]:
    """The schedules that one consists of: itself, or those that it chains."""
    schedule = unwrapped_schedule(schedule)
    chained = getattr(schedule, "_schedulers", None)
    if not chained:
        return [schedule]
    return [inner for each in chained for inner in _inside(each)]
