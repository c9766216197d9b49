"""FRZ406: a frozen backbone was never given pretrained weights."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Location, Model, Module, Step, Trace
from freezelint.facts import is_frozen, is_toggled, subjects
from freezelint.facts.layers import numel, of_origin, span_of, spans, wholly_trained
from freezelint.finding import Fault, Related
from freezelint.wording import agree, line, parameters_named

_LIBRARIES = {"torchvision", "timm", "transformers"}
# Architectures that torch itself ships, as against layers, which users build anything from.
_ARCHITECTURES = {"Transformer", "TransformerEncoder", "TransformerDecoder"}


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a backbone, from the first step that shows it."""
    told: set[tuple[int, str]] = set()
    for step in trace.completed:
        for model in trace.models:
            for backbone in _architectures(model):
                frozen, cause = _frozen_at_random(trace, model, backbone, step)
                if cause and (model.index, backbone.path) not in told and _feeds(trace, model, step, frozen):
                    told.add((model.index, backbone.path))
                    yield _fault(trace, model, backbone, frozen, cause)


def _architectures(model: Model) -> list[Module]:
    """The outermost modules whose class comes from a library of models."""
    found: list[Module] = []
    for module in model.modules:
        known = module.library in _LIBRARIES or (
            module.library == "torch" and module.class_name in _ARCHITECTURES
        )
        if known and not any(not outer.path or module.path.startswith(f"{outer.path}.") for outer in found):
            found.append(module)
    return found


def _frozen_at_random(
    trace: Trace, model: Model, backbone: Module, step: Step
) -> tuple[list[int], Event | None]:
    """The frozen parameters of the backbone, and the freeze, where they are most of it and still random."""
    parameters = model.parameters_within(backbone.path)
    frozen = [p for p in parameters if is_frozen(step, p)]
    if not frozen or of_origin(trace, parameters, "fresh") != parameters:
        return [], None
    if 2 * numel(trace, frozen) <= numel(trace, parameters) or any(is_toggled(trace, p) for p in frozen):
        return [], None
    causes = [trace.event(step.parameters[p].cause) for p in frozen]
    by_user = all(cause and cause.kind == "frozen" and cause.location for cause in causes)
    # A freeze after some steps may follow a pretraining in the same script.
    untrained = all(cause and not cause.steps_before for cause in causes)
    return (frozen, causes[0]) if by_user and untrained else ([], None)


def _feeds(trace: Trace, model: Model, step: Step, frozen: list[int]) -> bool:
    """Whether a smaller part of the same model runs after the backbone and learns.

    A larger one is rather a network beside it: the student of a frozen copy, a random target's predictor.
    """
    places = spans(model, step)
    backbone = span_of(places, [p for p in frozen if p in places])
    learning = [
        p
        for p in model.parameters
        if wholly_trained(step, [p]) and step.parameters[p].gradient in ("nonzero", "unknown")
    ]
    if backbone is None or not learning or numel(trace, learning) >= numel(trace, frozen):
        return False
    return all(p in places and places[p].first > backbone.first for p in learning)


def _fault(trace: Trace, model: Model, backbone: Module, frozen: list[int], cause: Event) -> Fault:
    built = _built(trace, model, backbone, frozen)
    return Fault(
        f"{parameters_named(trace, frozen)} of {backbone.class_name} "
        f"{agree(len(frozen), 'is', 'are')} frozen with random weights"
        + (f" (built on {line(built, cause.location)})" if built else "")
        + ", so that everything after learns from random features; give the backbone pretrained weights "
        "before it is frozen",
        cause.location,
        subjects(trace, frozen),
        (Related(built, "built here, and never given pretrained weights"),) if built else (),
        {"frozen": len(frozen)},
    )


def _built(trace: Trace, model: Model, backbone: Module, frozen: list[int]) -> Location | None:
    places = [trace.parameters[p].built for p in frozen]
    own = model.built if not backbone.path else None
    return own or next((place for place in places if place), None)
