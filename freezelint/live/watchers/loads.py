"""Watching where weights come from: constructed here (fresh), loaded (pretrained), or set by hand
(unknown).
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as registration

from freezelint.live.journal import UNRECORDED, Journal, Record
from freezelint.live.ledger import Ledger
from freezelint.live.patching import Patches
from freezelint.live.reading.names import Names
from freezelint.live.reading.places import is_user_code, user_location

# Functions that put a child or a parameter in place on behalf of their caller.
_REGISTERING = {
    *("__setitem__", "__setattr__", "set_attribute", "add_module", "register_module", "register_parameter"),
    *("set_submodule", "append", "insert", "extend", "update"),
}


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
        self._watch_files(patches)

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
            module: nn.Module, state_dict: Any, strict: bool = True, assign: bool = False
        ) -> Any:
            before = dict(module.named_parameters(remove_duplicate=False))
            result = original(module, state_dict, strict, assign)
            after = dict(module.named_parameters(remove_duplicate=False))
            loaded = [p for name, p in after.items() if name in state_dict]
            watcher.loaded(loaded)
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
        self._ledger.mark(tensors, "pretrained")
        if tensors:
            record = self._journal.add("loaded", user_location())
            record.parameters.update(dict.fromkeys(self._ledger.ids(tensors)))

    def _watch_copies(self, patches: Patches) -> None:
        """A deep copy has the origin of what it copies; weights copied in place by user code have none that
        we know.
        """
        watcher = self

        def deepcopy(parameter: nn.Parameter, memo: dict[int, Any]) -> Any:
            copied = original(parameter, memo)
            entry = watcher._ledger.find(parameter)
            if entry is not None and isinstance(copied, torch.Tensor):
                watcher._ledger.mark([copied], entry.origin)
            return copied

        def copy_(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            if isinstance(tensor, nn.Parameter) and is_user_code(sys._getframe(1)):
                watcher._ledger.entry(tensor).origin = "unknown"
            return original_copy(tensor, *args, **kwargs)  # type: ignore[no-any-return]

        def from_pretrained(embeddings: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            built = original_embedding(embeddings, *args, **kwargs)
            watcher.loaded(built.parameters())
            return built

        original = patches.replace(nn.Parameter, "__deepcopy__", deepcopy)
        original_copy = patches.replace(torch.Tensor, "copy_", copy_)
        original_embedding: Callable[..., Any] = patches.replace(
            nn.Embedding, "from_pretrained", staticmethod(from_pretrained)
        )

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
