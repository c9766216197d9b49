"""Watching `train()` and `eval()`: which statement last set the mode of each module."""

from __future__ import annotations

import weakref

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from freezelint.live.journal import UNRECORDED, Journal
from freezelint.live.patching import Patches
from freezelint.live.reading.places import called_by_user, calling_library, user_location


class ModeWatcher:
    """Records mode changes. A call on a parent is one event, however many children it reaches."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._causes: weakref.WeakKeyDictionary[nn.Module, tuple[bool, int]] = weakref.WeakKeyDictionary()
        self._event: int | None = None
        self.resets: weakref.WeakKeyDictionary[nn.Module, int] = weakref.WeakKeyDictionary()

    def install(self, patches: Patches) -> None:
        self._watch_modes(patches)
        self._watch_resets(patches)

    def _watch_modes(self, patches: Patches) -> None:
        watcher = self

        def train(module: nn.Module, /, mode: bool = True) -> nn.Module:
            outermost = watcher._event is None
            if outermost:
                watcher._event = watcher._record(module, bool(mode))
            if watcher._event != UNRECORDED and watcher._event is not None:
                watcher._causes[module] = (bool(mode), watcher._event)
            try:
                changed: nn.Module = original(module, mode)
                return changed
            finally:
                if outermost:
                    watcher._event = None

        original = patches.replace(nn.Module, "train", train)

    def _record(self, module: nn.Module, mode: bool) -> int:
        frozen = [not parameter.requires_grad for parameter in module.parameters()]
        wholly = bool(frozen) and all(frozen)
        library = calling_library()
        record = self._journal.add(
            "to-train" if mode else "to-eval",
            user_location(),
            key=library,
            name=library,
            wholly_frozen=wholly,
        )
        record.details["wholly_frozen"] = wholly and record.details["wholly_frozen"]
        if not any(reference() is module for reference in record.receivers):
            record.receivers.append(weakref.ref(module))
        return record.index

    def cause(self, module: nn.Module) -> int | None:
        """The event that set the mode that the module is in; None where it was set in another way, or
        never.
        """
        mode, event = self._causes.get(module, (None, None))
        return event if mode is module.training else None

    def _watch_resets(self, patches: Patches) -> None:
        watcher = self

        def reset(module: _NormBase) -> None:
            original(module)
            # The layer's own constructor resets too; only the user's call is an event.
            if called_by_user():
                record = watcher._journal.add("statistics-reset", user_location())
                record.receivers.append(weakref.ref(module))
                if record.index != UNRECORDED:
                    watcher.resets[module] = record.index

        original = patches.replace(_NormBase, "reset_running_stats", reset)
