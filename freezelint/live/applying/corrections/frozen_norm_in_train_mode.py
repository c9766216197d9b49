"""FRZ101: frozen norm layers are put in eval, and stay there whatever `train()` says."""

from __future__ import annotations

from torch import nn

from freezelint.finding import Finding
from freezelint.freezing.layers import has_statistics, own_parameters
from freezelint.freezing.modes import stay_in_eval, stays_in_eval
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Done, Phase, Words
from freezelint.wording import agree, listing, plural

PHASE = Phase.MODES


def apply(finding: Finding, live: Live) -> Words:
    """Not where another correction has unfrozen the layer meanwhile."""
    yield from hold(live, {n: m for n, m in live.modules(finding.subjects).items() if _is_frozen(m)})


def hold(live: Live, layers: dict[str, nn.Module]) -> Words:
    """Put these layers in eval, to stay there (`freezelint.freezing.modes.StaysInEval` says how)."""
    held = {name: layer for name, layer in layers.items() if not stays_in_eval(layer)}
    for layer in held.values():
        stay_in_eval(layer)
    if held:
        count = len(held)
        what = "norm layer" if all(map(has_statistics, held.values())) else "layer"
        names = listing([live.split(name)[1] or name for name in held])
        yield Done(
            f"put {names} ({plural(count, what)}) in eval, where {agree(count, 'it stays', 'they stay')} "
            "through every `train()`"
        )


def _is_frozen(layer: nn.Module) -> bool:
    return not any(parameter.requires_grad for parameter in own_parameters(layer))
