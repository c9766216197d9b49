"""FRZ506: code that says it freezes only switches to eval mode."""

from __future__ import annotations

import re
from collections.abc import Iterator

from freezelint.evidence import Event, ModuleState, Step, Trace
from freezelint.facts import is_trainable
from freezelint.facts.flags import flag_events, parameters_meant, step_after
from freezelint.finding import Fault
from freezelint.wording import agree, parameters_named

# What eval mode does freeze, and what it is for: such a claim is kept. Words of names and of comments.
_RIGHTLY = re.compile(
    r"\b(?:bn\d*|bns|\w*norms?\d*d?|normali[sz]\w*|stats?|statistics?|running|drop|dropouts?|modes?|moving|averages?|"
    r"eval|evaluat\w+|val|validat\w+|infer|inference|tests?|testing|predict\w*|sampling|generation|export\w*|"
    r"deploy\w*|graph)\b"
)


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a statement. In code that nothing calls, what it says is judged by its text alone."""
    statements: dict[object, list[Event]] = {}
    for event in trace.events_of("to-eval"):
        if event.location is not None and event.says == "freeze":
            statements.setdefault(event.location.at(), []).append(event)
    for events in statements.values():
        if any(event.freezes_otherwise is not False for event in events):
            continue
        if _keeps_its_word(events[0]) or all(_only_norms(trace, event) for event in events):
            continue
        trained = list(dict.fromkeys(p for event in events for p in _trained(trace, event)))
        if trained or all(_is_bare_claim(trace, event) for event in events):
            yield _fault(trace, events[0], trained)


def _keeps_its_word(event: Event) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", event.says_where).replace("_", " ").lower()
    return bool(_RIGHTLY.search(words))


def _fault(trace: Trace, event: Event, trained: list[int]) -> Fault:
    claim = event.says_where or "the code"
    outcome = (
        f"{parameters_named(trace, trained)} {agree(len(trained), 'is', 'are')} trained all the same"
        if trained
        else "its parameters stay trainable"
    )
    return Fault(
        f"{claim} says that it freezes, but `.eval()` only switches dropout and norm layers: {outcome}; "
        "call `requires_grad_(False)` as well",
        event.location,
        tuple(f"{trace.models[model].name}.{path}".rstrip(".") for model, path in event.modules),
        evidence={"says_where": event.says_where, "parameters": len(trained)},
    )


def _only_norms(trace: Trace, event: Event) -> bool:
    """Whether only layers that eval mode does change were put in it."""
    layers = [
        module
        for model, path in event.modules
        for module in trace.models[model].within(path)
        if module.parameters or module.role == "dropout"
    ]
    return bool(layers) and all(layer.role in ("norm", "dropout") for layer in layers)


def _trained(trace: Trace, event: Event) -> list[int]:
    """The parameters that the first step after the claim trains in spite of it. None where code elsewhere
    froze any of them, or where the claim was over by then."""
    step, inside = step_after(trace, event), parameters_meant(trace, event)
    if step is None or not step.parameters or any(_was_frozen(trace, p) for p in inside):
        return []
    trained = [p for p in inside if _trains(trace, step, p)]
    return trained if trained and _still_meant(trace, event, step, inside) else []


def _was_frozen(trace: Trace, parameter: int) -> bool:
    return any(event.kind == "frozen" for event in flag_events(trace).get(parameter, ()))


def _trains(trace: Trace, step: Step, parameter: int) -> bool:
    state = step.parameters.get(parameter)
    if state is None or not is_trainable(step, parameter) or not step.held_by(parameter):
        return False
    owner = trace.owners.get(parameter)
    ran = None if owner is None else step.module(*owner)
    return state.gradient in ("nonzero", "unknown") and not (ran is not None and _without_gradient(ran))


def _without_gradient(ran: ModuleState) -> bool:
    return ran.without_gradient is True and ran.with_gradient is not True


def _still_meant(trace: Trace, event: Event, step: Step, inside: list[int]) -> bool:
    """Whether the words are still in force when the step comes.

    A comment is about this one statement, so that the module must still be in eval mode. A function's name
    says more, and train mode afterwards is the other half of the fault; but what freezes everything that is
    trained and is followed by train mode was a pause, as for validation.
    """
    in_eval = all(_in_eval(step, model, path) for model, path in event.modules)
    if in_eval:
        return True
    ended = any(
        later.kind == "to-train" and later.says == "unfreeze"
        for later in trace.events[event.index + 1 : step.event]
    )
    others = any(p not in inside and _trains(trace, step, p) for p in step.parameters)
    return not ended and others and not event.says_where.startswith("the comment")


def _in_eval(step: Step, model: int, path: str) -> bool:
    state = step.module(model, path)
    return state is not None and state.training is False


def _is_bare_claim(trace: Trace, event: Event) -> bool:
    """A function or method that nothing here calls: whoever does will believe its name."""
    return event.fragment and event.says_where.startswith("function") and not trace.steps
