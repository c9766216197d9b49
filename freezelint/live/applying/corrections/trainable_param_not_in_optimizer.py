"""FRZ203: parameters that arrived late join the group of their nearest siblings."""

from __future__ import annotations

from freezelint.finding import Finding
from freezelint.live.applying import groups
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Done, Phase, Words

PHASE = Phase.FILL_GROUPS


def apply(finding: Finding, live: Live) -> Words:
    """What has added up in `.grad`, which no `zero_grad()` reached, would be their first step: it goes."""
    trainable = {name: p for name, p in live.parameters(finding.subjects).items() if p.requires_grad}
    before = {id(held.parameter) for held in live.held()}
    yield from groups.add(live, trainable)
    after = {id(held.parameter) for held in live.held()}
    stale = [name for name, p in trainable.items() if p.grad is not None and id(p) in after - before]
    for name in stale:
        trainable[name].grad = None
    if stale:
        yield Done("cleared the gradients that they had added up")
