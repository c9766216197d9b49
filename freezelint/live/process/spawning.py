"""Processes that a script trains in: a single one runs here, where it is watched; others are told of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch.multiprocessing

from freezelint.live.patching import Patches

_SPAWN = "torch.multiprocessing.spawn"


@contextmanager
def one_process_runs_here(note: Callable[[str, str], None]) -> Iterator[None]:
    """Run what `torch.multiprocessing.spawn` would start as its only process in this one."""

    def spawn(
        fn: Callable[..., Any], args: Any = (), nprocs: int = 1, join: bool = True, *rest: Any, **named: Any
    ) -> Any:
        if nprocs == 1 and join:
            fn(0, *args)
            return None
        processes = "one process for each GPU, and there is none" if nprocs < 1 else f"{nprocs} processes"
        note(_SPAWN, f"the script starts {processes}; what they train is not watched, a single process is")
        return original(fn, args, nprocs, join, *rest, **named)

    patches = Patches()
    module: Any = torch.multiprocessing
    original = patches.replace(module, "spawn", wraps(module.spawn)(spawn))
    try:
        yield
    finally:
        patches.undo()
