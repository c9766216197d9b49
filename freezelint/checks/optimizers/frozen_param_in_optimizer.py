"""FRZ201: an optimizer holds parameters that are frozen."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import OptimizerState, Step, Trace
from freezelint.facts import frozen_by_design, is_frozen, is_toggled, subjects, unfrozen_after
from freezelint.finding import Fault, Related
from freezelint.wording import lines, parameters_named

# Libraries that freeze the base model themselves; their documentation hands every parameter to the optimizer.
_ADAPTERS = {"peft", "adapters", "loralib", "opendelta", "unsloth"}


def check(trace: Trace) -> Iterator[Fault]:
    """One finding an optimizer. Silent for toggles, what the model's class froze, and before an unfreeze."""
    told: set[int] = set()
    if trace.pending_unfreezes:
        return
    for step in trace.completed:
        if step.stepping and step.stepping.optimizer not in told:
            faults = list(_frozen_in(trace, step, step.stepping))
            told.update(step.stepping.optimizer for _ in faults)
            yield from faults


def _frozen_in(trace: Trace, step: Step, state: OptimizerState) -> Iterator[Fault]:
    held = list(dict.fromkeys(p for group in state.groups for p in group.parameters))
    frozen = [p for p in held if _stays_frozen(trace, step, p)]
    if not frozen or len(frozen) == len(held):
        return
    optimizer = trace.optimizers[state.optimizer]
    causes = [trace.location(step.parameters[p].cause) for p in frozen]
    places = list(dict.fromkeys(cause for cause in causes if cause))
    built = trace.location(optimizer.built)
    where = f" (frozen on {lines(places, built)})" if places else ""
    yield Fault(
        f"{optimizer.class_name} holds {parameters_named(trace, frozen)}, which cannot train{where}; "
        "give it the trainable parameters only",
        built,
        subjects(trace, frozen),
        tuple(Related(place, "frozen here") for place in places),
        {"frozen": len(frozen), "held": len(held)},
    )


def _stays_frozen(trace: Trace, step: Step, parameter: int) -> bool:
    if not trace.parameters[parameter].attached or not is_frozen(step, parameter):
        return False
    cause = trace.event(step.parameters[parameter].cause)
    if cause is not None and cause.name in _ADAPTERS:
        return False
    changes = is_toggled(trace, parameter) or unfrozen_after(trace, step, parameter)
    return not changes and not frozen_by_design(trace, step, parameter)
