"""Watching what user code writes to parameters and modules: requires_grad, its misspellings, and weights set
by hand.
"""

from __future__ import annotations

import difflib
import linecache
import re
import sys
import weakref
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from freezelint.evidence import Location
from freezelint.live.journal import UNRECORDED, Journal
from freezelint.live.ledger import Ledger
from freezelint.live.patching import Patches
from freezelint.live.reading.intent import context_of
from freezelint.live.reading.names import Names
from freezelint.live.reading.places import (
    called_by_user,
    calling_library,
    is_user_code,
    user_frame,
    user_location,
)

_NORM_SETTINGS = ("momentum", "track_running_stats")
_MISSPELT = re.compile(r"grad", re.IGNORECASE)
# Calls of methods that write in place, as torch names them, and assignments such as `+=`.
_WRITES = re.compile(r"\b(\w+_)\s*\(|[-+*/]=")
_INITIALISERS = re.compile(
    r"(xavier|kaiming|trunc|log)_\w+_|(normal|uniform|zero|zeros|ones|fill|constant|orthogonal|eye|dirac|sparse)_"
)
_SCALES = re.compile(r"(mul|div|clamp|clip|requires_grad)_")
# Torch's own conversions (`.to()`, lazy layers) give a parameter the same values in another place.
_CONVERTING = ("torch.nn.modules.module", "torch.nn.parameter")


def misspells_requires_grad(name: str) -> bool:
    """Whether an attribute name can only be meant as `requires_grad`."""
    if name == "requires_grad" or not _MISSPELT.search(name):
        return False
    return difflib.SequenceMatcher(None, name.lower().strip("_"), "requires_grad").ratio() >= 0.85


