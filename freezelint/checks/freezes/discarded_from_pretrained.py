"""FRZ508: the new object that `from_pretrained` made was thrown away."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Trace
from freezelint.facts import subjects
from freezelint.facts.flags import parameters_meant
from freezelint.finding import Fault

_EMBEDDINGS = ("Embedding", "EmbeddingBag")


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a statement, however often it runs."""
    told: set[object] = set()
    for event in trace.events_of("discarded"):
        key = event.location.at() if event.location else event.index
        if not event.observed and key not in told:
            told.add(key)
            yield _fault(trace, event)


def _fault(trace: Trace, event: Event) -> Fault:
    parameters = parameters_meant(trace, event)
    embedding = event.class_name in _EMBEDDINGS
    maker = f"nn.{event.class_name}" if embedding else event.class_name or "…"
    if _is_class(event):
        rest = "nothing uses it; assign it where the model looks for it"
    else:
        rest = (
            f"`{event.value}` keeps the weights that it had; assign the result: "
            f"`{event.value} = {maker}.{event.name}(…)`"
        )
    if embedding:
        rest += " (with `freeze=False`, if it is to be trained)"
    made = f"a new {event.class_name}" if event.class_name else "a new object"
    return Fault(
        f"`{event.value}.{event.name}(…)` makes {made}, and the statement throws it away: {rest}",
        event.location,
        subjects(trace, parameters),
        evidence={"receiver": event.value, "class": event.class_name, "parameters": len(parameters)},
    )


def _is_class(event: Event) -> bool:
    """Whether the method was called on the class itself, not on a module that exists."""
    return bool(event.class_name) and event.value.rpartition(".")[2] == event.class_name
