"""Stand-ins for `torch.hub` and `torch.utils.model_zoo`: weights by address, and models by repository."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from freezelint.live.hermetic.errors import HermeticError
from freezelint.live.hermetic.session import Session

MODULES = ("torch.hub", "torch.utils.model_zoo")

_ABOUT_THE_DOWNLOAD = ("source", "trust_repo", "force_reload", "verbose", "skip_validation", "calling_fn")
_TIMM_REPOSITORIES = (
    "rwightman/pytorch-image-models",
    "huggingface/pytorch-image-models",
    "facebookresearch/deit",
)


def install(module: ModuleType, session: Session) -> None:
    """Answer with random weights where the architecture is known, refuse where it is not."""

    def state_dict_from(_real: Callable[..., Any], url: str, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        return _state_dict_from(url)

    def load(real: Callable[..., Any], repo_or_dir: str, model: str, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("source") == "local":
            return real(repo_or_dir, model, *args, **kwargs)
        kept = {name: value for name, value in kwargs.items() if name not in _ABOUT_THE_DOWNLOAD}
        return _model_from(str(repo_or_dir), model, args, kept)

    def refuse(_real: Callable[..., Any], url: str, *_args: Any, **_kwargs: Any) -> None:
        raise HermeticError(
            f"--hermetic does not download {url}: store the file locally, or run freezelint without it"
        )

    session.replace(module, "load_state_dict_from_url", state_dict_from)
    session.replace(module, "load_url", state_dict_from)
    session.replace(module, "download_url_to_file", refuse)
    if module.__name__ == "torch.hub":
        session.replace(module, "load", load)


def _state_dict_from(url: str) -> dict[str, Any]:
    from freezelint.live.hermetic import vision

    weights = vision.weights_at(url)
    if weights is None:
        raise HermeticError(
            f"--hermetic cannot replace the weights at {url}, because it does not know which model they "
            "belong to: build the model without them, load a local file, or run freezelint without --hermetic"
        )
    state_dict: dict[str, Any] = weights.get_state_dict()
    return state_dict


def _model_from(repository: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    bare = repository.split(":")[0]
    if bare == "pytorch/vision":
        from torchvision import models

        if name in ("get_model_weights", "get_weight"):
            return getattr(models, name)(*args, **kwargs)
        return models.get_model_builder(name)(*args, **kwargs)
    if bare in _TIMM_REPOSITORIES:
        import timm

        return timm.create_model(name, *args, **kwargs)
    raise HermeticError(
        f"--hermetic cannot replace {name} of torch.hub's {repository}: take the model from a local clone "
        "(source='local') with pretrained=False, or run freezelint without --hermetic"
    )
