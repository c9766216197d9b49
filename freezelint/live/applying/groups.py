"""Taking parameters out of optimizers, and giving others to them, while schedules and everybody else hold on
to the groups.

Groups are changed in place and never added, removed or put into another order: schedules keep one base rate
for each group by its position, and so does code that says `optimizer.param_groups[1]`. So a group that loses
its last parameter stays, empty, which torch's optimizers pass over; a parameter that is added joins a
group that there is, and with it its settings and its schedule.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Any

import torch
from torch import nn
from torch.optim import LBFGS, Adagrad, Optimizer

from freezelint.live.applying.objects import Held, Live
from freezelint.live.applying.records import Done, Refused, Words

ONE_STATE = "{} keeps one state for all its parameters together: build it anew"
_NAMES = "param_names"  # which torch keeps beside the parameters, where it was given named ones


def take_out(live: Live, parameters: dict[str, nn.Parameter]) -> Words:
    """Take parameters out of every optimizer, with their state; not where it would have nothing left."""
    wanted = {id(parameter): name for name, parameter in parameters.items()}
    by_optimizer: dict[int, list[Held]] = {}
    for held in live.held():
        by_optimizer.setdefault(id(held.optimizer), []).append(held)
    for every in by_optimizer.values():
        optimizer = every[0].optimizer
        going = {
            id(held.parameter): wanted[id(held.parameter)] for held in every if id(held.parameter) in wanted
        }
        if not going:
            continue
        name = type(optimizer).__name__
        if isinstance(optimizer, LBFGS):
            yield Refused(ONE_STATE.format(name))
        elif len(going) == len({id(held.parameter) for held in every}):
            yield Refused(f"{name} would have nothing left to train")
        else:
            before = _empty(optimizer)
            kept = _remove(live, optimizer, set(going))
            state = f", with the state of {kept:,}" if kept else ""
            empty = "".join(f"; its group {n} stays, empty" for n in _empty(optimizer) if n not in before)
            yield Done(f"took {live.told(list(going.values()))} out of {name}{state}{empty}")


def forget(live: Live, held: Iterable[Held]) -> None:
    """Take exactly these out of their optimizers, with their state."""
    for each in held:
        _remove(live, each.optimizer, {id(each.parameter)})


def add(live: Live, parameters: dict[str, nn.Parameter]) -> Words:
    """Give parameters to the group that holds their nearest siblings, where no optimizer holds them yet."""
    already = {id(held.parameter) for held in live.held()}
    missing = {name: p for name, p in parameters.items() if id(p) not in already}
    homes: dict[tuple[int, int], tuple[Optimizer, int, list[str]]] = {}
    for name, parameter in missing.items():
        home = _home(live, name, parameter)
        if home is None:
            model = live.split(name)[0]
            yield Refused(
                f"no optimizer holds anything of `{model}`, so that the settings for {live.told([name])} are "
                "not known: use `add_param_group`"
            )
            return
        if isinstance(home.optimizer, LBFGS):
            yield Refused(ONE_STATE.format(type(home.optimizer).__name__))
            return
        put(live, home.optimizer, home.group, name, parameter)
        number = _number(home.optimizer, home.group)
        homes.setdefault((id(home.optimizer), number), (home.optimizer, number, []))[2].append(name)
    for optimizer, number, names in homes.values():
        several = f"group {number} of " if len(optimizer.param_groups) > 1 else ""
        rate = optimizer.param_groups[number].get("lr")
        at = f" (lr {float(rate):g})" if rate is not None else ""
        yield Done(f"added {live.told(names)} to {several}{type(optimizer).__name__}{at}")


def put(
    live: Live,
    optimizer: Optimizer,
    group: dict[str, Any],
    name: str,
    parameter: nn.Parameter,
    *,
    before: int | None = None,
) -> None:
    """Put a parameter into a group: before the one at a position, or at its end."""
    position = len(group["params"]) if before is None else before
    group["params"].insert(position, parameter)
    if _NAMES in group:
        group[_NAMES].insert(position, live.split(name)[1])
    if isinstance(optimizer, Adagrad):
        _begin_adagrad(optimizer, group, parameter)


def _remove(live: Live, optimizer: Optimizer, going: set[int]) -> int:
    """For how many there was a state: in this optimizer, and in those that share its groups."""
    for group in optimizer.param_groups:
        stay = [position for position, p in enumerate(group["params"]) if id(p) not in going]
        for key in (_NAMES, "params"):
            if key in group and len(stay) < len(group["params"]):
                group[key][:] = [group[key][position] for position in stay]
    had_state: set[int] = set()
    for each in live.optimizers:
        if each is optimizer or _share_groups(each, optimizer):
            for parameter in [p for p in each.state if id(p) in going]:
                if each.state.pop(parameter):
                    had_state.add(id(parameter))
    return len(had_state)


def _empty(optimizer: Optimizer) -> list[int]:
    return [number for number, group in enumerate(optimizer.param_groups) if not group["params"]]


def _share_groups(one: Optimizer, other: Optimizer) -> bool:
    lists = {id(group["params"]) for group in one.param_groups}
    return any(id(group["params"]) in lists for group in other.param_groups)


def _home(live: Live, name: str, parameter: nn.Parameter) -> Held | None:
    """The nearest sibling that an optimizer holds: in the same block, then of the same kind (a bias is not
    decayed with its weight), then next to it in the order of definition.
    """
    model, path = live.split(name)
    root = live.models.get(model)
    if root is None:
        return None
    order = {id(p): (index, n) for index, (n, p) in enumerate(root.named_parameters())}
    own = order.get(id(parameter), (0, path))[0]
    near: list[tuple[tuple[int, bool, int], Held]] = []
    for held in live.held():
        if id(held.parameter) in order and _takes(held.optimizer, parameter):
            index, sibling = order[id(held.parameter)]
            differs = _is_vector(held.parameter) != _is_vector(parameter)
            near.append(((-shared_components(path, sibling), differs, abs(index - own)), held))
    best = min(near, key=lambda pair: pair[0], default=None)
    return None if best is None else _of_its_kind(best[1], parameter, [held for _, held in near])


def _of_its_kind(best: Held, parameter: nn.Parameter, every: list[Held]) -> Held:
    """Where weights and vectors have groups of their own at one rate (decayed or not), the one for its
    kind.
    """
    kind = _is_vector(parameter)
    if any(_is_vector(p) == kind for p in best.group["params"]):
        return best
    for held in every:
        twin = held.optimizer is best.optimizer and held.group.get("lr") == best.group.get("lr")
        if twin and all(_is_vector(p) == kind for p in held.group["params"]):
            return held
    return best


def _takes(optimizer: Optimizer, parameter: nn.Parameter) -> bool:
    """Muon orthogonalises matrices, and nothing else."""
    return type(optimizer).__name__ != "Muon" or parameter.ndim == 2


def _is_vector(parameter: torch.Tensor) -> bool:
    return parameter.ndim <= 1


def shared_components(one: str, other: str) -> int:
    """How many components two dotted paths have in common at their start."""
    pairs = zip(one.split("."), other.split("."), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _number(optimizer: Optimizer, group: dict[str, Any]) -> int:
    return next(number for number, each in enumerate(optimizer.param_groups) if each is group)


def _begin_adagrad(optimizer: Adagrad, group: dict[str, Any], parameter: nn.Parameter) -> None:
    """Adagrad makes its state when it is built, for what it holds by then."""
    start = group.get("initial_accumulator_value", 0)
    like = next((state for state in optimizer.state.values() if "step" in state), None)
    counter = torch.zeros_like(like["step"]) if like is not None else torch.tensor(0.0)
    optimizer.state[parameter] = {
        "step": counter,
        "sum": torch.full_like(parameter, start, memory_format=torch.preserve_format).detach(),
    }
