"""What a finding wants to be in eval mode, and what took it out of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from freezelint.evidence import Event, Model, Module, Step, Trace
from freezelint.facts.norms import drifts, frozen_paths, in_train_mode, is_fresh
from freezelint.fixing.modes.expressions import inside
from freezelint.fixing.scene import Scene


@dataclass(frozen=True)
class Kept:
    """Modules of one model: `layers` are what suffers, `blocks` the largest frozen modules around them.

    `causes` are the statements that put them in train mode before a step, each once; None stands for their
    construction. `freezes` are the events that froze them, each statement once.
    """

    trace: Trace
    model: Model
    layers: tuple[Module, ...]
    blocks: tuple[str, ...]
    causes: tuple[Event | None, ...]
    freezes: tuple[Event, ...]

    @property
    def parameters(self) -> set[int]:
        return {p for block in self.blocks for p in self.model.parameters_within(block)}

    def within(self, path: str) -> Kept:
        """What of it lies inside this module."""
        layers = [layer for layer in self.layers if inside(layer.path, path)]
        blocks = [
            block if inside(block, path) else path
            for block in self.blocks
            if inside(block, path) or inside(path, block)
        ]
        return replace(self, layers=tuple(layers), blocks=tuple(dict.fromkeys(blocks)))


def drifting(scene: Scene) -> Kept | None:
    """The frozen norm layers of the finding's model: all of them, whatever put each in train mode."""
    every = drifts(scene.trace)
    named = [each for each in every if f"{each.model.name}.{each.module.path}" in scene.finding.subjects]
    if not named:
        return None
    model, fresh = named[0].model, is_fresh(scene.trace, named[0].module)
    own = [d for d in every if d.model is model and (fresh or not is_fresh(scene.trace, d.module))]
    return Kept(
        scene.trace,
        model,
        tuple(drift.module for drift in own),
        in_order(model, (drift.block for drift in own)),
        tuple(_causes(scene.trace, model, {drift.module.path: drift.block for drift in own})),
        once(drift.freeze for drift in own if drift.freeze is not None),
    )


def of_layers(scene: Scene) -> Kept | None:
    """The layers that the finding names, with the frozen blocks around them."""
    trace = scene.trace
    for model in trace.models:
        layers = [m for m in model.modules if f"{model.name}.{m.path}" in scene.finding.subjects]
        steps = [step for step in trace.completed if _ran(step, model, layers)]
        if not layers or not steps:
            continue
        frozen = frozen_paths(model, steps[0])
        blocks = {layer.path: _block(model, layer.path, frozen) for layer in layers}
        parameters = {p for block in blocks.values() for p in model.parameters_within(block)}
        freezes = (event for event in trace.events_of("frozen") if parameters & set(event.parameters))
        return Kept(
            trace,
            model,
            tuple(layers),
            in_order(model, blocks.values()),
            tuple(_causes(trace, model, blocks, frozen_only=False)),
            once(freezes),
        )
    return None


def _ran(step: Step, model: Model, layers: list[Module]) -> bool:
    states = (step.module(model.index, layer.path) for layer in layers)
    return any(state is not None and state.ran for state in states)


def _block(model: Model, path: str, frozen: set[str]) -> str:
    around = [outer.path for outer in model.ancestors(path) if outer.path in frozen]
    return around[-1] if around else path


def in_order(model: Model, paths: Iterable[str]) -> tuple[str, ...]:
    """Paths of the model, each once, in definition order."""
    wanted = set(paths)
    return tuple(module.path for module in model.modules if module.path in wanted)


def once(events: Iterable[Event]) -> tuple[Event, ...]:
    """One event for each statement."""
    found: dict[object, Event] = {}
    for event in events:
        found.setdefault(event.location and (event.location.at(), event.location.column), event)
    return tuple(found.values())


def receivers(trace: Trace, cause: Event) -> set[tuple[int, str]]:
    """All modules that the statement is ever called on."""
    if cause.location is None:
        return set(cause.modules)
    where = (cause.location.at(), cause.location.column)
    return {
        receiver
        for event in trace.events_of("to-train", "to-eval")
        if event.location is not None and (event.location.at(), event.location.column) == where
        for receiver in event.modules
    }


def receiver_of(model: Model, cause: Event, paths: Iterable[str]) -> str | None:
    """Which module of this model the call concerns, of those that reach these paths."""
    wanted = list(paths)
    found = [path for index, path in cause.modules if index == model.index]
    return next((path for path in found if any(inside(w, path) for w in wanted)), None)


def _causes(
    trace: Trace, model: Model, blocks: dict[str, str], *, frozen_only: bool = True
) -> Iterator[Event | None]:
    """The statements that put these layers in train mode before a step (in which they were frozen)."""
    found: dict[object, Event | None] = {}
    for step in trace.completed:
        frozen = frozen_paths(model, step)
        for path, block in blocks.items():
            module = model.by_path[path]
            concerned = not frozen_only or path in frozen or block in frozen
            if concerned and in_train_mode(trace, step, model, module):
                cause = trace.event(step.modules[model.index][path].cause)
                where = cause.location if cause is not None else None
                found.setdefault(where and (where.at(), where.column), cause)
    return iter(found.values())
