"""FRZ107: a module that nothing trains and that only runs without gradients is in train mode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from freezelint.evidence import Location, Model, Module, Step, Trace
from freezelint.facts import is_trainable
from freezelint.facts.norms import (
    drifting,
    in_train_mode,
    is_bystander,
    is_optimised,
    may_be_copied_by_hand,
    related,
    updates_statistics,
)
from freezelint.finding import Fault
from freezelint.wording import agree, line, listing, plural, shown


@dataclass(frozen=True)
class _Active:
    """A norm or dropout layer in train mode inside a bystander at `path`."""

    model: Model
    path: str
    module: Module
    mode: Location | None


def check(trace: Trace) -> Iterator[Fault]:
    """Silent for momentum encoders and mean teachers, written by hand: they run in train mode by design."""
    for model in trace.models:
        found: dict[str, _Active] = {}
        for path in bystanders(trace, model):
            if not may_be_copied_by_hand(trace, model, path):
                for step in trace.completed:
                    for active in _active(trace, step, model, path):
                        found.setdefault(active.module.path, active)
        groups: dict[object, list[_Active]] = {}
        for active in found.values():
            groups.setdefault(active.mode and active.mode.at(), []).append(active)
        for group in groups.values():
            yield _fault(group)


def bystanders(trace: Trace, model: Model) -> list[str]:
    """The model itself, or else its largest modules that nothing optimises and that run without gradients.

    Frozen parts of a model are not meant here: FRZ101 and FRZ104 speak of those.
    """
    if is_bystander(trace, model):
        return [""]
    found: list[str] = []
    for module in model.modules:
        if not any(module.path.startswith(f"{path}.") for path in found) and _is_bystander(
            trace, model, module.path
        ):
            found.append(module.path)
    return found


def _is_bystander(trace: Trace, model: Model, path: str) -> bool:
    parameters = model.parameters_within(path)
    if not path or not parameters or is_optimised(trace, parameters):
        return False
    if not all(any(is_trainable(step, p) for p in parameters) for step in trace.completed):
        return False
    inside = model.within(path)
    states = [step.module(model.index, module.path) for step in trace.completed for module in inside]
    ran = [state for state in states if state is not None and state.ran]
    return bool(ran) and all(state.with_gradient is False for state in ran)


def _active(trace: Trace, step: Step, model: Model, path: str) -> Iterator[_Active]:
    for module in model.within(path):
        if not in_train_mode(trace, step, model, module):
            continue
        state = step.modules[model.index][module.path]
        if module.dropout or updates_statistics(module, state):
            yield _Active(model, path, module, trace.location(state.cause))


def _fault(group: list[_Active]) -> Fault:
    first = group[0]
    names = list(dict.fromkeys(shown(active.model, active.path) for active in group))
    count = len(names)
    norms = [active.module for active in group if active.module.norm is not None]
    dropouts = [active.module for active in group if active.module.norm is None]
    effects = []
    if norms:
        effects.append(drifting(norms))
    if dropouts:
        effects.append(
            f"{plural(len(dropouts), 'dropout layer')} {agree(len(dropouts), 'adds', 'add')} noise"
        )
    when = f" ({line(first.mode)})" if first.mode else ""
    location = first.mode or first.model.built
    return Fault(
        f"nothing trains {listing(names)}, which only {agree(count, 'runs', 'run')} without gradients, yet "
        f"in train mode{when}: {' and '.join(effects)}; call `.eval()` on {agree(count, 'it', 'them')}"
        f"{' after every `train()`' if first.mode else ''}",
        location,
        tuple(f"{active.model.name}.{active.module.path}" for active in group),
        related((first.model.built, "built here"), beside=location),
        {"norms": len(norms), "dropouts": len(dropouts)},
    )
