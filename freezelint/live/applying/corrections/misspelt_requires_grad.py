"""FRZ502: the flag that was misspelt is set."""

from __future__ import annotations

from freezelint.live.applying.corrections.requires_grad_on_module import PHASE as PHASE
from freezelint.live.applying.corrections.requires_grad_on_module import apply as apply
