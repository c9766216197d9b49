"""Stand-in for timm's stored weights: the random ones with which the model was just built."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from torch import nn

from freezelint.live.hermetic.session import Session

MODULES = ("timm.models._builder",)

_FROM_ELSEWHERE = ("url", "hf-hub")


def install(module: ModuleType, session: Session) -> None:
    """Files and state dicts that the script brings itself are loaded for real; so is the complaint that a
    model has no weights.
    """

    def load_pretrained(
        real: Callable[..., Any],
        model: nn.Module,
        pretrained_cfg: Any = None,
        num_classes: int = 1000,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        cfg = pretrained_cfg or getattr(model, "pretrained_cfg", None)
        if not cfg or module._resolve_pretrained_source(cfg)[0] not in _FROM_ELSEWHERE:
            real(model, pretrained_cfg, num_classes, *args, **kwargs)
            return
        session.note("timm weights", "random weights, counted as pretrained, instead of a download")
        session.mark(model.parameters(), "pretrained")
        # timm leaves the classifier out when the number of classes is not that of the stored weights.
        if num_classes != cfg.get("num_classes"):
            classifiers = cfg.get("classifier") or ()
            for name in (classifiers,) if isinstance(classifiers, str) else classifiers:
                named = (
                    parameter for path, parameter in model.named_parameters() if path.startswith(f"{name}.")
                )
                session.mark(list(named), "fresh")

    session.replace(module, "load_pretrained", load_pretrained)