class FlagWatcher:
    """Records freezes and unfreezes with the statement that made them, and freezes that nothing reads."""

    def __init__(self, ledger: Ledger, journal: Journal) -> None:
        self._ledger = ledger
        self._journal = journal
        self._receiver: nn.Module | None = None  # of the `Module.requires_grad_` that is running
        self.settings: weakref.WeakKeyDictionary[nn.Module, int] = weakref.WeakKeyDictionary()
        self.causes: dict[int, int] = {}  # parameter id -> event that last set its flag
        self.forced: dict[int, tuple[weakref.ref[torch.Tensor], int]] = {}  # id of a plain tensor -> event

    def install(self, patches: Patches) -> None:
        self._watch_tensors(patches)
        self._watch_modules(patches)

    def _watch_tensors(self, patches: Patches) -> None:
        watcher = self

        def set_attribute(tensor: torch.Tensor, name: str, value: Any, /) -> None:
            original_set(tensor, name, value)
            if name == "requires_grad" or "grad" in name[1:]:
                watcher._wrote(tensor, name, value)
            elif name == "data" and isinstance(tensor, nn.Parameter):
                watcher._set_by_library(tensor, sys._getframe(1))

        def requires_grad_(tensor: torch.Tensor, /, requires_grad: bool = True) -> torch.Tensor:
            changed: torch.Tensor = original_method(tensor, requires_grad)
            watcher._wrote(tensor, "requires_grad", requires_grad)
            return changed

        original_set = patches.replace(torch.Tensor, "__setattr__", set_attribute)
        original_method = patches.replace(torch.Tensor, "requires_grad_", requires_grad_)

    def _watch_modules(self, patches: Patches) -> None:
        watcher = self

        def set_attribute(module: nn.Module, /, name: str, value: Any) -> None:
            original(module, name, value)
            if "grad" in name and not isinstance(value, (torch.Tensor, nn.Module)):
                watcher._wrote_on_module(module, name, value)
            elif name in _NORM_SETTINGS and isinstance(module, _NormBase) and called_by_user():
                watcher._set_norm(module, name, value)

        def requires_grad_(module: nn.Module, /, requires_grad: bool = True) -> nn.Module:
            outer, watcher._receiver = watcher._receiver, watcher._receiver or module
            try:
                changed: nn.Module = original_method(module, requires_grad)
                return changed
            finally:
                watcher._receiver = outer

        original = patches.replace(nn.Module, "__setattr__", set_attribute)
        original_method = patches.replace(nn.Module, "requires_grad_", requires_grad_)

    def _wrote(self, tensor: torch.Tensor, name: str, value: Any) -> None:
        if not isinstance(tensor, nn.Parameter):
            if name == "requires_grad" and value and tensor.is_leaf and not _makes_parameter():
                self._forced(tensor)
            return
        if name == "requires_grad":
            self.flag(tensor, bool(value))
        elif name == "requires_grad_" or misspells_requires_grad(name):
            self._no_effect(name, value, parameter=tensor)

    def flag(self, parameter: nn.Parameter, value: bool) -> None:
        """The parameter was frozen or unfrozen, whether or not that changed anything."""
        frame = user_frame()
        location = user_location()
        record = self._journal.add("unfrozen" if value else "frozen", location)
        if not record.details and frame is not None:
            context = context_of(frame)
            record.details = {
                "value": str(value),
                "name": calling_library(),
                "patterns": context.patterns,
                "zipped": context.zipped,
                "says": context.says,
                "says_where": context.says_where,
                "only_writes": context.only_writes,
            }
        entry = self._ledger.entry(parameter)
        record.parameters[entry.id] = None
        if self._receiver is not None and not any(
            reference() is self._receiver for reference in record.receivers[-1:]
        ):
            record.receivers.append(weakref.ref(self._receiver))
        if record.index != UNRECORDED:
            self.causes[entry.id] = record.index

    def _set_by_library(self, parameter: nn.Parameter, caller: FrameType) -> None:
        """A library gives a parameter other values through `.data`: unless it only initialises, they may come
        from anywhere.
        """
        code = caller.f_code
        if is_user_code(caller) or caller.f_globals.get("__name__") in _CONVERTING:
            return
        entry = self._ledger.find(parameter)
        if entry is not None and not _only_initialises(linecache.getline(code.co_filename, caller.f_lineno)):
            entry.origin = "unknown"

    def _forced(self, tensor: torch.Tensor) -> None:
        location = user_location()
        if location is None:
            return
        record = self._journal.add("gradient-forced", location, value=str(tuple(tensor.shape)))
        identity = id(tensor)

        def forget(reference: weakref.ref[torch.Tensor]) -> None:
            if self.forced.get(identity, (None,))[0] is reference:
                del self.forced[identity]

        self.forced[identity] = (weakref.ref(tensor, forget), record.index)

    def forced_by(self, tensor: torch.Tensor) -> int | None:
        """The event that switched gradients on for a tensor that is no parameter."""
        found = self.forced.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def _wrote_on_module(self, module: nn.Module, name: str, value: Any) -> None:
        exact = name in ("requires_grad", "requires_grad_")
        frame = user_frame()
        if (
            not (exact or misspells_requires_grad(name))
            or frame is None
            or (hasattr(type(module), name) and name != "requires_grad_")
        ):
            return
        with Names(frame) as names:
            if names.holds_first(module):
                return  # `self.requires_grad = …` in the module's own method is its own setting
        self._no_effect(name, value, module=module)

    def _set_norm(self, module: nn.Module, name: str, value: Any) -> None:
        record = self._journal.add("norm-set", user_location(), key=name, name=name, value=str(value))
        record.receivers.append(weakref.ref(module))
        if record.index != UNRECORDED:
            self.settings[module] = record.index

    def _no_effect(
        self, name: str, value: Any, *, parameter: nn.Parameter | None = None, module: nn.Module | None = None
    ) -> None:
        location = user_location()
        if location is None:
            return
        record = self._journal.add("no-effect", location, key=name, name=name, value=str(value))
        if module is not None:
            record.receivers.append(weakref.ref(module))
            record.parameters.update(dict.fromkeys(self._ledger.ids(module.parameters())))
        if parameter is not None:
            record.parameters[self._ledger.entry(parameter).id] = None


def _makes_parameter() -> bool:
    """Whether torch is just making a tensor of a class other than its own a parameter."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("freezelint."):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") == nn.Parameter.__module__


def initialises(filename: str, location: Location) -> bool:
    """Whether the statement only initialises (random or constant values): it does not bring weights from
    elsewhere.
    """
    text = "".join(
        linecache.getline(filename, n) for n in range(location.line, (location.end_line or location.line) + 1)
    )
    return _only_initialises(text)


def _only_initialises(text: str) -> bool:
    """Whether something in these lines fills a tensor with initial values, and nothing writes others."""
    writes = [match[1] or "" for match in _WRITES.finditer(text)]
    initialisers = [name for name in writes if _INITIALISERS.fullmatch(name)]
    return bool(initialisers) and all(name in initialisers or _SCALES.fullmatch(name) for name in writes)
