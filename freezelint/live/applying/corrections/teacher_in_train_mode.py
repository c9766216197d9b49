"""FRZ107: the norm and dropout layers of what only gives targets go to eval, to stay there."""

from __future__ import annotations

from freezelint.live.applying.corrections.dropout_active_in_frozen_block import PHASE as PHASE
from freezelint.live.applying.corrections.dropout_active_in_frozen_block import apply as apply
