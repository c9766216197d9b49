"""What a factory's model looks like, for `freezelint map`: built, and not trained."""

from __future__ import annotations

from typing import Any

from torch import nn

from freezelint.errors import BadInputError
from freezelint.evidence import Failure
from freezelint.freezing.summaries import summary
from freezelint.live.process import factory
from freezelint.live.stepping import optimizers_in

_WANTED = "it must return a model, or `(model, optimizer, step)`"


def rows_of(target: str, depth: int | None) -> dict[str, Any] | Failure:
    """Call the factory and sum up what it returned: the class of the model, and the rows of the summary. A
    failure where it cannot be called.
    """
    called = factory.call(target)
    if isinstance(called, Failure):
        return called
    _, returned = called
    model, optimizer = _model_and_optimizer(returned)
    if not isinstance(model, nn.Module):
        raise BadInputError(f"{target} returned {factory.told(returned)}; {_WANTED}")
    found = optimizers_in(optimizer) if optimizer is not None else []
    try:
        rows = summary(model, found[0] if found else None, depth=depth).rows
    except ValueError as error:
        raise BadInputError(f"{target}: {error}") from error
    return {"class_name": type(model).__name__, "rows": [vars(row) for row in rows]}


def _model_and_optimizer(returned: Any) -> tuple[Any, Any]:
    if isinstance(returned, nn.Module):
        return returned, None
    if isinstance(returned, (tuple, list)):
        return tuple([*returned, None, None][:2])
    return getattr(returned, "model", None), getattr(returned, "optimizer", None)
