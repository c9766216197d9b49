"""Answers about a trace that several checks, or many steps, ask for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from freezelint.evidence import Trace

_Answer = TypeVar("_Answer")


def once_a_trace(function: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """Work a fact out once for a trace and the other (hashable) arguments. The answer lives with the
    trace.
    """

    @wraps(function)
    def remembered(trace: Trace, *arguments: Any) -> _Answer:
        known: dict[Any, _Answer] = vars(trace).setdefault("_remembered", {})
        key = (function, arguments)
        if key not in known:
            known[key] = function(trace, *arguments)
        return known[key]

    return remembered
