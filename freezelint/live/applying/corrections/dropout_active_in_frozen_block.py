"""FRZ104: dropout inside frozen blocks goes to eval, to stay there."""

from __future__ import annotations

from freezelint.finding import Finding
from freezelint.live.applying.corrections.frozen_norm_in_train_mode import hold
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Phase, Words

PHASE = Phase.MODES


def apply(finding: Finding, live: Live) -> Words:
    """The dropout layers that the finding names."""
    yield from hold(live, live.modules(finding.subjects))
