"""FRZ402: the new head is unfrozen, and given to the optimizer that trains the layers before it."""

from __future__ import annotations

from freezelint.finding import Finding
from freezelint.live.applying import flags
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Phase, Words

PHASE = Phase.UNFREEZE


def apply(finding: Finding, live: Live) -> Words:
    """The parameters that the finding names, where they are still frozen."""
    named = live.parameters(finding.subjects).items()
    yield from flags.unfreeze(live, {name: p for name, p in named if not p.requires_grad})
