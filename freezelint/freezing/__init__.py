"""The right way to freeze and fine-tune, ready to use: what the rules ask for.

    from freezelint import freezing

    freezing.freeze_all_but(model, "layer4", "fc")
    optimizer = torch.optim.AdamW(freezing.layerwise_groups(model, lr=1e-3, decay=0.8))

Works on any `torch.nn.Module`, with torch's own optimizers and training loops. Importing this package
imports no torch; the first use of a name does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freezelint.freezing import norms
    from freezelint.freezing.applying import Training
    from freezelint.freezing.flags import freeze, freeze_all_but, freeze_except_last, unfreeze
    from freezelint.freezing.gradual import GradualUnfreezing
    from freezelint.freezing.modes import keep_frozen_in_eval, train_mode
    from freezelint.freezing.patterns import NoMatchError
    from freezelint.freezing.plans import Plan
    from freezelint.freezing.probing import linear_probe_then_finetune
    from freezelint.freezing.rates import layerwise_groups
    from freezelint.freezing.recommending import recommend
    from freezelint.freezing.records import Change
    from freezelint.freezing.schedules import RatioSchedule, slanted_triangular, warmup_cosine, warmup_linear
    from freezelint.freezing.shift import DomainShift, LayerShift, domain_shift
    from freezelint.freezing.structure import Block, blocks
    from freezelint.freezing.summaries import Summary, summary

__all__ = [
    "Block",
    "Change",
    "DomainShift",
    "GradualUnfreezing",
    "LayerShift",
    "NoMatchError",
    "Plan",
    "RatioSchedule",
    "Summary",
    "Training",
    "blocks",
    "domain_shift",
    "freeze",
    "freeze_all_but",
    "freeze_except_last",
    "keep_frozen_in_eval",
    "layerwise_groups",
    "linear_probe_then_finetune",
    "norms",
    "recommend",
    "slanted_triangular",
    "summary",
    "train_mode",
    "unfreeze",
    "warmup_cosine",
    "warmup_linear",
]

_HOMES = {
    "applying": ("Training",),
    "flags": ("freeze", "freeze_all_but", "freeze_except_last", "unfreeze"),
    "gradual": ("GradualUnfreezing",),
    "modes": ("keep_frozen_in_eval", "train_mode"),
    "patterns": ("NoMatchError",),
    "plans": ("Plan",),
    "probing": ("linear_probe_then_finetune",),
    "rates": ("layerwise_groups",),
    "recommending": ("recommend",),
    "records": ("Change",),
    "schedules": ("RatioSchedule", "slanted_triangular", "warmup_cosine", "warmup_linear"),
    "shift": ("DomainShift", "LayerShift", "domain_shift"),
    "structure": ("Block", "blocks"),
    "summaries": ("Summary", "summary"),
}


def __getattr__(name: str) -> Any:
    """What is asked for, from the module that defines it: torch is imported here, not before."""
    if name == "norms":
        return import_module("freezelint.freezing.norms")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"freezelint.freezing.{home}"), name)
    raise AttributeError(f"module 'freezelint.freezing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
