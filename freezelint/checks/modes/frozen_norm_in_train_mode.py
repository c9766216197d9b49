"""FRZ101: a frozen norm layer runs in train mode, so that its statistics drift."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Trace
from freezelint.facts.norms import Drift, drifting, drifts, is_fresh, keep_in_eval, place, related
from freezelint.finding import Fault
from freezelint.wording import agree, line, listing


def check(trace: Trace) -> Iterator[Fault]:
    """Where an `.eval()` that belonged to the freeze was undone, FRZ102 reports instead."""
    groups: dict[object, list[Drift]] = {}
    for drift in drifts(trace):
        if drift.undone is None:
            mode = place(drift.cause)
            # A frozen new head has a fault of its own (FRZ402), which must not explain the backbone away.
            key = (drift.model.index, mode and mode.at(), is_fresh(trace, drift.module))
            groups.setdefault(key, []).append(drift)
    for group in groups.values():
        yield _fault(group)


def _fault(group: list[Drift]) -> Fault:
    first = group[0]
    freeze, mode = place(first.freeze), place(first.cause)
    names = list(dict.fromkeys(drift.block_name for drift in group))
    count = len(names)
    where = f" ({line(freeze, mode)})" if freeze else ""
    when = f"in train mode ({line(mode)})" if mode else "in train mode"
    alone = len(group) == 1 and first.block == first.module.path
    effect = "its running statistics drift" if alone else drifting([drift.module for drift in group])
    location = mode or freeze or first.model.built
    return Fault(
        f"{listing(names)} {agree(count, 'is', 'are')} frozen{where} but {agree(count, 'runs', 'run')} "
        f"{when}: {effect}; {keep_in_eval(first.cause, count)}",
        location,
        tuple(f"{drift.model.name}.{drift.module.path}" for drift in group),
        related(*((place(drift.freeze), "frozen here") for drift in group), beside=location),
        {"layers": len(group), "classes": sorted({drift.module.class_name for drift in group})},
    )
