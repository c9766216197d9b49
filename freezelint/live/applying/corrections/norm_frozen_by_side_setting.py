"""FRZ103: norm layers that a setting held still go to eval, where they also use what they have stored.

The setting stays: in eval neither `momentum=0` nor `track_running_stats=False` matters to a layer that has
its statistics.
"""

from __future__ import annotations

from freezelint.finding import Finding
from freezelint.freezing.layers import has_statistics
from freezelint.live.applying.corrections.frozen_norm_in_train_mode import hold
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Phase, Words

PHASE = Phase.MODES


def apply(finding: Finding, live: Live) -> Words:
    """The layers that the finding names, frozen or not: their statistics were meant to stand still."""
    layers = live.modules(finding.subjects).items()
    yield from hold(live, {name: layer for name, layer in layers if has_statistics(layer)})
