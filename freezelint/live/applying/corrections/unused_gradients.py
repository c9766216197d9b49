"""FRZ301: what no optimizer trains is frozen: no gradients, no memory for them, and norm layers in eval."""

from __future__ import annotations

from freezelint.finding import Finding
from freezelint.live.applying import flags
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Phase, Words

PHASE = Phase.FREEZE


def apply(finding: Finding, live: Live) -> Words:
    """Not where an optimizer holds them by now."""
    held = {id(each.parameter) for each in live.held()}
    named = live.parameters(finding.subjects).items()
    yield from flags.freeze(live, {name: p for name, p in named if p.requires_grad and id(p) not in held})
