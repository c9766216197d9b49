"""FRZ305: the loss was made to require grad, so that backward runs and reaches no parameter."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Step, Trace
from freezelint.facts import subjects
from freezelint.finding import Fault, Related
from freezelint.wording import line, plural


def check(trace: Trace) -> Iterator[Fault]:
    """Established by backward itself: it started from a tensor without a graph. Silent where some step does
    train (a constant loss for an empty batch is a fallback, not a fault)."""
    for step in trace.steps:
        meant = _meant_to_train(trace, step)
        if step.loss_reaches_nothing is True and (meant or _is_open(step)) and not _anything_trains(trace):
            yield _fault(trace, step, meant)
            return


def _meant_to_train(trace: Trace, step: Step) -> list[int]:
    held = dict.fromkeys(p for state in step.optimizers for group in state.groups for p in group.parameters)
    return [
        p
        for p in held
        if (state := step.parameters.get(p)) and state.trainable and trace.parameters[p].model is not None
    ]


def _is_open(step: Step) -> bool:
    """Whether all that is known of what the step was to train is that it was to train something."""
    stepping = step.stepping
    return stepping is not None and not stepping.complete and not step.held_by_stepping


def _anything_trains(trace: Trace) -> bool:
    states = (state for step in trace.steps for state in step.parameters.values())
    return any(state.gradient in ("nonzero", "unknown") for state in states if state.trainable)


def _fault(trace: Trace, step: Step, meant: list[int]) -> Fault:
    backward, forced = _latest(trace, step, "backward"), _forced(trace, step)
    here = forced or backward
    how = (
        "the loss was made to require grad here" if forced else "the loss is a new tensor that requires grad"
    )
    reached = f"none of {plural(len(meant), 'trainable parameter')}" if meant else "no parameter"
    cuts = [event for event in (_latest(trace, step, "detached"),) if event and event.location]
    return Fault(
        f"{how}, but is cut from the graph: backward reaches {reached}, and nothing trains; remove this, and "
        "mend the cut that the error then points to",
        here.location if here else None,
        subjects(trace, meant),
        tuple(Related(e.location, f"cut from the graph ({line(e.location)})") for e in cuts if e.location),
        {"parameters": len(meant), "forced": forced is not None},
    )


def _forced(trace: Trace, step: Step) -> Event | None:
    """The statement that switched requires_grad on for the loss: the last one that is not about an input
    of a model."""
    inputs = {leaf.forced for leaf in step.leaves}
    events = [e for e in _before(trace, step) if e.kind == "gradient-forced" and e.index not in inputs]
    return events[-1] if events else None


def _latest(trace: Trace, step: Step, kind: str) -> Event | None:
    return next((event for event in reversed(_before(trace, step)) if event.kind == kind), None)


def _before(trace: Trace, step: Step) -> list[Event]:
    return list(trace.events if step.event is None else trace.events[: step.event])
