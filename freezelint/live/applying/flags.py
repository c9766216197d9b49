"""Setting flags with all that belongs to them: gradients, modes of norm layers, places in optimizers."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from freezelint.freezing.flags import freeze_selection, unfreeze_selection
from freezelint.freezing.patterns import Selection
from freezelint.live.applying import groups
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Done, Refused, Words
from freezelint.wording import agree, plural

_WRAPPED = (
    "DistributedDataParallel fixed which parameters of `{}` get gradients when it wrapped the model: set "
    "flags before wrapping"
)


def set_flags(live: Live, parameters: dict[str, nn.Parameter], value: bool) -> Words:
    """Make parameters trainable, or frozen, as they were meant to be."""
    yield from (unfreeze if value else freeze)(live, parameters)


def freeze(live: Live, parameters: dict[str, nn.Parameter]) -> Words:
    """Freeze parameters: they lose gradients and places in optimizers, and their norm layers stay in eval.

    Where the code is about to unfreeze something they keep their places: a schedule needs them there.
    """
    frozen: dict[str, nn.Parameter] = {}
    for model, root, selection in _by_model(live, parameters):
        if live.fixed_by_wrapper(model):
            yield Refused(_WRAPPED.format(model))
            continue
        change = freeze_selection(root, selection)
        names = [f"{model}.{path}" for path in selection.parameters]
        count = len(change.norms)
        stay = f"that {agree(count, 'stays', 'stay')} in eval"
        held = f", with {plural(count, 'norm layer')} {stay}" if count else ""
        yield Done(f"froze {live.told(names)}{held}")
        frozen.update((name, parameters[name]) for name in names)
    if not live.trace.pending_unfreezes:
        yield from groups.take_out(live, frozen)


def unfreeze(live: Live, parameters: dict[str, nn.Parameter]) -> Words:
    """Make parameters trainable and give them to the optimizer of their siblings."""
    unfrozen: dict[str, nn.Parameter] = {}
    for model, root, selection in _by_model(live, parameters):
        if live.fixed_by_wrapper(model):
            yield Refused(_WRAPPED.format(model))
            continue
        change = unfreeze_selection(root, selection, keep_norms=False)
        names = [f"{model}.{path}" for path in selection.parameters if path in change.parameters]
        if names:
            yield Done(f"unfroze {live.told(names)}")
        unfrozen.update((name, parameters[name]) for name in names)
    yield from groups.add(live, unfrozen)


def _by_model(live: Live, parameters: dict[str, nn.Parameter]) -> Iterator[tuple[str, nn.Module, Selection]]:
    found: dict[str, Selection] = {}
    for name, parameter in parameters.items():
        model, path = live.split(name)
        found.setdefault(model, Selection()).parameters[path] = parameter
    for model, selection in found.items():
        yield model, live.models[model], selection
