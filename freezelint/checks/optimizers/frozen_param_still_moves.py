"""FRZ202: a frozen parameter changes value when its optimizer steps."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Gradient, OptimizerState, Step, Trace
from freezelint.facts import is_frozen, is_trainable, subjects, unfrozen_after
from freezelint.finding import Fault, Related
from freezelint.wording import agree, line, parameters_named

_REASONS: dict[Gradient, str] = {
    "none": "it moves parameters that have no gradient; take them out of its groups",
    "zero": "their gradient was zeroed instead of cleared, so momentum, averages and weight decay "
    "still act on them; "
    "call `zero_grad(set_to_none=True)` or take them out of its groups",
    "nonzero": "a gradient from before the freeze is still in `.grad`; "
    "clear it (`.grad = None`) when freezing, or take them out of its groups",
    "unknown": "clear their `.grad` (to None) when freezing, or take them out of its groups",
}


def check(trace: Trace) -> Iterator[Fault]:
    """By value. Silent for parameters in no optimizer (teachers), toggles, and gradients made by hand."""
    told: set[int] = set()
    for step in trace.completed:
        if step.stepping:
            yield from _moving(trace, step, step.stepping, told)


def _moving(trace: Trace, step: Step, state: OptimizerState, told: set[int]) -> Iterator[Fault]:
    held = list(dict.fromkeys(p for group in state.groups for p in group.parameters))
    some_trainable = any(is_trainable(step, p) for p in held)
    by_cause: dict[object, list[int]] = {}
    for p in held:
        if p not in told and _moves(trace, step, p, some_trainable):
            location = trace.location(step.parameters[p].cause)
            by_cause.setdefault(location and location.at(), []).append(p)
    for frozen in by_cause.values():
        told.update(frozen)
        yield _fault(trace, step, state, frozen)


def _moves(trace: Trace, step: Step, parameter: int, some_trainable: bool) -> bool:
    if not (trace.parameters[parameter].attached and is_frozen(step, parameter)):
        return False
    state = step.parameters[parameter]
    if state.moved is not True or unfrozen_after(trace, step, parameter):
        return False
    # An optimizer that moves frozen parameters only estimates gradients itself (evolution strategies).
    if state.gradient == "none":
        return some_trainable
    return _had_gradient_before_freeze(trace, step, parameter)


def _had_gradient_before_freeze(trace: Trace, step: Step, parameter: int) -> bool:
    """Whether autograd can have left a gradient: else the user assigned `.grad` on purpose."""
    if any(is_trainable(earlier, parameter) for earlier in trace.completed if earlier.index < step.index):
        return True
    cause = trace.event(step.parameters[parameter].cause)
    return cause is not None and any(event.index < cause.index for event in trace.events_of("backward"))


def _fault(trace: Trace, step: Step, state: OptimizerState, frozen: list[int]) -> Fault:
    optimizer = trace.optimizers[state.optimizer]
    cause, built = trace.location(step.parameters[frozen[0]].cause), trace.location(optimizer.built)
    gradients = sorted({step.parameters[p].gradient for p in frozen}, key=list(_REASONS).index)
    where = (
        f", frozen on {line(cause)}" if cause else ", which {} frozen".format(agree(len(frozen), "is", "are"))
    )
    return Fault(
        f"{optimizer.class_name}.step() changes {parameters_named(trace, frozen)}{where}: "
        f"{_REASONS[gradients[-1]]}",
        cause or built,
        subjects(trace, frozen),
        (Related(built, f"{optimizer.class_name} is built here and still holds them"),)
        if cause and built
        else (),
        {"moved": len(frozen), "gradients": gradients},
    )
