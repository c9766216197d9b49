"""FRZ408: a new module was assigned to an attribute that the model's `forward` does not use."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Model, Module, Step, Trace
from freezelint.facts import subjects
from freezelint.facts.layers import layers, of_origin
from freezelint.finding import Fault
from freezelint.wording import listing

# Containers have no use for their children but to hold them, or run them all: any name will do.
_CONTAINERS = {"Module", "Sequential", "ModuleList", "ModuleDict"}


def check(trace: Trace) -> Iterator[Fault]:
    """Only for attributes that the class of a library did not have before: who had it may use it."""
    for model in trace.models:
        for module in model.modules:
            event = trace.event(module.assigned)
            if event is None or event.kind != "replaced" or event.value != "added":
                continue
            parent = model.by_path.get(module.path.rpartition(".")[0]) if module.path else None
            if parent and _is_library(parent) and _never_used(trace, model, module, parent):
                yield from _fault(trace, model, module, parent, event)


def _is_library(module: Module) -> bool:
    if module.library == "torch":
        return module.class_name not in _CONTAINERS
    return module.library in ("torchvision", "timm", "transformers")


def _never_used(trace: Trace, model: Model, module: Module, parent: Module) -> bool:
    """Whether it is new and trainable, and neither ran nor got a gradient in the steps of its parent."""
    parameters = model.parameters_within(module.path)
    if not parameters or of_origin(trace, parameters, "fresh") != parameters:
        return False
    steps = [step for step in trace.steps if (state := step.module(model.index, parent.path)) and state.ran]
    return bool(steps) and all(_unused(step, model, module, parameters) for step in steps)


def _unused(step: Step, model: Model, module: Module, parameters: list[int]) -> bool:
    inside = [step.module(model.index, inner.path) for inner in model.within(module.path)]
    states = [step.parameters.get(p) for p in parameters]
    return (
        all(state is not None and state.ran is False for state in inside)
        and any(state is not None and state.trainable is True for state in states)
        and all(state is not None and state.gradient in ("none", "unknown") for state in states)
    )


def _fault(trace: Trace, model: Model, module: Module, parent: Module, event: Event) -> Iterator[Fault]:
    attribute = module.path.rpartition(".")[2]
    head = _real_head(model, module, parent, trace.steps[-1])
    if head and _is_the_users(trace, model, head):
        return
    receiver = f"{model.name}.{parent.path}" if parent.path else model.name
    advice = (
        f"the model ends in {listing([head.path])}; assign the new module to that"
        if head
        else "assign the new module to the attribute that it does use, or call it yourself"
    )
    yield Fault(
        f"{listing([f'{receiver}.{attribute}'])} never runs: the forward pass of {parent.class_name} does "
        f"not use an attribute of that name, so its parameters learn nothing; {advice}",
        event.location,
        subjects(trace, model.parameters_within(module.path)),
        (),
        {"attribute": attribute, "used": head.path if head else None},
    )


def _real_head(model: Model, module: Module, parent: Module, step: Step) -> Module | None:
    """The child of the same parent in which the forward pass ends, if it is a layer or a chain of layers."""
    run = layers(model, step)
    prefix = f"{parent.path}." if parent.path else ""
    if not run or not run[-1].module.path.startswith(prefix):
        return None
    child = model.by_path.get(prefix + run[-1].module.path[len(prefix) :].partition(".")[0])
    simple = (
        child is not None
        and child.library == "torch"
        and child.class_name in ("Linear", "Conv2d", "Sequential")
    )
    return child if simple and child is not module else None


def _is_the_users(trace: Trace, model: Model, head: Module) -> bool:
    """Whether the user replaced the real head as well: then the other attribute is an extra, for later."""
    return any(
        inner.assigned is not None
        and of_origin(trace, inner.parameters, "pretrained") != list(inner.parameters)
        for inner in model.within(head.path)
    ) or any(outer.assigned is not None for outer in model.ancestors(head.path) if outer.path)
