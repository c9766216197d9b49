"""One hermetic run: what its stand-ins share, and how they take another function's place."""

from __future__ import annotations

import functools
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from freezelint.evidence import Origin
from freezelint.live.hermetic.snapshot import Snapshots
from freezelint.live.patching import Patches

StandIn = Callable[..., Any]


class Session:
    """The reports of one run, its scratch folder, and the replacements that are in force until `close`.

    A stand-in is called with the real function first, then with the arguments of the call (for methods
    beginning with `self` or `cls`). Code that keeps a reference to a stand-in beyond the run gets the real
    behaviour from it.
    """

    def __init__(
        self,
        note: Callable[[str, str], None],
        mark: Callable[[Iterable[torch.Tensor], Origin], None],
        scratch: Path | None = None,
    ) -> None:
        self.mark = mark
        self._scratch = scratch
        self._note = note
        self._noted: set[str] = set()
        self._patches = Patches()
        self._active = True
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def note(self, what: str, why: str) -> None:
        """Report a substitution, the first time that it happens."""
        if what not in self._noted:
            self._noted.add(what)
            self._note(what, why)

    @cached_property
    def folder(self) -> Path:
        """A folder for files that stand in for downloaded ones; it is gone after the run."""
        self._folder = tempfile.TemporaryDirectory(prefix="freezelint-hermetic-", dir=self._scratch)
        return Path(self._folder.name)

    @cached_property
    def snapshots(self) -> Snapshots:
        """The model repositories that this run made up."""
        return Snapshots(self.folder)

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Give `owner.name` another value until the end of the run."""
        self._patches.replace(owner, name, value)

    def replace(self, owner: Any, name: str, stand_in: StandIn) -> None:
        """Put `stand_in` in the place of the function, method or class method `owner.name`; nothing where
        there is none.
        """
        if not hasattr(owner, name):
            return
        held = vars(owner).get(name, getattr(owner, name))
        if isinstance(held, classmethod):
            self.set(owner, name, classmethod(self._standing_in(held.__func__, stand_in)))
        else:
            self.set(owner, name, self._standing_in(held, stand_in))

    def replace_everywhere(self, package: str, name: str, owner: Any, stand_in: StandIn) -> None:
        """Like `replace`, also in modules of `package` that have imported the function by name already."""
        real = getattr(owner, name, None)
        self.replace(owner, name, stand_in)
        for module_name, module in list(sys.modules.items()):
            if module_name.split(".")[0] == package and vars(module).get(name) is real is not None:
                self.set(module, name, getattr(owner, name))

    def close(self) -> None:
        """Take every replacement out again."""
        self._active = False
        self._patches.undo()
        if self._folder is not None:
            self._folder.cleanup()

    def _standing_in(self, real: Callable[..., Any], stand_in: StandIn) -> Callable[..., Any]:
        @functools.wraps(real)
        def standing_in(*args: Any, **kwargs: Any) -> Any:
            if not self._active:
                return real(*args, **kwargs)
            return stand_in(real, *args, **kwargs)

        return standing_in
