"""Stand-in for torchvision's stored weights: the random ones with which the model was just built."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

from torch import nn

from freezelint.live.hermetic import vision
from freezelint.live.hermetic.session import Session

MODULES = ("torchvision.models._api",)


def install(module: ModuleType, session: Session) -> None:
    """All loading of weights in torchvision goes through `WeightsEnum.get_state_dict`, called by the function
    that builds the model.

    The number of classes is read from the weights' own description, as in reality. `asked` collects what
    builders handed out, for a script that asks for a state dict itself: it gets that of a model built with
    these weights, as it was before the builder dropped the parts that it does not keep (the auxiliary heads
    of GoogLeNet).
    """
    asked: list[dict[str, Any]] = []

    def get_state_dict(
        _real: Callable[..., Any], weights: Any, *_args: Any, **_kwargs: Any
    ) -> dict[str, Any]:
        session.note("torchvision weights", "random weights, counted as pretrained, instead of a download")
        model = _under_construction(sys._getframe(2))
        if model is None:
            vision.builder_of(weights)(weights=weights)
            return asked.pop()
        session.mark(model.parameters(), "pretrained")
        state_dict: dict[str, Any] = model.state_dict()
        asked[:] = [state_dict]
        return state_dict

    session.replace(module.WeightsEnum, "get_state_dict", get_state_dict)


def _under_construction(caller: FrameType) -> nn.Module | None:
    if not str(caller.f_globals.get("__name__")).startswith("torchvision.models."):
        return None
    model = caller.f_locals.get("model")
    return model if isinstance(model, nn.Module) else None
