"""Watching transformers load a model: which parameters came from the checkpoint, and which head is new."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from freezelint.live.imports import ImportWatch
from freezelint.live.ledger import Ledger
from freezelint.live.patching import Patches
from freezelint.live.watchers.loads import LoadWatcher


class HubWatcher:
    """Marks what `from_pretrained` loads, using the library's own account of what the checkpoint lacked."""

    def __init__(self, ledger: Ledger, loads: LoadWatcher) -> None:
        self._ledger = ledger
        self._loads = loads
        self._patches: Patches | None = None

    def install(self, patches: Patches) -> None:
        self._patches = patches
        imports = ImportWatch({"transformers.modeling_utils": [self._watch]})
        imports.__enter__()
        patches.afterwards(lambda: imports.__exit__(None, None, None))

    def _watch(self, module: ModuleType) -> None:
        watcher = self
        if self._patches is None or not hasattr(module, "PreTrainedModel"):
            return
        original = vars(module.PreTrainedModel)["from_pretrained"].__func__

        def from_pretrained(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
            asked = kwargs.pop("output_loading_info", False)
            model, info = original(cls, *args, output_loading_info=True, **kwargs)
            watcher._loaded(model, info)
            return (model, info) if asked else model

        self._patches.replace(module.PreTrainedModel, "from_pretrained", classmethod(from_pretrained))

    def _loaded(self, model: nn.Module, info: dict[str, Any]) -> None:
        absent = set(info.get("missing_keys", ()))
        # A mismatched key comes with both shapes.
        absent |= {key if isinstance(key, str) else key[0] for key in info.get("mismatched_keys", ())}
        named = dict(model.named_parameters(remove_duplicate=False))
        self._ledger.mark((p for name, p in named.items() if name in absent), "fresh")
        self._loads.loaded(p for name, p in named.items() if name not in absent)
