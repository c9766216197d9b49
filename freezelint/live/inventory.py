"""Taking stock: which models there are, what user code calls them, and where every parameter stands."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from freezelint.evidence import Location, Model, Module, Norm, Role
from freezelint.live.ledger import Ledger
from freezelint.live.reading.names import Names
from freezelint.live.reading.places import is_user_code

_WRAPPERS = {"DataParallel", "DistributedDataParallel", "OptimizedModule", "FullyShardedDataParallel"}
_DROPPING = ("Dropout", "DropPath", "StochasticDepth")
_NORMALISING = ("LayerNorm", "GroupNorm", "RMSNorm")


@dataclass
class Causes:
    """Which event last put each module where it is, reset its statistics, or changed its settings."""

    assigned: weakref.WeakKeyDictionary[nn.Module, int]
    resets: weakref.WeakKeyDictionary[nn.Module, int]
    settings: weakref.WeakKeyDictionary[nn.Module, int]


class Tree:
    """One model: its root (held weakly), the name that user code gives it, and the path of each of its
    modules.
    """

    def __init__(self, index: int, root: nn.Module, name: str) -> None:
        self.index = index
        self.root = weakref.ref(root)
        self.name = name
        self.evidence: Model | None = None
        self.shape: list[int] = []


class Inventory:
    """The models of the run. A tree is described anew only when its modules have changed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.trees: list[Tree] = []
        self.places: weakref.WeakKeyDictionary[nn.Module, tuple[int, str]] = weakref.WeakKeyDictionary()
        self.given = False  # the models were handed to us: no need to look for others

    def give(self, model: nn.Module, name: str = "model") -> None:
        """Take this model as one whose name we are told."""
        self.given = True
        root = unwrapped(model)
        for tree in self.trees:
            if tree.root() is root:
                tree.name, tree.shape = name, []  # found before it was handed over: it is described anew
                return
        self._tree(root, name)

    def take(
        self,
        ran: Iterable[nn.Module],
        held: Iterable[torch.Tensor],
        causes: Causes,
    ) -> None:
        """Find the models behind the modules that ran and the parameters that optimizers hold; describe them
        all.
        """
        for root in self._roots(list(ran), list(held)):
            if all(tree.root() is not root for tree in self.trees):
                self._tree(root, variable_of(root) or type(root).__name__.lower())
        for tree in self.trees:
            self._describe(tree, causes)
        self._detach_orphans()

    def adopt_all(self) -> None:
        """Take every model there is: of a script that fails early, nothing has run and no optimizer holds
        anything.
        """
        if self.given or self.trees:
            return
        living = _living_modules()
        parents = _parents(living)
        for module in living:
            if id(module) not in parents and _has_state(module):
                self._tree(unwrapped(module), variable_of(module) or type(module).__name__.lower())

    def models(self) -> tuple[Model, ...]:
        return tuple(tree.evidence for tree in self.trees if tree.evidence is not None)

    def modules(self) -> Iterator[tuple[int, str, nn.Module]]:
        """Every living module with its place (model, path)."""
        for tree in self.trees:
            root = tree.root()
            if root is not None:
                yield from ((tree.index, path, module) for path, module in root.named_modules())

    def _tree(self, root: nn.Module, name: str) -> None:
        taken = {tree.name for tree in self.trees}
        unique = name if name not in taken else f"{name} ({type(root).__name__})"
        while unique in taken:
            unique += "'"
        self.trees.append(Tree(len(self.trees), root, unique))

    def _roots(self, ran: list[nn.Module], held: list[torch.Tensor]) -> list[nn.Module]:
        known = {id(module) for _, _, module in self.modules()}
        homeless = {id(p) for p in held} - {
            id(p) for tree in self.trees if (r := tree.root()) for p in r.parameters()
        }
        pending = [module for module in ran if id(module) not in known]
        if not pending and (not homeless or self.given):
            return []
        living = _living_modules()
        parents = _parents(living)
        pending += [
            m for m in living if any(id(p) in homeless for p in m._parameters.values() if p is not None)
        ]
        roots = {id(root): root for module in pending for root in _tops(module, parents, ran)}
        return [root for root in roots.values() if _has_state(root) and id(root) not in known]

    def _describe(
        self,
        tree: Tree,
        causes: Causes,
    ) -> None:
        root = tree.root()
        if root is None:
            return
        named = list(root.named_modules())
        shape = (
            [id(m) for _, m in named]
            + [id(p) for p in root.parameters()]
            + [causes.assigned.get(m, -1) for _, m in named]
        )
        if tree.evidence is not None and shape == tree.shape and not causes.resets and not causes.settings:
            return
        tree.shape = shape
        self._place_parameters(tree, root)
        overriding: set[str] = set()
        modules = []
        for path, module in named:
            self.places[module] = (tree.index, path)
            if overrides_train(module) or any(
                path.startswith(f"{outer}.") or not outer for outer in overriding
            ):
                overriding.add(path)
            modules.append(self._module(path, module, path in overriding, causes))
        ids = dict.fromkeys(p for module in modules for p in module.parameters)
        tree.evidence = Model(
            tree.index,
            tree.name,
            type(root).__name__,
            library_of(root),
            tuple(modules),
            tuple(ids),
            self._built(ids),
        )

    def _place_parameters(self, tree: Tree, root: nn.Module) -> None:
        paths: dict[int, list[str]] = {}
        for path, parameter in root.named_parameters(remove_duplicate=False):
            entry = self._ledger.entry(parameter)
            entry.describe(parameter)
            if entry.model is None or entry.model == tree.index:
                paths.setdefault(entry.id, []).append(path)
        for identity, found in paths.items():
            entry = self._ledger.entries[identity]
            entry.model, entry.paths, entry.attached = tree.index, tuple(found), True

    def _built(self, ids: Iterable[int]) -> Location | None:
        return next((entry.built for i in ids if (entry := self._ledger.entries[i]).built is not None), None)

    def _module(
        self,
        path: str,
        module: nn.Module,
        overrides: bool,
        causes: Causes,
    ) -> Module:
        own = tuple(self._ledger.entry(p).id for p in module._parameters.values() if p is not None)
        return Module(
            path=path,
            class_name=type(module).__name__,
            library=library_of(module),
            role=role_of(module),
            parameters=own,
            norm=norm_of(module, causes.resets.get(module), causes.settings.get(module)),
            dropout=dropout_of(module),
            overrides_train=overrides,
            assigned=causes.assigned.get(module),
        )

    def _detach_orphans(self) -> None:
        """Parameters that no living model holds any more keep their last path, but are marked as detached."""
        living = {
            id(p) for tree in self.trees if (root := tree.root()) is not None for p in root.parameters()
        }
        for entry in self._ledger.entries:
            tensor = entry.reference()
            entry.attached = tensor is not None and id(tensor) in living


