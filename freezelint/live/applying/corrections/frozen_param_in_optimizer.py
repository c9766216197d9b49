"""FRZ201: frozen parameters leave their groups, and their state goes with them."""

from __future__ import annotations

from freezelint.finding import Finding
from freezelint.live.applying import groups
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Phase, Words

PHASE = Phase.EMPTY_GROUPS


def apply(finding: Finding, live: Live) -> Words:
    """Not where another correction has unfrozen them meanwhile."""
    named = live.parameters(finding.subjects)
    yield from groups.take_out(live, {name: p for name, p in named.items() if not p.requires_grad})
