"""freezelint finds, explains and mends parameter-freezing bugs in PyTorch transfer learning.

From inside a program: `freezelint.watch(model, optimizer)` and `freezelint.audit(model, optimizer, step)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freezelint.live.api import FindingsError, Report, audit, watch

__version__ = "0.1.0"
__all__ = ["FindingsError", "Report", "audit", "watch"]


def __getattr__(name: str) -> Any:
    """The live audit needs torch, and importing freezelint must not: it is loaded when it is first
    asked for.
    """
    if name not in __all__:
        raise AttributeError(f"module 'freezelint' has no attribute {name!r}")
    from freezelint.live import api

    return getattr(api, name)