def unwrapped(module: nn.Module) -> nn.Module:
    """The model inside DataParallel, DistributedDataParallel or a compiled module."""
    while type(module).__name__ in _WRAPPERS:
        inner = (
            module._modules.get("module")
            or module._modules.get("_orig_mod")
            or module._modules.get("_fsdp_wrapped_module")
        )
        if inner is None:
            break
        module = inner
    return module


def _living_modules() -> list[nn.Module]:
    found = [value for value in gc.get_objects() if issubclass(type(value), nn.Module)]
    return [module for module in found if "_modules" in vars(module)]


def _parents(living: Iterable[nn.Module]) -> dict[int, list[nn.Module]]:
    parents: dict[int, list[nn.Module]] = {}
    for module in living:
        for child in module._modules.values():
            if child is not None:
                parents.setdefault(id(child), []).append(module)
    return parents


def _tops(
    module: nn.Module, parents: dict[int, list[nn.Module]], ran: list[nn.Module]
) -> Iterator[nn.Module]:
    """The outermost modules around this one, preferring those that ran: a module can be a child of
    several.
    """
    running = {id(m) for m in ran}
    seen: set[int] = set()
    pending = [module]
    tops: list[nn.Module] = []
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        above = parents.get(id(current), [])
        pending.extend(above)
        if not above:
            tops.append(current)
    preferred = [top for top in tops if id(top) in running] or tops[:1]
    yield from (unwrapped(top) for top in preferred)


def _has_state(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None or any(
        isinstance(m, _NormBase) for m in module.modules()
    )


def variable_of(root: nn.Module) -> str:
    """The name by which user code knows this module: a local, an attribute of a local, or a global of a
    running function.
    """
    frame: Any = sys._getframe(1)
    while frame is not None:
        if is_user_code(frame):
            with Names(frame) as names:
                local = _name_in(names.locals(), root)
            if local:
                return local
        frame = frame.f_back
    return ""


def _name_in(variables: dict[str, Any], root: nn.Module) -> str:
    for name, value in list(variables.items()):
        if name == "self":  # what a method calls itself names nothing to its readers
            continue
        if value is root or (
            isinstance(value, nn.Module) and type(value).__name__ in _WRAPPERS and unwrapped(value) is root
        ):
            return name
    for name, value in list(variables.items()):
        if isinstance(value, dict) and not name.startswith("__"):
            key = next((key for key, held in list(value.items())[:200] if held is root), None)
            if isinstance(key, str):
                return f"{name}[{key!r}]"
        if (
            name.startswith("__")
            or isinstance(value, nn.Module)
            or not hasattr(value, "__dict__")
            or isinstance(value, type)
        ):
            continue
        for attribute, held in list(vars(value).items())[:200]:
            if held is root:
                return f"{name}.{attribute}"
    return ""


def library_of(module: nn.Module) -> str:
    """Top-level package of the class of a module."""
    return type(module).__module__.partition(".")[0]


def overrides_train(module: nn.Module) -> bool:
    """Whether the class of this module defines its own `train()`."""
    owner = next((cls for cls in type(module).__mro__ if "train" in vars(cls)), nn.Module)
    return owner is not nn.Module


def role_of(module: nn.Module) -> Role:
    name = type(module).__name__
    if isinstance(module, _NormBase) or any(word in name for word in _NORMALISING):
        return "norm"
    if isinstance(module, _DropoutNd) or any(word in name for word in _DROPPING):
        return "dropout"
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return "embedding"
    return (
        "container"
        if module._modules and not any(p is not None for p in module._parameters.values())
        else "plain"
    )


def norm_of(module: nn.Module, reset: int | None, set_by: int | None) -> Norm | None:
    """How a norm layer is set up. `batches_since_reset` is read only where a reset was seen: it costs a
    synchronisation.
    """
    if not isinstance(module, _NormBase):
        named = any(word in type(module).__name__ for word in _NORMALISING)
        return Norm(False, False, None, bool(module._parameters)) if named else None
    counter = module.num_batches_tracked
    counted = int(counter) if reset is not None and counter is not None and not counter.is_meta else None
    return Norm(
        has_statistics=module.running_mean is not None,
        tracks=bool(module.track_running_stats),
        momentum=module.momentum,
        affine=bool(module.affine),
        reset=reset,
        batches_since_reset=counted,
        set_by=set_by,
    )


def dropout_of(module: nn.Module) -> float | None:
    if role_of(module) != "dropout":
        return None
    rate = getattr(module, "p", getattr(module, "drop_prob", None))
    return float(rate) if isinstance(rate, (int, float)) else None
