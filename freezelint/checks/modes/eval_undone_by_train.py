"""FRZ102: the `.eval()` of a frozen norm layer was undone by a later `.train()`."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Event, Trace
from freezelint.facts.norms import Drift, drifting, drifts, keep_in_eval, place, related
from freezelint.finding import Fault
from freezelint.wording import agree, line, listing


def check(trace: Trace) -> Iterator[Fault]:
    """One finding for each `.train()` and model; an `.eval()` for validation is no part of a freeze."""
    groups: dict[object, list[tuple[Drift, Event]]] = {}
    for drift in drifts(trace):
        if drift.undone is not None:
            mode = place(drift.cause)
            groups.setdefault((drift.model.index, mode and mode.at()), []).append((drift, drift.undone))
    for group in groups.values():
        yield _fault(group)


def _fault(group: list[tuple[Drift, Event]]) -> Fault:
    layers = [drift for drift, _ in group]
    first, undone = group[0]
    mode, put = place(first.cause), place(undone)
    names = list(dict.fromkeys(drift.block_name for drift in layers))
    count = len(names)
    alone = len(layers) == 1 and first.block == first.module.path
    effect = "its running statistics drift" if alone else drifting([drift.module for drift in layers])
    put_where = f" ({line(put, mode)})" if put else ""
    by = f"`train()` on {line(mode)}" if mode else "a later `train()`"
    location = mode or put
    return Fault(
        f"{listing(names)} {agree(count, 'is', 'are')} frozen and put in eval mode{put_where}, but {by} "
        f"undoes that: {effect}; {keep_in_eval(first.cause, count)}",
        location,
        tuple(f"{drift.model.name}.{drift.module.path}" for drift in layers),
        related(
            *((place(event), "put in eval mode here") for _, event in group),
            *((place(drift.freeze), "frozen here") for drift in layers),
            beside=location,
        ),
        {"layers": len(layers), "classes": sorted({drift.module.class_name for drift in layers})},
    )
