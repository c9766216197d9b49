"""FRZ102: as FRZ101: what was put in eval stays there through the `train()` that undid it."""

from __future__ import annotations

from freezelint.live.applying.corrections.frozen_norm_in_train_mode import PHASE as PHASE
from freezelint.live.applying.corrections.frozen_norm_in_train_mode import apply as apply
