"""The history of `requires_grad`: which statement set it where, and what it was when a step was taken."""

from __future__ import annotations

from dataclasses import dataclass

from freezelint.evidence import Event, Location, Step, Trace
from freezelint.facts.memo import once_a_trace


@dataclass(frozen=True)
class FlagStatement:
    """Everything that one statement, reached by one chain of calls, froze (or unfroze). In the order of
    the first time it ran."""

    freezes: bool
    location: Location | None
    events: tuple[Event, ...]

    @property
    def parameters(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(p for event in self.events for p in event.parameters))

    @property
    def patterns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(pattern for event in self.events for pattern in event.patterns))


@once_a_trace
def flag_events(trace: Trace) -> dict[int, list[Event]]:
    """For each parameter the events that froze or unfroze it, in order."""
    found: dict[int, list[Event]] = {}
    for event in trace.events_of("frozen", "unfrozen"):
        for parameter in event.parameters:
            found.setdefault(parameter, []).append(event)
    return found


def flag_statements(trace: Trace, before_the_first_step: bool = False) -> list[FlagStatement]:
    """The statements that froze or unfroze something; a loop is one statement, however many events it
    gave."""
    grouped: dict[tuple[object, ...], list[Event]] = {}
    for event in trace.events_of("frozen", "unfrozen"):
        if not (before_the_first_step and event.steps_before):
            grouped.setdefault((event.kind, event.location or event.index), []).append(event)
    return [FlagStatement(e[0].kind == "frozen", e[0].location, tuple(e)) for e in grouped.values()]


def step_after(trace: Trace, event: Event) -> Step | None:
    """The first step that came after the event; one that never ended counts, as it has no end that came
    before."""
    return next((step for step in trace.steps if step.event is None or step.event > event.index), None)


def trainable_after(trace: Trace, event: Event, parameter: int) -> bool | None:
    """Whether the parameter was trainable in the first step after the event; where no step came, what its
    last flag says."""
    step = step_after(trace, event)
    if step is not None:
        state = step.parameters.get(parameter)
        return None if state is None else state.trainable
    flags = flag_events(trace).get(parameter)
    return flags[-1].kind == "unfrozen" if flags else True


def trainable_before(trace: Trace, event: Event, parameter: int) -> bool | None:
    """Whether the parameter was trainable when the event happened: as all are from their construction on, if
    nothing that came before says otherwise."""
    flags = flag_events(trace).get(parameter)
    if not flags:
        return trainable_after(trace, event, parameter)
    earlier = [flag for flag in flags if flag.index < event.index]
    return earlier[-1].kind == "unfrozen" if earlier else True


def was_missed(trace: Trace, event: Event, parameter: int) -> bool:
    """Whether the flag that a statement without effect asked for (`event.value`) was not there, and is
    not there afterwards either. Where it was, what changed it later is another decision.
    """
    before, after = trainable_before(trace, event, parameter), trainable_after(trace, event, parameter)
    return after is not None and event.value not in (str(before), str(after))


def flags_set_during(trace: Trace, statement: Location) -> list[Event]:
    """What was frozen and unfrozen while this statement ran: by a line of its own, or by something that it
    called."""
    last = statement.end_line or statement.line
    return [
        event
        for event in trace.events_of("frozen", "unfrozen")
        if event.location is not None
        and any(
            place.at()[0] == statement.at()[0] and statement.line <= place.line <= last
            for place in (event.location, *event.location.calls)
        )
    ]


def parameters_meant(trace: Trace, event: Event) -> list[int]:
    """The parameters that the event names, and all of those in the modules that it names."""
    inside = [p for model, path in event.modules for p in trace.models[model].parameters_within(path)]
    return list(dict.fromkeys([*event.parameters, *inside]))
