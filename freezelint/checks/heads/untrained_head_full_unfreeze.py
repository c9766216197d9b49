"""FRZ401: a fresh head and the whole pretrained backbone learn at one rate from the first step."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

from freezelint.evidence import Model, OptimizerState, Step, Trace
from freezelint.facts import subjects
from freezelint.facts.layers import layers, numel, of_origin, parameters_of, tail, wholly_trained
from freezelint.finding import Fault, Related
from freezelint.wording import parameters_named

# Optimizers whose update does not grow with the gradient: at a small rate a wild first gradient does no harm.
_NORMALISED = ("adam", "adan", "lion", "adafactor", "lamb", "came", "sophia", "shampoo", "soap")
# Optimizers that find or ramp the rate themselves: the number in the group is not the rate in force.
_RATE_FREE = ("prodigy", "dadapt", "schedulefree")
_SAFE_RATE = 1e-4
_RAMPS = ("onecycle", "cyclic", "warmup")


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a model, for the first step that any optimizer takes with the head."""
    for model in trace.models:
        for count, step in enumerate(trace.completed):
            head = _head(trace, model, step)
            if head and step.stepping and _holds_any(step.stepping, head):
                earlier = [before.stepping for before in trace.completed[:count] if before.stepping]
                if not any(_holds_any(state, head) for state in earlier):
                    yield from _together(trace, model, step, step.stepping, head)
                break


def _head(trace: Trace, model: Model, step: Step) -> list[int]:
    """The fresh parameters that run last, right after pretrained ones; empty without a head."""
    run = layers(model, step)
    last = tail(trace, run, "fresh")
    before = run[: len(run) - len(last)]
    if not before or all(layer.module.role == "norm" for layer in last):
        return []
    if any(trace.parameters[p].origin != "pretrained" for p in before[-1].module.parameters):
        return []
    return parameters_of(last)


def _holds_any(state: OptimizerState, parameters: list[int]) -> bool:
    return any(p in group.parameters for group in state.groups for p in parameters)


def _together(
    trace: Trace, model: Model, step: Step, state: OptimizerState, head: list[int]
) -> Iterator[Fault]:
    backbone = of_origin(trace, model.parameters, "pretrained")
    unknown = of_origin(trace, model.parameters, "unknown")
    if numel(trace, head) >= numel(trace, backbone) or 100 * numel(trace, unknown) > numel(trace, backbone):
        return
    if not wholly_trained(step, (*backbone, *head)) or not _gets_gradient(step, backbone):
        return
    rate = _one_rate(step, (*backbone, *head))
    if rate is None or _gentle(trace, state, rate) or _warms_up(trace, state, head):
        return
    optimizer = trace.optimizers[state.optimizer]
    built = next((trace.parameters[p].built for p in head if trace.parameters[p].built), None)
    name = parameters_named(trace, head)
    yield Fault(
        f"{optimizer.class_name} trains the freshly initialised {name} together with the whole pretrained "
        f"backbone at one learning rate ({rate:g}) from the first step: the head's large first gradients "
        "distort the pretrained features; train the head alone first, or give the backbone a lower rate",
        trace.location(optimizer.built),
        subjects(trace, (*head, *backbone)),
        (Related(built, "the head is built here, with random weights"),) if built else (),
        {"rate": rate, "head": len(head), "backbone": len(backbone)},
    )


def _gets_gradient(step: Step, parameters: list[int]) -> bool:
    return any(step.parameters[p].gradient in ("nonzero", "unknown") for p in parameters)


def _one_rate(step: Step, parameters: tuple[int, ...]) -> float | None:
    """The rate that all of them learn at, if it is one."""
    stepping = step.stepping
    wanted = set(parameters)
    groups = [group for group in stepping.groups if wanted.intersection(group.parameters)] if stepping else []
    rates = [group.lr for group in groups if group.lr is not None]
    if not rates or len(rates) < len(groups) or rates[0] <= 0:
        return None
    return rates[0] if all(isclose(rate, rates[0], rel_tol=1e-6) for rate in rates) else None


def _gentle(trace: Trace, state: OptimizerState, rate: float) -> bool:
    """The published recipe for transformers, or an optimizer that chooses its rate itself."""
    name = trace.optimizers[state.optimizer].class_name.lower()
    if any(word in name for word in _RATE_FREE):
        return True
    return rate <= _SAFE_RATE * (1 + 1e-9) and any(word in name for word in _NORMALISED)


def _warms_up(trace: Trace, state: OptimizerState, head: list[int]) -> bool:
    """Whether the rate is on its way up: below the one at construction, the schedule's, or a later one."""
    schedules = [s.class_name.lower() for s in trace.schedules if s.optimizer == state.optimizer]
    if any(ramp in name for name in schedules for ramp in _RAMPS):
        return True
    built = trace.optimizers[state.optimizer].groups
    later = [
        other.groups
        for step in trace.completed
        for other in step.optimizers
        if other.optimizer == state.optimizer
    ]
    for position, group in enumerate(state.groups):
        if group.lr is None or not set(head).intersection(group.parameters):
            continue
        peaks = [group.initial_lr]
        peaks += [groups[position].lr for groups in (built, *later) if position < len(groups)]
        if any(peak is not None and group.lr < 0.95 * peak for peak in peaks):
            return True
    return False
