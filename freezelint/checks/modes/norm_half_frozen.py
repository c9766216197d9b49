"""FRZ106: the statistics of a norm layer are frozen but not scale and shift, or one of those two only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from freezelint.evidence import Location, Model, Module, Step, Trace
from freezelint.facts import is_frozen, is_toggled, is_trainable
from freezelint.finding import Fault
from freezelint.wording import agree, line, listing, shown

_Layers = dict[tuple[int, str], tuple[Model, Module, Location | None]]


def check(trace: Trace) -> Iterator[Fault]:
    """One finding for each statement that caused it, for each of the two halves."""
    in_eval: _Layers = {}
    split: _Layers = {}
    for step in trace.completed:
        for model in trace.models:
            only_shifts = _trains_shifts_only(trace, step, model)
            for module in model.modules:
                key = (model.index, module.path)
                state = step.module(model.index, module.path)
                if module.norm is None or not module.norm.has_statistics or state is None or not state.ran:
                    continue
                if _is_split(trace, step, module):
                    if not only_shifts:
                        split.setdefault(key, (model, module, _freeze(trace, step, module)))
                elif state.training is False and _is_trained(step, module):
                    in_eval.setdefault(key, (model, module, trace.location(state.cause)))
    yield from _faults(in_eval, _in_eval)
    yield from _faults(split, _split)


def _is_trained(step: Step, module: Module) -> bool:
    return any(is_trainable(step, p) and step.held_by(p) for p in module.parameters)


def _is_split(trace: Trace, step: Step, module: Module) -> bool:
    frozen = [p for p in module.parameters if is_frozen(step, p) and not is_toggled(trace, p)]
    return bool(frozen) and _is_trained(step, module)


def _trains_shifts_only(trace: Trace, step: Step, model: Model) -> bool:
    """Whether all over the model biases are trained and weights frozen, as BitFit does on purpose."""
    biases = [p for p in model.parameters if trace.parameters[p].path.endswith("bias")]
    weights = [p for p in model.parameters if p not in set(biases) and is_frozen(step, p)]
    return len(weights) >= len(biases) > 0 and all(is_trainable(step, p) for p in biases)


def _freeze(trace: Trace, step: Step, module: Module) -> Location | None:
    causes = [step.parameters[p].cause for p in module.parameters if is_frozen(step, p)]
    return next((trace.location(cause) for cause in causes if cause is not None), None)


def _faults(layers: _Layers, words: Callable[[list[str], Location | None], str]) -> Iterator[Fault]:
    groups: dict[object, list[tuple[Model, Module, Location | None]]] = {}
    for entry in layers.values():
        groups.setdefault((entry[0].index, entry[2] and entry[2].at()), []).append(entry)
    for group in groups.values():
        model, _, location = group[0]
        yield Fault(
            words([shown(owner, module.path) for owner, module, _ in group], location),
            location or model.built,
            tuple(f"{owner.name}.{module.path}" for owner, module, _ in group),
            evidence={"layers": len(group)},
        )


def _in_eval(names: list[str], location: Location | None) -> str:
    count = len(names)
    where = f" ({line(location)})" if location else ""
    return (
        f"{listing(names)} {agree(count, 'keeps its', 'keep their')} statistics in eval mode{where} while "
        f"{agree(count, 'its', 'their')} scale and shift are trained; freeze both or neither"
    )


def _split(names: list[str], location: Location | None) -> str:
    where = f" ({line(location)})" if location else ""
    return (
        f"{listing(names)} {agree(len(names), 'has', 'have')} one of scale and shift frozen{where} while the "
        "other is trained; freeze both or neither"
    )
