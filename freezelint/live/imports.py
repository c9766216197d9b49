"""Acting on a module in the moment in which the script imports it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType, TracebackType
from typing import Any

OnImport = Callable[[ModuleType], None]


class ImportWatch(MetaPathFinder):
    """Calls back when one of the named modules is executed, and at once for those that are there already."""

    def __init__(self, on_import: Mapping[str, Sequence[OnImport]]) -> None:
        self._on_import = on_import
        self._searching: set[str] = set()

    def __enter__(self) -> ImportWatch:
        for name, callbacks in self._on_import.items():
            if name in sys.modules:
                for callback in callbacks:
                    callback(sys.modules[name])
        sys.meta_path.insert(0, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.meta_path.remove(self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 (the signature is the import system's)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """What the other finders find, with a loader that calls back."""
        if fullname not in self._on_import or fullname in self._searching:
            return None
        self._searching.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _CallingBack(spec.loader, self._on_import[fullname])
        return spec


class _CallingBack(Loader):
    """Another loader, followed by the callbacks. It steps aside before the module's code sees it."""

    def __init__(self, loader: Loader, callbacks: Sequence[OnImport]) -> None:
        self._loader = loader
        self._callbacks = callbacks

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        for callback in self._callbacks:
            callback(sys.modules.get(module.__name__, module))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
