"""FRZ402: a freshly initialised head is frozen, so that it stays random."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Model, Step, Trace
from freezelint.facts import is_toggled, subjects, wholly_frozen
from freezelint.facts.layers import Layer, layers, learns_something, of_origin, parameters_of, tail
from freezelint.finding import Fault, Related
from freezelint.wording import agree, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a model, from the first step that shows it. Silent for copies, which get no gradient."""
    for model in trace.models:
        if not of_origin(trace, model.parameters, "pretrained"):
            continue
        for step in trace.completed:
            head = _frozen_head(trace, model, step)
            causes = _freezes(trace, step, head)
            if head and causes and learns_something(model, step):
                yield _fault(trace, head, causes)
                break


def _frozen_head(trace: Trace, model: Model, step: Step) -> list[int]:
    """The fresh and frozen parameters at the end of the model that a gradient passes.

    A fresh layer before them that is trained may be another task's head, beside them: then backward must
    have come through every one of them.
    """
    last = tail(trace, layers(model, step), "fresh")
    whole = wholly_frozen(step, parameters_of(last))
    if not whole:
        last = _frozen_end(step, last)
    head = parameters_of(last)
    if any(is_toggled(trace, p) for p in head):
        return []
    reached = all(
        layer.state.input_requires_grad
        and layer.state.with_gradient is not False
        and (whole or layer.state.reached_by_backward is True)
        for layer in last
    )
    return head if reached else []


def _frozen_end(step: Step, run: list[Layer]) -> list[Layer]:
    """The layers at the end of the run all of whose parameters are frozen."""
    start = len(run)
    while start and wholly_frozen(step, run[start - 1].module.parameters):
        start -= 1
    return run[start:]


def _freezes(trace: Trace, step: Step, parameters: list[int]) -> list[Event]:
    """The statements of the user's code that froze them; empty unless that is known for each."""
    found: dict[int, Event] = {}
    for parameter in parameters:
        event = trace.event(step.parameters[parameter].cause)
        if event is None or event.kind != "frozen" or event.location is None:
            return []
        found[event.index] = event
    return list(found.values())


def _fault(trace: Trace, head: list[int], causes: list[Event]) -> Fault:
    built = next((trace.parameters[p].built for p in head if trace.parameters[p].built), None)
    others = [Related(cause.location, "frozen here too") for cause in causes[1:] if cause.location]
    return Fault(
        f"{parameters_named(trace, head)} at the end of the model {agree(len(head), 'is', 'are')} "
        f"freshly initialised and frozen, so {agree(len(head), 'it stays', 'they stay')} random; leave the "
        "head out of the freeze, or unfreeze it before the optimizer is built",
        causes[0].location,
        subjects(trace, head),
        ((Related(built, "built here, with random weights"),) if built else ()) + tuple(others),
        {"frozen": len(head)},
    )
