"""What learning rate schedules do to the groups of their optimizer: torch's own classes by their formulas, of
others that the rates are not known any more."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

from freezelint.freezing.shapes import Shape
from freezelint.source.interpreter.values import Optimizer, Schedule, Unknown, Value
from freezelint.source.semantics.rates import number

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# Classes that raise when they step an optimizer with more groups than they have rates for. The others take
# the rate that a group has and go on from there.
_RAISE = frozenset(
    {"LambdaLR", "MultiplicativeLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR", "SWALR"}
)
# Classes whose first rate is the one that the group was given.
_START_AS_GIVEN = frozenset(
    {
        *("StepLR", "MultiStepLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR"),
        *("CosineAnnealingWarmRestarts", "MultiplicativeLR", "ReduceLROnPlateau", "SWALR"),
    }
)

# Where a schedule of transformers keeps how many steps it warms up: no name that a script can use.
WARM_UP = "warm-up steps"
# The schedule of `freezelint.freezing`, and where it keeps its shape.
RATIO = "RatioSchedule"
SHAPE = "*shape"


def start(machine: Machine, schedule: Schedule, optimizer: Optimizer) -> None:
    """What building the schedule does: it remembers the rates, and sets those of its first step."""
    for group in optimizer.groups:
        group.setdefault("initial_lr", group.get("lr", Unknown("lr")))
    bases = [group["initial_lr"] for group in optimizer.groups]
    schedule.attributes.update(base_lrs=bases, last_epoch=0, optimizer=optimizer, _step_count=1)
    if WARM_UP in schedule.attributes:
        _warm_up(schedule, optimizer, 0)
    elif schedule.class_name in ("OneCycleLR", "CyclicLR"):
        _cycles(machine, schedule, optimizer)
    elif schedule.class_name in ("SequentialLR", "ChainedScheduler"):
        _start_inner(schedule, optimizer)
    elif schedule.class_name not in _START_AS_GIVEN:
        _write(machine, schedule, optimizer, 0)


def advance(machine: Machine, schedule: Schedule, optimizer: Optimizer, epoch: int | None) -> str:
    """One step of the schedule, after which it stands at this epoch (None: unknown). Gives "group-missing"
    where torch raises for want of a group.
    """
    schedule.attributes["last_epoch"] = Unknown("last_epoch", late=True) if epoch is None else epoch
    if schedule.class_name == RATIO:
        take_in(schedule, optimizer)
    if lacks_group(schedule, optimizer):
        return "group-missing"
    if WARM_UP in schedule.attributes:
        _warm_up(schedule, optimizer, epoch)
    elif schedule.class_name == "ChainedScheduler":
        for inner in _inner(schedule):
            advance(machine, inner, optimizer, epoch)
    elif schedule.class_name == "SequentialLR":
        _advance_one_of(machine, schedule, optimizer, epoch)
    elif schedule.class_name == "ReduceLROnPlateau":
        patience = number(_argument(schedule, 3, "patience", 10))
        if epoch is None or patience is None or epoch > patience:
            _forget(optimizer)
    else:
        _write(machine, schedule, optimizer, epoch)
    return ""


def take_in(schedule: Schedule, optimizer: Optimizer) -> None:
    """A schedule of ours gives groups that were added later a base rate."""
    bases = schedule.attributes.get("base_lrs")
    if isinstance(bases, list):
        for group in optimizer.groups[len(bases) :]:
            bases.append(group.setdefault("initial_lr", group.get("lr", Unknown("lr"))))


def follow(schedule: Schedule, optimizer: Optimizer, head: dict[str, Value]) -> None:
    """`GradualUnfreezing` lets a schedule of torch's go on with groups that were added later. They are at
    their base rate, and go to the part of it that the group `head` is at.
    """
    now, first = number(head.get("lr")), number(head.get("initial_lr"))
    for group in optimizer.groups:
        if "initial_lr" not in group and "initial_lr" in head:
            base = group["initial_lr"] = group.get("lr", Unknown("lr"))
            rate = number(base)
            if rate is None or now is None or not first:
                group["lr"] = Unknown("lr")
            else:
                group["lr"] = rate * now / first
    position = next(place for place, group in enumerate(optimizer.groups) if group is head)
    for each in (schedule, *_inner(schedule)):
        _extend(each, optimizer, position)


def _extend(schedule: Schedule, optimizer: Optimizer, position: int) -> None:
    bases, lambdas = (schedule.attributes.get(name) for name in ("base_lrs", "lr_lambdas"))
    if isinstance(bases, list):
        bases += [group.get("initial_lr", Unknown("lr")) for group in optimizer.groups[len(bases) :]]
    if isinstance(lambdas, list) and position < len(lambdas):
        lambdas += [lambdas[position]] * (len(optimizer.groups) - len(lambdas))


def restart(machine: Machine, schedule: Schedule, optimizer: Optimizer) -> None:
    """A schedule of ours warms up anew from the step that it stands at."""
    take_in(schedule, optimizer)
    shape, epoch = schedule.attributes.get(SHAPE), schedule.attributes.get("last_epoch")
    if isinstance(shape, Shape) and isinstance(epoch, int):
        shape.restart(epoch)
        _write(machine, schedule, optimizer, epoch)
    else:
        schedule.attributes[SHAPE] = None
        _forget(optimizer)


def lacks_group(schedule: Schedule, optimizer: Optimizer) -> bool:
    """Whether stepping raises: there are more groups than the schedule has rates for."""
    if schedule.class_name in ("ChainedScheduler", "SequentialLR"):
        inner = _inner(schedule)
        current = inner if schedule.class_name == "ChainedScheduler" else inner[:1]
        return any(lacks_group(each, optimizer) for each in current)
    known = schedule.attributes.get("base_lrs")
    rates = schedule.attributes.get("lr_lambdas", known)
    raises = schedule.class_name in _RAISE or WARM_UP in schedule.attributes
    if not raises or not isinstance(known, list) or not isinstance(rates, list):
        return False
    return len(known) < len(optimizer.groups) and len(rates) < len(optimizer.groups)


def _warm_up(schedule: Schedule, optimizer: Optimizer, epoch: int | None) -> None:
    """Of the schedules of transformers only the warm-up is followed, and the first rate without one."""
    steps = schedule.attributes[WARM_UP]
    for group in optimizer.groups:
        base = number(group.get("initial_lr"))
        if (
            base is None
            or steps is None
            or epoch is None
            or (epoch > steps or (epoch == steps and steps > 0))
        ):
            group["lr"] = Unknown("lr")
        else:
            group["lr"] = base * epoch / steps if steps else base


def _forget(optimizer: Optimizer) -> None:
    for group in optimizer.groups:
        group["lr"] = Unknown("lr")


def _write(machine: Machine, schedule: Schedule, optimizer: Optimizer, epoch: int | None) -> None:
    """Give every group the rate of this epoch; groups with one base rate get one rate."""
    bases = schedule.attributes.get("base_lrs")
    bases = bases if isinstance(bases, list) else []
    given: dict[object, Value] = {}
    for position, group in enumerate(optimizer.groups):
        base = bases[position] if position < len(bases) else group.get("lr")
        key = (base if isinstance(base, (int, float)) else id(base), _lambda_key(schedule, position))
        if key not in given:
            given[key] = _rate(machine, schedule, base, epoch, position)
        group["lr"] = given[key]


def _lambda_key(schedule: Schedule, position: int) -> object:
    lambdas = schedule.attributes.get("lr_lambdas")
    return id(lambdas[position]) if isinstance(lambdas, list) and position < len(lambdas) else None


def _rate(machine: Machine, schedule: Schedule, base: Value, epoch: int | None, position: int) -> Value:
    value = number(base)
    if value is None or epoch is None:
        return Unknown("lr")
    try:
        rate = _formula(machine, schedule, value, epoch, position)
    except (ArithmeticError, ValueError, TypeError):
        rate = None
    return Unknown("lr") if rate is None else rate


def _formula(machine: Machine, schedule: Schedule, base: float, epoch: int, position: int) -> float | None:
    name = schedule.class_name
    if name == RATIO:
        shape = schedule.attributes.get(SHAPE)
        return base * shape(epoch) if isinstance(shape, Shape) else None
    if name == "LambdaLR":
        lambdas = schedule.attributes.get("lr_lambdas")
        if not isinstance(lambdas, list) or position >= len(lambdas):
            return None
        factor = number(machine.call(lambdas[position], epoch))
        return None if factor is None else base * factor
    if name == "OneCycleLR":
        return _one_cycle(schedule, base, epoch)
    if name == "CyclicLR":
        return _cyclic(schedule, base, epoch, position)
    if name in ("CosineAnnealingLR", "CosineAnnealingWarmRestarts"):
        period = number(_argument(schedule, 1, "T_max" if name.endswith("LR") else "T_0"))
        lowest = number(_argument(schedule, 2 if name.endswith("LR") else 3, "eta_min", 0.0))
        if not period or lowest is None or (epoch >= period and not name.endswith("LR")):
            return None
        return lowest + (base - lowest) * (1 + math.cos(math.pi * epoch / period)) / 2
    factor = _factor(schedule, epoch)
    return None if factor is None else base * factor


def _factor(schedule: Schedule, epoch: int) -> float | None:
    """What a schedule that multiplies all rates alike multiplies them by."""
    name = schedule.class_name
    if name == "ExponentialLR":
        gamma = number(_argument(schedule, 1, "gamma"))
        return None if gamma is None else gamma**epoch
    if name == "StepLR":
        size, gamma = (
            number(_argument(schedule, 1, "step_size")),
            number(_argument(schedule, 2, "gamma", 0.1)),
        )
        return None if not size or gamma is None else gamma ** (epoch // size)
    if name == "MultiStepLR":
        stones, gamma = _argument(schedule, 1, "milestones"), number(_argument(schedule, 2, "gamma", 0.1))
        places = [number(stone) for stone in stones] if isinstance(stones, (list, tuple)) else [None]
        known = sorted(place for place in places if place is not None)
        return None if gamma is None or len(known) < len(places) else gamma ** bisect_right(known, epoch)
    if name == "PolynomialLR":
        total, power = (
            number(_argument(schedule, 1, "total_iters", 5)),
            number(_argument(schedule, 2, "power", 1.0)),
        )
        return None if not total or power is None else float((1 - min(epoch, total) / total) ** power)
    if name == "ConstantLR":
        first, total = (
            number(_argument(schedule, 1, "factor", 1 / 3)),
            number(_argument(schedule, 2, "total_iters", 5)),
        )
        return None if first is None or total is None else (first if epoch < total else 1.0)
    if name == "LinearLR":
        return _linear(schedule, epoch)
    return None


def _linear(schedule: Schedule, epoch: int) -> float | None:
    first, last = (
        number(_argument(schedule, 1, "start_factor", 1 / 3)),
        number(_argument(schedule, 2, "end_factor", 1.0)),
    )
    total = number(_argument(schedule, 3, "total_iters", 5))
    if first is None or epoch == 0:
        return first
    return None if last is None or not total else first + (last - first) * min(epoch, total) / total


def _argument(schedule: Schedule, position: int, name: str, default: Value = None) -> Value:
    value = schedule.call.get(position, name, default)
    return value.hint if isinstance(value, Unknown) and isinstance(value.hint, (list, tuple)) else value


# -- schedules that set rates of their own -------------------------------------------------------------------


def _cycles(machine: Machine, schedule: Schedule, optimizer: Optimizer) -> None:
    """OneCycleLR and CyclicLR take the rates from their arguments: one for all groups, or one each."""
    one_cycle = schedule.class_name == "OneCycleLR"
    chosen = _argument(schedule, 1, "max_lr" if one_cycle else "base_lr", Unknown("lr"))
    count = len(optimizer.groups)
    peaks = list(chosen) if isinstance(chosen, (list, tuple)) and len(chosen) == count else [chosen] * count
    if isinstance(chosen, Unknown) and number(chosen) is None:
        # A list with a rate for each group may hide here.
        peaks = [Unknown("lr") for _ in range(count)]
    schedule.attributes["base_lrs"] = peaks
    _write(machine, schedule, optimizer, 0)
    for group in optimizer.groups:
        group["initial_lr"] = group["lr"]


def _one_cycle(schedule: Schedule, peak: float, epoch: int) -> float | None:
    ratio = number(_argument(schedule, 10, "div_factor", 25.0))
    if not ratio:
        return None
    initial = peak / ratio
    if epoch == 0:
        return initial
    total = number(_argument(schedule, 2, "total_steps", None))
    if total is None:
        epochs, steps = (
            number(_argument(schedule, 3, "epochs")),
            number(_argument(schedule, 4, "steps_per_epoch")),
        )
        total = None if epochs is None or steps is None else epochs * steps
    share = number(_argument(schedule, 5, "pct_start", 0.3))
    if not total or share is None or epoch > share * total - 1:
        return None
    progress = epoch / (share * total - 1)
    if _argument(schedule, 6, "anneal_strategy", "cos") == "linear":
        return initial + (peak - initial) * progress
    return peak + (initial - peak) / 2 * (1 + math.cos(math.pi * progress))


def _cyclic(schedule: Schedule, base: float, epoch: int, position: int) -> float | None:
    chosen = _argument(schedule, 2, "max_lr")
    peak = number(
        chosen[position] if isinstance(chosen, (list, tuple)) and position < len(chosen) else chosen
    )
    up = number(_argument(schedule, 3, "step_size_up", 2000))
    if epoch == 0:
        return base
    return None if peak is None or not up or epoch > up else base + (peak - base) * epoch / up


# -- schedules made of schedules -----------------------------------------------------------------------------


def _inner(schedule: Schedule) -> list[Schedule]:
    position = 0 if schedule.class_name == "ChainedScheduler" else 1
    inner = _argument(schedule, position, "schedulers")
    return [each for each in inner if isinstance(each, Schedule)] if isinstance(inner, (list, tuple)) else []


def _start_inner(schedule: Schedule, optimizer: Optimizer) -> None:
    """Of a sequence only the first schedule is in force; of a chain all are, as they have been built."""
    inner = _inner(schedule)
    if schedule.class_name == "SequentialLR" and len(inner) > 1:
        first = inner[0]
        for group in optimizer.groups:
            base, factor = number(group.get("initial_lr")), _factor(first, 0)
            known = base is not None and (factor is not None or first.class_name in _START_AS_GIVEN)
            group["lr"] = (
                base * (1.0 if factor is None else factor) if known and base is not None else Unknown("lr")
            )


def _advance_one_of(machine: Machine, schedule: Schedule, optimizer: Optimizer, epoch: int | None) -> None:
    inner, stones = _inner(schedule), _argument(schedule, 2, "milestones")
    known = [number(stone) for stone in stones] if isinstance(stones, (list, tuple)) else [None]
    if (
        epoch is None
        or not inner
        or None in known
        or any(stone is not None and epoch >= stone for stone in known)
    ):
        _forget(optimizer)
        return
    advance(machine, inner[0], optimizer, epoch)
