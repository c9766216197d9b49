"""Which torchvision model some stored weights belong to."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any


def weights_at(url: str) -> Any | None:
    """The torchvision weights stored at `url`, or at an older address of the same file; None where there are
    none.
    """
    try:
        from torchvision.models import get_model_weights, list_models
    except ImportError:
        return None
    known = [weights for name in list_models() for weights in get_model_weights(name)]
    # A file is re-uploaded under a new hash; what stays is the name before it.
    same_file = (weights for weights in known if _stem(weights.url) == _stem(url))
    return next((weights for weights in known if weights.url == url), next(same_file, None))


def builder_of(weights: Any) -> Any:
    """The function that builds the model for which `weights` are."""
    from torchvision.models import get_model_builder, get_model_weights, list_models

    return next(get_model_builder(name) for name in list_models() if get_model_weights(name) is type(weights))


def _stem(url: str) -> str:
    return re.sub(r"-[0-9a-f]{6,}$", "", PurePosixPath(url.split("?")[0]).stem)
