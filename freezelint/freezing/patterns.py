"""Which parameters and modules a pattern names: dotted names and globs, on dotted boundaries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeAlias

from torch import nn

from freezelint.freezing.globs import compiled as compiled
from freezelint.freezing.layers import has_statistics

# What says which part of a model is meant: a dotted name or glob, or a module of the model.
Pattern: TypeAlias = "str | nn.Module"

MOST_NAMES = 3


class NoMatchError(ValueError):
    """A pattern names nothing in the model; the message gives the nearest names that exist."""


@dataclass
class Selection:
    """The parameters that patterns name, by every name that they have, and the modules that lie wholly inside
    what was named.
    """

    parameters: dict[str, nn.Parameter] = field(default_factory=dict)
    modules: dict[str, nn.Module] = field(default_factory=dict)

    def add(self, other: Selection) -> None:
        """Take in another selection."""
        self.parameters.update(other.parameters)
        self.modules.update(other.modules)


def inner(model: nn.Module) -> nn.Module:
    """The model itself, as `unwrapped` gives it, to be frozen or unfrozen.

    Raises `ValueError` for a `DistributedDataParallel` model, which has fixed what it waits for.
    """
    *wrappers, own = _wrappers(model)
    if any(isinstance(wrapper, nn.parallel.DistributedDataParallel) for wrapper in wrappers):
        raise ValueError(
            "DistributedDataParallel fixed the set of trained parameters when it wrapped the model: freeze "
            "and unfreeze before wrapping"
        )
    return own


def unwrapped(model: nn.Module) -> nn.Module:
    """The model out of the wrappers that put a prefix before every name."""
    *_, own = _wrappers(model)
    return own


def _wrappers(model: nn.Module) -> Iterator[nn.Module]:
    """What was given, and what each wrapper wraps: the model itself is the last."""
    inside: nn.Module | None = model
    while inside is not None:
        yield inside
        if isinstance(inside, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inside = inside.module
        else:
            inside = inside._modules.get("_orig_mod")  # torch.compile


def select(model: nn.Module, patterns: Iterable[Pattern]) -> Selection:
    """What the patterns name in the model (everything where there are none).

    `NoMatchError` for a pattern that names nothing, or only what has neither parameters nor statistics.
    """
    wanted = list(patterns)
    if not wanted:
        return _of_modules([("", model)])
    selection = Selection()
    for pattern in wanted:
        selection.add(
            _of_object(model, pattern) if isinstance(pattern, nn.Module) else _of_name(model, pattern)
        )
    return selection


def _of_name(model: nn.Module, pattern: str) -> Selection:
    if not isinstance(pattern, str):
        raise TypeError(f"a pattern is a name or a module, and not of class {type(pattern).__name__}")
    if not pattern.strip("."):
        raise ValueError("an empty pattern names nothing: leave it out to mean the whole model")
    try:
        matches = compiled(pattern).match
    except re.error as error:
        raise ValueError(f"`{pattern}` is no pattern: {error.msg}") from error
    parameters = {n: p for n, p in model.named_parameters(remove_duplicate=False) if matches(n)}
    modules = {n: m for n, m in model.named_modules(remove_duplicate=False) if n and matches(n)}
    selection = Selection(parameters, modules)
    if not parameters and not any(map(has_statistics, modules.values())):
        where = type(model).__name__
        if modules:
            raise NoMatchError(f"`{pattern}` names only modules without parameters in {where}")
        raise NoMatchError(f"`{pattern}` matches nothing in {where}{_nearest(model, pattern)}")
    return selection


def _of_object(model: nn.Module, module: nn.Module) -> Selection:
    names = [n for n, m in model.named_modules(remove_duplicate=False) if m is module]
    if not names:
        raise NoMatchError(
            f"the {type(module).__name__} given is no module of {type(model).__name__}: was it replaced, or "
            "is it of a copy?"
        )
    selection = _of_modules([(name, module) for name in names])
    if not selection.parameters and not any(map(has_statistics, module.modules())):
        raise NoMatchError(f"`{names[0]}` ({type(module).__name__}) has no parameters")
    return selection


def _of_modules(named: Iterable[tuple[str, nn.Module]]) -> Selection:
    selection = Selection()
    for prefix, module in named:
        selection.modules.update(module.named_modules(prefix=prefix, remove_duplicate=False))
        selection.parameters.update(module.named_parameters(prefix=prefix, remove_duplicate=False))
    return selection


def _nearest(model: nn.Module, pattern: str) -> str:
    """The names that may have been meant, as the end of a message."""
    names = list(_names(model))
    deeper = compiled(f"**.{pattern}")
    deep = dict.fromkeys(match.group() for name in names if (match := deeper.match(name)))
    inside = sorted(deep, key=lambda name: (name.count("."), len(name)))
    found = inside or get_close_matches(pattern, names, MOST_NAMES, cutoff=0.5)
    if not found:
        found = [name for name, _ in model.named_children()]
        return f"; it consists of {_listed(found)}" if found else ""
    return f"; nearest: {_listed(found)}"


def _names(model: nn.Module) -> Iterator[str]:
    for name, _ in model.named_modules():
        if name:
            yield name
    for name, _ in model.named_parameters():
        yield name


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - MOST_NAMES} more" if len(every) > MOST_NAMES else ""
    return ", ".join(f"`{name}`" for name in every[:MOST_NAMES]) + more
