"""FRZ302: autograd walks a frozen prefix for a gradient that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import GradientLeaf, Model, Module, ModuleState, Step, Trace
from freezelint.facts import frozen_blocks, is_trainable, modules_that_ran
from freezelint.finding import Fault, Related
from freezelint.wording import line, listing, plural, size


def check(trace: Trace) -> Iterator[Fault]:
    """Only where an input of the model itself asks for the gradient; one that arises inside, after an
    embedding, serves reentrant gradient checkpointing. Anything trainable before the prefix makes the walk
    necessary."""
    for step in trace.completed:
        for model in trace.models:
            leaf = _useless_leaf(model, step)
            if leaf is None or not _flow_is_known(trace, step):
                continue
            prefix = _walked_prefix(trace, model, step)
            if prefix:
                yield _fault(trace, model, step, leaf, prefix)
                return


def _useless_leaf(model: Model, step: Step) -> GradientLeaf | None:
    """The input that requires grad for nothing, where every such input of the model does and it is the
    model's own input."""
    leaves = [leaf for leaf in step.leaves if leaf.model == model.index]
    first = next((module for module, _ in modules_that_ran(model, step) if module.parameters), None)
    if not leaves or first is None or any(leaf.used is not False for leaf in step.leaves):
        return None
    for leaf in leaves:
        if leaf.module and first.path != leaf.module and not first.path.startswith(f"{leaf.module}."):
            return None
    return leaves[0]


def _flow_is_known(trace: Trace, step: Step) -> bool:
    """Whether it was seen what went into and out of every module. Inside a reentrant checkpoint it is not,
    and there an input that requires grad may be just what makes the parameters train."""
    states = [state for model in trace.models for _, state in modules_that_ran(model, step)]
    return all(state.output_requires_grad is not None for state in states if state.with_gradient)


def _walked_prefix(trace: Trace, model: Model, step: Step) -> list[Module]:
    """The frozen blocks that ran with gradients wanted of their input, before anything trainable of any
    model."""
    if any(is_trainable(step, p.id) and p.model is None and p.attached for p in trace.parameters):
        return []
    orders = [
        state.order
        for other in trace.models
        for module, state in modules_that_ran(other, step)
        if state.order is not None and any(is_trainable(step, p) for p in module.parameters)
    ]
    if not orders:
        return []
    blocks = frozen_blocks(model, step)
    walked = [block for block in blocks if _walked(step.module(model.index, block.path), min(orders))]
    all_of_it, some = _numel(trace, model, blocks), _numel(trace, model, walked)
    # With adapters inside the first layer a sliver of it comes before them: not worth a word.
    return walked if 2 * some >= all_of_it else []


def _walked(state: ModuleState | None, first_trainable: int) -> bool:
    if state is None or state.order is None or state.order > first_trainable:
        return False
    return state.ran is True and state.input_requires_grad is True and state.with_gradient is True


def _numel(trace: Trace, model: Model, blocks: list[Module]) -> int:
    inside = {p for block in blocks for p in model.parameters_within(block.path)}
    return sum(trace.parameters[p].numel for p in inside)


def _fault(trace: Trace, model: Model, step: Step, leaf: GradientLeaf, prefix: list[Module]) -> Fault:
    names = [block.path or model.name for block in prefix]
    parameters = list(dict.fromkeys(p for block in prefix for p in model.parameters_within(block.path)))
    cause = trace.location(step.parameters[parameters[0]].cause)
    forced = trace.location(leaf.forced)
    saved = _saved(model, step, prefix)
    memory = f" and keeps {size(saved)} of activations for it" if saved else ""
    shape = " × ".join(str(length) for length in leaf.shape) or "scalar"
    return Fault(
        f"backward walks {listing(names)} ({plural(len(parameters), 'frozen parameter')}){memory}, because "
        f"an input ({shape}) "
        "requires grad and nobody reads its gradient; leave `requires_grad` off the input",
        forced or cause,
        tuple(f"{model.name}.{block.path}".rstrip(".") for block in prefix),
        (Related(cause, f"frozen here ({line(cause)})"),) if cause and forced else (),
        {"blocks": names, "saved_bytes": saved, "input_shape": list(leaf.shape)},
    )


def _saved(model: Model, step: Step, prefix: list[Module]) -> int:
    """Bytes that autograd kept for the modules of these blocks, as far as they were measured."""
    states = [
        step.module(model.index, module.path) for block in prefix for module in model.within(block.path)
    ]
    return sum(state.saved_bytes or 0 for state in states if state is not None)
