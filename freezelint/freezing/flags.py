"""Freezing and unfreezing parts of a model: flags, gradients and the modes that belong to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from freezelint.freezing.layers import has_parameters, has_statistics, own_parameters
from freezelint.freezing.patterns import Pattern, Selection, inner, select
from freezelint.freezing.records import Change
from freezelint.freezing.structure import blocks


def freeze(model: nn.Module, *patterns: Pattern) -> Change:
    """Freeze the parts of a model that the patterns name; the whole model without patterns.

    A pattern is a module of the model, or a dotted name: `"layer1"` means all inside `layer1`, and
    `"encoder.layer.1"` never `encoder.layer.10`. `*`, `?` and `[0-5]` stand for letters of one component of a
    name, `**` for any number of components: `"layer[12]"`, `"encoder.layer.*.attention"`, `"**.bias"`.

    The parameters get `requires_grad=False` and lose their gradients, so that freezing in mid-training stops
    momentum and weight decay too (an optimizer passes over what has no gradient). Norm layers with running
    statistics inside, with or without scale and shift, go to eval *and stay there*: `model.train()`
    passes them by (`modes.StaysInEval` says how). Optimizers are not touched: build them from what
    `requires_grad`.

    Returns a `Change`, which can be undone and is a context manager. Raises `NoMatchError` (a `ValueError`),
    before anything is changed, for a pattern that names nothing, with the nearest names; `ValueError` for a
    model that DistributedDataParallel has wrapped. A tied parameter is frozen by any of its names.

    Source: torch documentation, "Locally disabling gradient computation" and `BatchNorm2d`.
    """
    model = inner(model)
    return freeze_selection(model, select(model, patterns))


def unfreeze(model: nn.Module, *patterns: Pattern, keep_norms: bool = False) -> Change:
    """Make the parts of a model trainable that the patterns (as in `freeze`) name; the whole model without
    patterns.

    Norm layers inside that `freeze` held in eval go back to the mode that the model is in and follow
    `train()` again; with `keep_norms` layers with running statistics stay frozen, parameters and statistics.
    The parameters stay the same objects: an optimizer that holds them goes on, one that does not needs
    `optimizer.add_param_group`. Parameters that cannot have gradients (integers, quantised) are passed over.

    Returns a `Change`. Raises as `freeze` does.
    """
    model = inner(model)
    return unfreeze_selection(model, select(model, patterns), keep_norms=keep_norms)


def freeze_all_but(model: nn.Module, *patterns: Pattern) -> Change:
    """Freeze everything but what the patterns (as in `freeze`) name, and make that trainable.

    Afterwards exactly what the patterns name is trainable. A tied parameter trains if any of its names does.
    Returns a `Change`. Raises as `freeze` does, and `ValueError` without patterns.
    """
    if not patterns:
        raise ValueError("name at least one part to leave trainable; `freeze(model)` freezes everything")
    model = inner(model)
    return leave_trainable(model, select(model, patterns))


def freeze_except_last(model: nn.Module, count: int, sample: Any = None) -> Change:
    """Freeze everything but the last `count` blocks of a model, the head being the last one.

    Blocks are those of `blocks(model, sample)`: stages of a ResNet, layers of a transformer inside any
    wrapper, so that 1 trains the head alone and 3 the head and the two blocks before it.

    Returns a `Change`. Raises `ValueError` where `count` is below 1 or the model has fewer blocks.
    """
    model = inner(model)
    every = blocks(model, sample)
    if not 1 <= count <= len(every):
        names = ", ".join(f"`{block.name}`" for block in every)
        raise ValueError(
            f"{type(model).__name__} has {len(every)} blocks, from input to output: {names}; count must lie "
            f"between 1 and {len(every)}, and is {count}"
        )
    selection = Selection()
    for block in every[-count:]:
        selection.add(block.selection(model))
    return leave_trainable(model, selection)


def unfreeze_selection(model: nn.Module, selection: Selection, *, keep_norms: bool) -> Change:
    """Make what was selected trainable."""
    norms = _norms_of(model, selection)
    change = Change(model, frozen=False)
    kept = {id(p) for norm in norms.values() for p in own_parameters(norm)} if keep_norms else set()
    change.flag(((n, p) for n, p in selection.parameters.items() if id(p) not in kept), True)
    if not keep_norms:
        change.let_go(norms.items())
    return change


def leave_trainable(model: nn.Module, left: Selection) -> Change:
    """Freeze everything but what was selected, and make that trainable."""
    everything = select(model, ())
    trains = {id(p) for p in left.parameters.values()}
    rest = {name: p for name, p in everything.parameters.items() if id(p) not in trains}
    free = {id(norm) for norm in _norms_of(model, left).values()}
    norms = {n: m for n, m in everything.modules.items() if has_statistics(m) and id(m) not in free}
    change = Change(model, frozen=True)
    change.flag(rest.items(), False)
    change.hold(norms.items())
    # What is left gets its flags and modes too, and is undone with the rest; the record tells the frozen
    # part.
    parameters, held = change.parameters, change.norms
    change.flag(left.parameters.items(), True)
    change.let_go((n, m) for n, m in everything.modules.items() if id(m) in free)
    change.parameters, change.norms = parameters, held
    return change


def freeze_selection(model: nn.Module, selection: Selection) -> Change:
    """Freeze what was selected."""
    change = Change(model, frozen=True)
    change.flag(selection.parameters.items(), False)
    norms = _norms_of(model, selection)
    norms.update(_bare_norms("", model, {id(p) for p in selection.parameters.values()}))
    change.hold(norms.items())
    return change


def _norms_of(model: nn.Module, selection: Selection) -> dict[str, nn.Module]:
    """The norm layers with running statistics that are named, or all of whose parameters are."""
    taken = {id(p) for p in selection.parameters.values()}
    inside = {id(module) for module in selection.modules.values()}
    return {
        name: module
        for name, module in model.named_modules()
        if has_statistics(module) and (id(module) in inside or _all_in(own_parameters(module), taken))
    }


def _all_in(parameters: list[nn.Parameter], taken: set[int]) -> bool:
    return bool(parameters) and all(id(p) in taken for p in parameters)


def _bare_norms(name: str, module: nn.Module, taken: set[int]) -> Iterator[tuple[str, nn.Module]]:
    """Norm layers without parameters directly inside what is now wholly frozen: they are frozen with it, also
    where patterns took its parameters one by one.
    """
    parameters = list(module.parameters())
    if not any(id(p) in taken for p in parameters):
        return
    frozen = not any(p.requires_grad for p in parameters)
    for child_name, child in module.named_children():
        path = f"{name}.{child_name}" if name else child_name
        if frozen and has_statistics(child) and not has_parameters(child):
            yield path, child
        yield from _bare_norms(path, child, taken)
