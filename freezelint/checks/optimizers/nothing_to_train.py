"""FRZ209: no trainable parameter is left, or an optimizer holds none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from freezelint.evidence import Location, OptimizerState, Step, Trace
from freezelint.facts import is_frozen, is_toggled, is_trainable, subjects, unfrozen_after
from freezelint.finding import Fault, Related
from freezelint.wording import line, parameters_named


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a script: a backward without a graph, an empty optimizer, or an idle one."""
    for step in trace.steps:
        faults = list(_in_step(trace, step))
        if faults:
            yield from faults
            return


def _in_step(trace: Trace, step: Step) -> Iterator[Fault]:
    if step.phase == "backward":
        yield from _failed_backward(trace, step)
        return
    if step.phase == "optimizer-built":
        yield from _refused_optimizer(trace, step)
    if trace.pending_unfreezes:
        return  # a later stage gives the optimizer something to do
    for state in step.optimizers:
        if state.stepping or (step.phase == "optimizer-built" and not trace.completed):
            yield from _idle_optimizer(trace, step, state)


def _failed_backward(trace: Trace, step: Step) -> Iterator[Fault]:
    """Backward found no graph. Frozen parameters are why, if there are no others and no optimised input."""
    frozen = _all_frozen(trace, step)
    held = _held(step.optimizers)
    if not all(state.complete for state in step.optimizers):
        return
    if not frozen or step.leaves or any(is_trainable(step, p) for p in held):
        return
    yield _fault(
        trace,
        step,
        frozen,
        f"Every parameter is frozen: {parameters_named(trace, frozen)}. "
        f"backward() has nothing to differentiate{_advice(trace, frozen)}",
        _built(trace, step.optimizers[0]) if step.optimizers else None,
    )


def _refused_optimizer(trace: Trace, step: Step) -> Iterator[Fault]:
    """An optimizer was given an empty list. What a spent iterator does to it is FRZ206."""
    refusal = next((e for e in reversed(trace.events_of("optimizer-built")) if e.value == "refused"), None)
    empty = trace.failure is not None and trace.failure.kind == "empty-optimizer"
    place = refusal.location if refusal else trace.failure.location if trace.failure and empty else None
    if (
        trace.completed
        or not (refusal or empty)
        or any(e.location == place for e in trace.events_of("iterator-exhausted"))
    ):
        return
    frozen = _all_frozen(trace, step)
    if frozen:
        yield _fault(
            trace,
            step,
            frozen,
            f"Every parameter is frozen: {parameters_named(trace, frozen)}. "
            f"The optimizer on {line(place)} is given none{_advice(trace, frozen)}",
            place,
        )
    elif empty:
        # The model may be unknown so early: no optimizer holds it, and nothing of it has run.
        freezes = dict.fromkeys(e.location for e in trace.events_of("frozen") if e.location)
        yield Fault(
            "The optimizer is given no parameter at all; "
            "check what is frozen and how its parameters are selected",
            place,
            related=tuple(Related(freeze, "frozen here") for freeze in freezes),
            evidence={"held": 0},
        )


def _idle_optimizer(trace: Trace, step: Step, state: OptimizerState) -> Iterator[Fault]:
    """All that this optimizer holds is frozen, stays as it is, and is never trainable in the steps seen."""
    held = _held([state])
    if not held or not state.complete or not all(_idle(trace, step, parameter) for parameter in held):
        return
    name = trace.optimizers[state.optimizer].class_name
    yield _fault(
        trace,
        step,
        held,
        f"{name} holds no trainable parameter: all of {parameters_named(trace, held)} "
        f"{'is' if len(held) == 1 else 'are'} frozen and step() changes nothing; "
        "give it the parameters that are to learn",
        _built(trace, state),
    )


def _idle(trace: Trace, step: Step, parameter: int) -> bool:
    state = step.parameters.get(parameter)
    if state is None or not is_frozen(step, parameter) or not trace.parameters[parameter].attached:
        return False
    # What moves without a gradient is trained in some other way (evolution strategies).
    if any(s.parameters[parameter].moved for s in trace.steps if parameter in s.parameters):
        return False
    return not is_toggled(trace, parameter) and not unfrozen_after(trace, step, parameter)


def _all_frozen(trace: Trace, step: Step) -> list[int]:
    """The living parameters of all models, if every one is frozen and no other tensor is trained."""
    living = [p for model in trace.models for p in model.parameters if trace.parameters[p].attached]
    others = [p for p in step.parameters if trace.parameters[p].model is None and is_trainable(step, p)]
    return living if living and not others and all(is_frozen(step, p) for p in living) else []


def _held(states: Iterable[OptimizerState]) -> list[int]:
    return list(dict.fromkeys(p for state in states for group in state.groups for p in group.parameters))


def _advice(trace: Trace, frozen: list[int]) -> str:
    """Which parameters to leave trainable: those of the last module, unless others are fresh."""
    model = trace.model_of(frozen[0])
    if model is None:
        return "; leave trainable what is to learn"
    owners = [module for module in model.modules if module.parameters]
    fresh = [m for m in owners if all(trace.parameters[p].origin == "fresh" for p in m.parameters)]
    some_fresh = 0 < len(fresh) < len(owners)
    head = (fresh if some_fresh else owners)[-1].path
    return (
        f"; leave trainable what is to learn, e.g. `{head}`" if head else "; leave trainable what is to learn"
    )


def _built(trace: Trace, state: OptimizerState) -> Location | None:
    return trace.location(trace.optimizers[state.optimizer].built)


def _fault(trace: Trace, step: Step, frozen: list[int], message: str, built: Location | None) -> Fault:
    """Points to the last freeze, which left nothing; the earlier ones and the optimizer are related."""
    causes = sorted({cause for p in frozen if (cause := step.parameters[p].cause) is not None})
    freezes = [location for cause in causes if (location := trace.location(cause))]
    place = freezes[-1] if freezes else built
    related = [
        Related(location, "also frozen here") for location in dict.fromkeys(freezes) if location != place
    ]
    if built and built != place:
        related.append(Related(built, "the optimizer"))
    return Fault(message, place, subjects(trace, frozen), tuple(related), {"frozen": len(frozen)})
