"""The layers of a model in the order in which they run, from the input to the output."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from freezelint.evidence import Model, Module, ModuleState, Origin, Step, Trace
from freezelint.facts import is_trainable, modules_that_ran


@dataclass(frozen=True)
class Layer:
    """A module with parameters of its own that ran, and none of whose children did: it acts at one place."""

    module: Module
    state: ModuleState
    order: int


@dataclass(frozen=True)
class Span:
    """Between which places of the order a parameter takes part in the forward pass."""

    first: int
    last: int

    def around(self, other: Span) -> Span:
        """The span that covers both."""
        return Span(min(self.first, other.first), max(self.last, other.last))


def layers(model: Model, step: Step) -> list[Layer]:
    """The layers in order of first execution. Modules whose place is unknown are left out."""
    ran = list(modules_that_ran(model, step))
    parents = {module.path.rpartition(".")[0] for module, _ in ran if module.path}
    return [
        Layer(module, state, state.order)
        for module, state in ran
        if module.parameters and state.order is not None and module.path not in parents
    ]


def spans(model: Model, step: Step) -> dict[int, Span]:
    """Where each parameter acts.

    A module uses its own parameters anywhere between its start and the end of its children, and likewise
    those of a child that is never called (the projection of an attention layer). A tied parameter spans all
    its uses.
    """
    ran = [
        (module.path, state.order)
        for module, state in modules_that_ran(model, step)
        if state.order is not None
    ]
    running = {path: Span(order, order) for path, order in ran}
    for path, order in ran:
        for outer in _and_ancestors(path):
            if outer in running:
                running[outer] = running[outer].around(Span(order, order))
    found: dict[int, Span] = {}
    for module in model.modules:
        place = next((running[path] for path in _and_ancestors(module.path) if path in running), None)
        if place is not None:
            for parameter in module.parameters:
                found[parameter] = place.around(found.get(parameter, place))
    return found


def span_of(places: dict[int, Span], parameters: Iterable[int]) -> Span | None:
    """The span of all of them; None where there are none, or where the place of one is unknown."""
    whole: Span | None = None
    for parameter in parameters:
        if parameter not in places:
            return None
        whole = places[parameter] if whole is None else whole.around(places[parameter])
    return whole


def gradient_flows(model: Model, step: Step, after: int, until: int) -> bool:
    """Whether every layer that runs after place `after`, up to `until`, gets an input known to require grad.

    A layer that does not starts a branch of its own (a second tower, a frozen teacher): what follows it need
    not depend on what ran before.
    """
    between = [layer for layer in layers(model, step) if after < layer.order <= until]
    return bool(between) and all(layer.state.input_requires_grad is True for layer in between)


def tail(trace: Trace, run: list[Layer], origin: Origin) -> list[Layer]:
    """The layers at the end of the run all of whose parameters have this origin."""
    start = len(run)
    while start and all(trace.parameters[p].origin == origin for p in run[start - 1].module.parameters):
        start -= 1
    return run[start:]


def parameters_of(run: Iterable[Layer]) -> list[int]:
    """Ids of the parameters of these layers, each once, in order of execution."""
    return list(dict.fromkeys(parameter for layer in run for parameter in layer.module.parameters))


def wholly_trained(step: Step, parameters: Iterable[int]) -> bool:
    """Whether each parameter is known to be trainable, and held by the optimizer that takes this step."""
    stepping = step.stepping.optimizer if step.stepping else None
    return all(
        is_trainable(step, p) and any(optimizer == stepping for optimizer, _ in step.held_by(p))
        for p in parameters
    )


def of_origin(trace: Trace, parameters: Iterable[int], origin: Origin) -> list[int]:
    """Those of the parameters that have this origin."""
    return [p for p in parameters if trace.parameters[p].origin == origin]


def numel(trace: Trace, parameters: Iterable[int]) -> int:
    """How many numbers the parameters hold."""
    return sum(trace.parameters[p].numel for p in parameters)


def learns_something(model: Model, step: Step) -> bool:
    """Whether the optimizer that takes this step trains some parameter of the model, as far as is known."""
    return any(
        wholly_trained(step, [p]) and step.parameters[p].gradient in ("nonzero", "unknown")
        for p in model.parameters
    )


def _and_ancestors(path: str) -> list[str]:
    """The path and those of the modules around it, innermost first: `a.b` gives `a.b`, `a` and the model."""
    found = [path]
    while path:
        path = path.rpartition(".")[0]
        found.append(path)
    return found
