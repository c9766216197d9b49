"""FRZ510: a tied parameter was frozen by one of its places and is needed, or was unfrozen, by another."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Model, Module, Step, Trace
from freezelint.facts import is_frozen, is_trainable, subject
from freezelint.facts.flags import FlagStatement, flag_statements
from freezelint.finding import Fault, Related
from freezelint.wording import line, listing


def check(trace: Trace) -> Iterator[Fault]:
    """Statements that mean every place of the parameter (freeze all, unfreeze all) are silent."""
    if not trace.steps:
        return
    statements = flag_statements(trace, before_the_first_step=True)
    reported: set[object] = set()
    for parameter in trace.parameters:
        if len(parameter.paths) > 1 and parameter.model is not None:
            for fault in _split(trace, trace.steps[0], statements, parameter.id):
                if fault.location not in reported:
                    reported.add(fault.location)
                    yield fault


def _split(trace: Trace, step: Step, statements: list[FlagStatement], parameter: int) -> Iterator[Fault]:
    own = [s for s in statements if parameter in s.parameters]
    if not own:
        return
    last = max(own, key=lambda s: s.events[-1].index)
    meant = places_meant(trace, last, parameter)
    if not meant or not (is_frozen if last.freezes else is_trainable)(step, parameter):
        return
    for earlier in own:
        before = places_meant(trace, earlier, parameter)
        if earlier.freezes is not last.freezes and before and before.isdisjoint(meant):
            yield _contradiction(trace, parameter, earlier, before, last, meant)
            return
    others = [path for path in trace.parameters[parameter].paths if path not in meant]
    if last.freezes and all(_means_only(trace, s, parameter, meant) for s in own if s.freezes):
        for other in others:
            if _meant_to_train(trace, step, last, parameter, other):
                yield _frozen_along(trace, parameter, last, meant, other)
                return


def places_meant(trace: Trace, statement: FlagStatement, parameter: int) -> frozenset[str]:
    """The paths of a tied parameter that the statement is about; empty where it is about all of them, or
    where that is not known."""
    paths = trace.parameters[parameter].paths
    meant = _by_pattern(trace, statement, parameter) or _by_receiver(trace, statement, parameter)
    if not meant:
        meant = _by_neighbours(trace, statement.parameters, parameter)
    return frozenset() if len(meant) == len(paths) else frozenset(meant)


def _by_pattern(trace: Trace, statement: FlagStatement, parameter: int) -> set[str]:
    def matches(path: str) -> bool:
        return any(pattern in path for pattern in statement.patterns)

    others = [trace.parameters[p].path for p in statement.parameters if len(trace.parameters[p].paths) == 1]
    if not statement.patterns or not others:
        return set()
    found = {path for path in trace.parameters[parameter].paths if matches(path)}
    if all(matches(path) for path in others):
        return found
    return set(trace.parameters[parameter].paths) - found if not any(map(matches, others)) else set()


def _by_receiver(trace: Trace, statement: FlagStatement, parameter: int) -> set[str]:
    model = trace.parameters[parameter].model
    receivers = [path for event in statement.events for index, path in event.modules if index == model]
    return {
        path
        for path in trace.parameters[parameter].paths
        if any(not receiver or path.startswith(f"{receiver}.") for receiver in receivers)
    }


def _by_neighbours(trace: Trace, parameters: tuple[int, ...], parameter: int) -> set[str]:
    """The places that lie closest to everything else in the set, unless the set is all of the model."""
    model = trace.model_of(parameter)
    others = [trace.parameters[p].path for p in parameters if len(trace.parameters[p].paths) == 1]
    if model is None or not others or set(parameters).issuperset(model.parameters):
        return set()
    depths = {path: _common_depth([path, *others]) for path in trace.parameters[parameter].paths}
    deepest = max(depths.values())
    return {path for path, depth in depths.items() if depth == deepest and depth}


def _common_depth(paths: list[str]) -> int:
    """How many leading components all these paths share."""
    split = [path.split(".")[:-1] for path in paths]
    depth = 0
    while all(len(parts) > depth and parts[depth] == split[0][depth] for parts in split):
        depth += 1
    return depth


def _means_only(trace: Trace, statement: FlagStatement, parameter: int, meant: frozenset[str]) -> bool:
    places = places_meant(trace, statement, parameter)
    return bool(places) and places <= meant


def _meant_to_train(trace: Trace, step: Step, freeze: FlagStatement, parameter: int, place: str) -> bool:
    """Whether the other place ran and the code shows that it was to train: the rest of its module trains, an
    optimizer was given that module, or the freeze spared it by name."""
    model = trace.model_of(parameter)
    owner = None if model is None else model.by_path.get(place.rpartition(".")[0])
    if model is None or owner is None or not _ran(step, model, owner):
        return False
    spared = any(pattern in place for pattern in freeze.patterns)
    return (
        spared
        or any(is_trainable(step, p) for p in owner.parameters)
        or _optimised_there(trace, step, parameter, place)
    )


def _ran(step: Step, model: Model, module: Module) -> bool:
    state = step.module(model.index, module.path)
    return state is not None and state.ran is True


def _optimised_there(trace: Trace, step: Step, parameter: int, place: str) -> bool:
    for state in step.optimizers:
        for group in state.groups:
            if parameter not in group.parameters:
                continue
            if group.parameters == (parameter,) or _by_neighbours(trace, group.parameters, parameter) == {
                place
            }:
                return True
    return False


def _contradiction(
    trace: Trace,
    parameter: int,
    earlier: FlagStatement,
    before: frozenset[str],
    last: FlagStatement,
    meant: frozenset[str],
) -> Fault:
    did, had = ("freezing", "unfrozen") if last.freezes else ("unfreezing", "frozen")
    return Fault(
        f"{listing(sorted(meant))} and {listing(sorted(before))} are one tied parameter: {did} the one "
        "here undoes the other, "
        f"which was {had} on {line(earlier.location, last.location)}; treat them alike, or untie them",
        last.location,
        (subject(trace, parameter),),
        (Related(earlier.location, f"{had} here"),) if earlier.location else (),
        {"paths": list(trace.parameters[parameter].paths)},
    )


def _frozen_along(
    trace: Trace, parameter: int, freeze: FlagStatement, meant: frozenset[str], other: str
) -> Fault:
    return Fault(
        f"{listing(sorted(meant))} and `{other}` are one tied parameter: freezing the one here also froze "
        "the other, which runs in "
        "the step and was to train; treat them alike, or untie them",
        freeze.location,
        (subject(trace, parameter),),
        evidence={"paths": list(trace.parameters[parameter].paths)},
    )
