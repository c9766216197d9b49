"""FRZ210: parameters that the choice of groups forgot join the group of their nearest siblings."""

from __future__ import annotations

from freezelint.live.applying.corrections.trainable_param_not_in_optimizer import PHASE as PHASE
from freezelint.live.applying.corrections.trainable_param_not_in_optimizer import apply as apply
