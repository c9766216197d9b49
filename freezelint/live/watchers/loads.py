"""Watching where weights come from: constructed here (fresh), loaded (pretrained), or set by hand
(unknown).
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as registration

from freezelint.live.journal import UNRECORDED, Journal, Record
from freezelint.live.ledger import Ledger
from freezelint.live.patching import Patches
from freezelint.live.reading.names import Names
from freezelint.live.reading.places import called_by_user, is_user_code, user_location

# Functions that put a child or a parameter in place on behalf of their caller.
_REGISTERING = {
    *("__setitem__", "__setattr__", "set_attribute", "add_module", "register_module", "register_parameter"),
    *("set_submodule", "append", "insert", "extend", "update"),
}
# Methods with which libraries initialise: without another tensor they bring no weights from elsewhere.
_FILLS = ("normal_", "uniform_", "zero_", "fill_", "erfinv_", "clamp_", "mul_", "div_", "add_")
# Functions of torch's that initialise by other means; the first is called by name whoever imported its front.
_INITIALISERS = ("_no_grad_trunc_normal_", "orthogonal_", "eye_", "dirac_", "sparse_")


class LoadWatcher:
    """Records construction, replacement and loading of parameters."""

    def __init__(self, ledger: Ledger, journal: Journal) -> None:
        self._ledger = ledger
        self._journal = journal
        # (child or parameter that was put in place) -> event, with the parent and the attribute for its path
        self.assigned: weakref.WeakKeyDictionary[nn.Module, int] = weakref.WeakKeyDictionary()
        self.places: dict[int, tuple[weakref.ref[nn.Module], str]] = {}

    def install(self, patches: Patches) -> None:
        for handle in (
            registration.register_module_parameter_registration_hook(self._parameter_registered),
            registration.register_module_module_registration_hook(self._module_registered),
        ):
            patches.afterwards(handle.remove)
        self._watch_state_dicts(patches)
        self._watch_copies(patches)
        self._watch_embeddings(patches)
        self._watch_swaps(patches)
        self._watch_files(patches)
        for name in _FILLS:
            self._watch_initialiser(patches, torch.Tensor, name)
        for name in _INITIALISERS:
            self._watch_initialiser(patches, nn.init, name)

    def _watch_initialiser(self, patches: Patches, owner: type | ModuleType, name: str) -> None:
        """What this function writes to its first argument are initial values."""
        ledger = self._ledger

        def initialise(*args: Any, **kwargs: Any) -> Any:
            if ledger.settled:
                return original(*args, **kwargs)
            tensor: Any = args[0] if args else kwargs.get("tensor")
            entry = ledger.find_behind(tensor) if isinstance(tensor, torch.Tensor) else None
            if entry is None or entry.settled:
                return original(*args, **kwargs)
            others = (*args[1:], *kwargs.values())
            if any(isinstance(other, torch.Tensor) and other is not tensor for other in others):
                return original(*args, **kwargs)
            with entry.initialising(tensor):
                return original(*args, **kwargs)

        original = patches.replace(owner, name, initialise)

    def _parameter_registered(self, module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is None:
            return
        known = self._ledger.find(parameter) is not None
        entry = self._ledger.entry(parameter)
        by_user = _user_assigns()
        if not known:
            entry.built = user_location()
            # A layer of a library initialises its own weights; what user code hands over may come from
            # anywhere.
            entry.origin = "unknown" if by_user else "fresh"
        if by_user and module._parameters.get(name) is not None and not _constructs(module):
            self._put(module, name, parameters=(parameter,))

    def _module_registered(self, module: nn.Module, name: str, child: nn.Module | None) -> None:
        if child is not None and _user_assigns() and not _constructs(module):
            record = self._put(module, name, parameters=child.parameters())
            record.receivers.append(weakref.ref(child))
            if record.index != UNRECORDED:
                self.assigned[child] = record.index

    def _put(self, parent: nn.Module, name: str, parameters: Iterable[nn.Parameter]) -> Record:
        existed = parent._modules.get(name) is not None or parent._parameters.get(name) is not None
        record = self._journal.add(
            "replaced", user_location(), name=name, value="exchanged" if existed else "added"
        )
        record.parameters.update(dict.fromkeys(self._ledger.ids(parameters)))
        if record.index != UNRECORDED:
            self.places[record.index] = (weakref.ref(parent), name)
        return record

    def _watch_state_dicts(self, patches: Patches) -> None:
        watcher = self

        def load_state_dict(
            module: nn.Module, /, state_dict: Any, strict: bool = True, assign: bool = False
        ) -> Any:
            before = dict(module.named_parameters(remove_duplicate=False))
            result = original(module, state_dict, strict, assign)
            after = dict(module.named_parameters(remove_duplicate=False))
            # Torch's own account: hooks may rename what is in the dictionary.
            absent = set(result.missing_keys)
            watcher.loaded(p for name, p in after.items() if name not in absent)
            swapped = [p for name, p in after.items() if before.get(name) is not p]
            if swapped:
                record = watcher._journal.add("replaced", user_location(), name="", value="assigned")
                record.parameters.update(dict.fromkeys(watcher._ledger.ids(swapped)))
                if record.index != UNRECORDED:
                    watcher.places[record.index] = (weakref.ref(module), "")
            return result

        original = patches.replace(nn.Module, "load_state_dict", load_state_dict)

    def loaded(self, parameters: Iterable[torch.Tensor]) -> None:
        """These parameters have received stored weights."""
        tensors = list(parameters)
        # The best weights of a training, restored when it is over, tell nothing of how it began.
        self._ledger.mark((t for t in tensors if not self._ledger.entry(t).trained), "pretrained")
        if tensors:
            record = self._journal.add("loaded", user_location())
            record.parameters.update(dict.fromkeys(self._ledger.ids(tensors)))

    def _watch_copies(self, patches: Patches) -> None:
        """A deep copy has the origin of what it copies; weights copied in place by user code have none that
        we know.
        """
        watcher = self

        def deepcopy(parameter: nn.Parameter, /, memo: dict[int, Any]) -> Any:
            copied = original(parameter, memo)
            entry = watcher._ledger.find(parameter)
            if entry is not None and isinstance(copied, torch.Tensor):
                watcher._ledger.mark([copied], entry.origin)
            return copied

        def copy_(tensor: torch.Tensor, /, *args: Any, **kwargs: Any) -> torch.Tensor:
            if isinstance(tensor, nn.Parameter) and called_by_user():
                watcher._ledger.entry(tensor).origin = "unknown"
            return original_copy(tensor, *args, **kwargs)  # type: ignore[no-any-return]

        original = patches.replace(nn.Parameter, "__deepcopy__", deepcopy)
        original_copy = patches.replace(torch.Tensor, "copy_", copy_)

    def _watch_embeddings(self, patches: Patches) -> None:
        for layer in (nn.Embedding, nn.EmbeddingBag):
            original = vars(layer)["from_pretrained"].__func__
            patches.replace(layer, "from_pretrained", classmethod(self._embedding(original)))

    def _embedding(self, original: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        def from_pretrained(cls: type, /, *args: Any, **kwargs: Any) -> nn.Module:
            built = original(cls, *args, **kwargs)
            self.loaded(built.parameters())
            return built

        return from_pretrained

    def _watch_swaps(self, patches: Patches) -> None:
        """Torch converts parameters of some classes by swapping them with what they are converted to."""
        watcher = self

        def swap_tensors(t1: torch.Tensor, t2: torch.Tensor) -> None:
            with watcher._ledger.released((t1, t2), same_values=not called_by_user()):
                original(t1, t2)

        original = patches.replace(torch.utils, "swap_tensors", swap_tensors)

    def _watch_files(self, patches: Patches) -> None:
        watcher = self

        def load(*args: Any, **kwargs: Any) -> Any:
            loaded = original(*args, **kwargs)
            for value in loaded.values() if isinstance(loaded, dict) else [loaded]:
                if isinstance(value, nn.Module):
                    watcher.loaded(value.parameters())
            return loaded

        original = patches.replace(torch, "load", load)


def _user_assigns() -> bool:
    """Whether user code puts a child in place: directly, or through a method of a container or of Module."""
    frame: Any = sys._getframe(2)
    while frame is not None and not is_user_code(frame):
        if frame.f_code.co_name not in _REGISTERING:
            return False
        frame = frame.f_back
    return frame is not None


def _constructs(module: nn.Module) -> bool:
    """Whether the module is just being constructed: some caller is its own `__init__`."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "__init__":
            with Names(frame) as names:
                if names.holds_first(module):
                    return True
        frame = frame.f_back
    return False
