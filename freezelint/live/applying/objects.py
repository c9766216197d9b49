"""The models and optimizers that an audit looked at, and how its findings name what is in them."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from freezelint.evidence import Trace
from freezelint.facts import subject
from freezelint.live.inventory import unwrapped
from freezelint.live.recorder import Recorder
from freezelint.live.stepping import with_inner
from freezelint.wording import listing, parameters_named, plural


@dataclass(frozen=True)
class Lost:
    """Where a parameter was that an optimizer holds and no model does any more, and how large it is."""

    model: str
    paths: tuple[str, ...]
    shape: tuple[int, ...]


class Objects:
    """Weak references to the models and optimizers of a recorder.

    There are none to tensors: torch swaps the contents of two tensors (`module.to()` can be told to) only
    where nobody refers to them weakly. Parameters are found by their names.
    """

    def __init__(self, recorder: Recorder, given: nn.Module) -> None:
        self._given = weakref.ref(given)
        self._models = [(tree.name, tree.root) for tree in recorder.inventory.trees]
        self._optimizers = [weakref.ref(optimizer) for _, optimizer in recorder.optimizers.alive()]
        names = {tree.index: tree.name for tree in recorder.inventory.trees}
        self._lost: dict[int, Lost] = {}  # by id of the tensor, which its optimizer keeps alive
        for entry in recorder.ledger.entries:
            tensor = entry.reference()
            if tensor is not None and not entry.attached and entry.model is not None and entry.paths:
                self._lost[id(tensor)] = Lost(names[entry.model], entry.paths, entry.shape)

    def living(self, trace: Trace) -> Live:
        """What there still is of them."""
        roots = ((name, reference()) for name, reference in self._models)
        optimizers = (reference() for reference in self._optimizers)
        return Live(
            trace,
            self._given(),
            {name: root for name, root in roots if root is not None},
            with_inner(optimizer for optimizer in optimizers if optimizer is not None),
            self._lost,
        )


@dataclass
class Held:
    """A parameter in a group of an optimizer, at a position."""

    parameter: torch.Tensor
    optimizer: Optimizer
    group: dict[str, Any]
    position: int


@dataclass
class Live:
    """The living models by name, as findings name them, and the optimizers, with those that they wrap."""

    trace: Trace
    given: nn.Module | None
    models: dict[str, nn.Module]
    optimizers: list[Optimizer]
    lost: dict[int, Lost]

    @cached_property
    def named(self) -> dict[str, nn.Parameter]:
        """Every parameter by the names that findings use: the model's name and the path."""
        return {
            f"{name}.{path}": parameter
            for name, root in self.models.items()
            for path, parameter in root.named_parameters(remove_duplicate=False)
        }

    def parameters(self, subjects: Iterable[str]) -> dict[str, nn.Parameter]:
        """The parameters with these names that there are."""
        return {name: self.named[name] for name in subjects if name in self.named}

    def modules(self, subjects: Iterable[str]) -> dict[str, nn.Module]:
        """The modules with these names that there are."""
        wanted = set(subjects)
        return {
            name: module
            for model, root in self.models.items()
            for path, module in root.named_modules(remove_duplicate=False)
            if (name := f"{model}.{path}") in wanted
        }

    def split(self, subject_name: str) -> tuple[str, str]:
        """The name of the model and the path inside it."""
        for model in sorted(self.models, key=len, reverse=True):
            if subject_name.startswith(f"{model}."):
                return model, subject_name[len(model) + 1 :]
        return "", subject_name

    def held(self) -> Iterator[Held]:
        """What every optimizer holds. Groups that a wrapper shows again are told once."""
        seen: set[int] = set()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                if id(group["params"]) not in seen:
                    seen.add(id(group["params"]))
                    for position, parameter in enumerate(group["params"]):
                        yield Held(parameter, optimizer, group, position)

    def orphans(self) -> list[tuple[Held, Lost]]:
        """What optimizers hold, was in a model, and is in none any more."""
        attached = {id(p) for root in self.models.values() for p in root.parameters()}
        found = []
        for held in self.held():
            lost = self.lost.get(id(held.parameter))
            same = lost is not None and lost.shape == tuple(held.parameter.shape)
            if lost is not None and same and id(held.parameter) not in attached:
                found.append((held, lost))
        return found

    def told(self, names: Collection[str]) -> str:
        """How to name these parameters, as findings do."""
        ids = [self._ids[name] for name in names if name in self._ids]
        if len(ids) == len(names):
            return parameters_named(self.trace, ids)
        return f"{listing(list(names))} ({plural(len(names), 'parameter')})"

    @cached_property
    def _ids(self) -> dict[str, int]:
        attached = [parameter.id for parameter in self.trace.parameters if parameter.attached]
        return {subject(self.trace, identity): identity for identity in attached}

    def fixed_by_wrapper(self, model: str) -> bool:
        """Whether `DistributedDataParallel` has fixed which parameters of this model get gradients."""
        wrapper = self.given
        while isinstance(wrapper, nn.Module) and unwrapped(wrapper) is not wrapper:
            if isinstance(wrapper, nn.parallel.DistributedDataParallel):
                return unwrapped(wrapper) is self.models.get(model)
            inner = wrapper._modules.get("module") or wrapper._modules.get("_orig_mod")
            wrapper = inner
        return False
