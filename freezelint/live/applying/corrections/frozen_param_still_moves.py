"""FRZ202: what is frozen and moves all the same loses its stale gradient and its place in the optimizer."""

from __future__ import annotations

from freezelint.finding import Finding
from freezelint.live.applying import groups
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Done, Phase, Words

PHASE = Phase.EMPTY_GROUPS


def apply(finding: Finding, live: Live) -> Words:
    """Without gradients torch's optimizers leave parameters alone; others need them out of their groups."""
    frozen = {name: p for name, p in live.parameters(finding.subjects).items() if not p.requires_grad}
    stale = [name for name, parameter in frozen.items() if parameter.grad is not None]
    for name in stale:
        frozen[name].grad = None
    if stale:
        yield Done(f"cleared the gradients of {live.told(stale)}")
    if not live.trace.pending_unfreezes:
        yield from groups.take_out(live, frozen)
