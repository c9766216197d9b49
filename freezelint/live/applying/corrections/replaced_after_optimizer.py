"""FRZ204: new parameters take the places of those that they replaced, which leave with their state."""

from __future__ import annotations

from torch import nn
from torch.optim import LBFGS

from freezelint.finding import Finding
from freezelint.live.applying import groups
from freezelint.live.applying.groups import shared_components
from freezelint.live.applying.objects import Held, Live, Lost
from freezelint.live.applying.records import Done, Phase, Refused, Words

PHASE = Phase.FILL_GROUPS


def apply(finding: Finding, live: Live) -> Words:
    """Where nothing of the old module is left in an optimizer, the siblings tell the group."""
    held = {id(each.parameter) for each in live.held()}
    found = live.parameters(finding.subjects).items()
    new = {name: p for name, p in found if p.requires_grad and id(p) not in held}
    orphans = [(each, lost) for each, lost in live.orphans() if _is_beside(live, lost, new)]
    if not orphans:
        yield from groups.add(live, new)
        return
    optimizer = orphans[0][0].optimizer
    name = type(optimizer).__name__
    if isinstance(optimizer, LBFGS):
        yield Refused(groups.ONE_STATE.format(name))
        return
    for path, parameter in new.items():
        _succeed(live, path, parameter, orphans)
        parameter.grad = None
    yield Done(f"gave {live.told(list(new))} to {name}, with the settings of what they replaced")
    groups.forget(live, (each for each, _ in orphans))
    yield Done(f"took what they replaced out of {name}, with its state")


def _succeed(live: Live, name: str, parameter: nn.Parameter, orphans: list[tuple[Held, Lost]]) -> None:
    """Right before its predecessor of the same path, else at the end of the group of the closest one."""
    path = live.split(name)[1]
    same = next((each for each, lost in orphans if path in lost.paths), None)
    if same is not None:
        position = next(i for i, p in enumerate(same.group["params"]) if p is same.parameter)
        groups.put(live, same.optimizer, same.group, name, parameter, before=position)
        return
    closest, _ = max(orphans, key=lambda pair: max(shared_components(path, other) for other in pair[1].paths))
    groups.put(live, closest.optimizer, closest.group, name, parameter)


def _is_beside(live: Live, lost: Lost, new: dict[str, nn.Parameter]) -> bool:
    """Whether the lost parameter stood where one of the new ones stands: at its path, or in its module."""
    for name in new:
        model, path = live.split(name)
        if model == lost.model and any(path == p or shared_components(path, p) for p in lost.paths):
            return True
    return False
