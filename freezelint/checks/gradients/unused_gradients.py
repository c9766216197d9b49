"""FRZ301: whole blocks get gradients that no optimizer uses."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Model, Optimizer, Step, Trace
from freezelint.facts import subjects, trains, whole_modules
from freezelint.facts.unheld import explicitly_set, holders_of, left_out, updated_by_hand
from freezelint.finding import Fault, Related
from freezelint.wording import duration, parameters_named, size

_CODE = "FRZ301"


def check(trace: Trace) -> Iterator[Fault]:
    """Silent for what was frozen or unfrozen on purpose, is updated by hand, or is held in any step."""
    for step, model, unused in unused_parameters(trace):
        yield _fault(trace, step, model, unused)


def unused_parameters(trace: Trace) -> Iterator[tuple[Step, Model, list[int]]]:
    """For each model with such parameters these, and the first step that shows it."""
    told: set[int] = set()
    for step in trace.completed:
        for model in trace.models:
            unused = [] if model.index in told else _unused(trace, step, model)
            if unused:
                told.add(model.index)
                yield step, model, unused


def _unused(trace: Trace, step: Step, model: Model) -> list[int]:
    """Parameters of whole modules that are left out, if the step trains the rest of the model or anything
    else.
    """
    chosen = explicitly_set(trace)
    candidates = [p for p in left_out(trace, step, model, ("nonzero", "zero")) if p not in chosen]
    if trains(model, step):
        idle = {p for p in candidates if updated_by_hand(trace, p) is False}
    elif any(trains(other, step) for other in trace.models) or _trains_a_tensor(trace, step):
        idle = {p for p in candidates if _is_idle_backbone(trace, p)}
    else:
        return []
    # What the model owns itself (a class token, positions) counts only beside modules that are left out.
    whole = [m for m in model.modules if m.parameters and idle.issuperset(m.parameters)]
    used = [m for m in whole if any(step.parameters[p].gradient == "nonzero" for p in m.parameters)]
    return [p for m in used for p in m.parameters] if any(m.path for m in used) else []


def _trains_a_tensor(trace: Trace, step: Step) -> bool:
    """Whether a tensor outside every model is optimised: an image, a prompt, a perturbation."""
    return any(
        trace.parameters[p].model is None and state.gradient == "nonzero" and bool(step.held_by(p))
        for p, state in step.parameters.items()
    )


def _is_idle_backbone(trace: Trace, parameter: int) -> bool:
    """Code may read the gradients of a model that is not optimised: only loaded weights that stay count."""
    stays = any(
        step.parameters[parameter].moved is False for step in trace.completed if parameter in step.parameters
    )
    return trace.parameters[parameter].origin == "pretrained" and stays


def _fault(trace: Trace, step: Step, model: Model, unused: list[int]) -> Fault:
    optimizer = _optimizer(trace, step, model)
    built = trace.location(optimizer.built) if optimizer else None
    gradients = sum(trace.parameters[p].bytes for p in unused)
    activations = _saved_bytes(model, step, unused)
    kept = f" and their activations {size(activations)}" if activations else ""
    name = optimizer.class_name if optimizer else "the optimizer"
    # A network that the optimizer has nothing to do with only measures: it is to be frozen where it is built.
    apart = not trains(model, step)
    mend = "freeze them where the model is built" if apart else "freeze them, or give them to the optimizer"
    location, other, what = built, model.built, f"`{model.name}` is built here"
    if apart and model.built:
        location, other, what = model.built, built, f"{name} is built here, without them"
    return Fault(
        f"No optimizer holds {parameters_named(trace, unused)}, yet backward() computes their gradients: "
        f"they take {size(gradients)}{kept} per step{_time(trace)}, and {name}.zero_grad() never clears "
        f"them; {mend}",
        location,
        subjects(trace, unused),
        (Related(other, what),) if location and other else (),
        {"parameters": len(unused), "gradient_bytes": gradients, "activation_bytes": activations},
    )


def _time(trace: Trace) -> str:
    """What was measured: of all findings of this rule together, and only where it is beyond doubt."""
    alone = (each for each in trace.measurements if each.corrected == (_CODE,))
    measured = next((each for each in alone if each.faster), None)
    if measured is None:
        return ""
    with_them, without = duration(measured.seconds_before), duration(measured.seconds_after)
    return f" ({with_them}, {without} without them)"


def _optimizer(trace: Trace, step: Step, model: Model) -> Optimizer | None:
    """The optimizer that holds the rest of the model, else the one whose step this is."""
    holders = holders_of(trace, step, model)
    if holders:
        return holders[-1]
    return trace.optimizers[step.stepping.optimizer] if step.stepping else None


def _saved_bytes(model: Model, step: Step, unused: list[int]) -> int:
    """What autograd keeps for these modules, if they run before what is trained: freezing spares it."""
    states = step.modules.get(model.index, {})
    trained = [m.path for m in model.modules if any(step.held_by(p) for p in m.parameters)]
    orders = [state.order for path in trained if (state := states.get(path)) and state.order is not None]
    first_trained = min(orders, default=None)
    total = 0
    # Everything inside a block that is left out counts: activation functions and dropout keep memory, too.
    for module in (inner for block in whole_modules(model, unused) for inner in model.within(block.path)):
        state = states.get(module.path)
        if state is None or state.order is None:
            continue
        if first_trained is None or state.order < first_trained:
            total += state.saved_bytes or 0
    return total
