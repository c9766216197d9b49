"""Refusal of downloads from the Hugging Face hub that no other stand-in answers, with a message that says
what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from freezelint.live.hermetic.errors import HermeticError
from freezelint.live.hermetic.session import Session

MODULES = ("huggingface_hub.constants", "huggingface_hub.file_download", "huggingface_hub._snapshot_download")


def install(module: ModuleType, session: Session) -> None:
    """The library's own refusal would blame the environment variable that the hermetic run set."""

    def refuse(_real: Callable[..., Any], repo_id: Any = None, *args: Any, **kwargs: Any) -> Any:
        file = kwargs.get("filename", args[0] if args else "everything")
        raise HermeticError(
            f"--hermetic does not download {file} of {repo_id or kwargs.get('repo_id')} from the hub: pass a "
            "local file or folder instead, or run freezelint without --hermetic"
        )

    # It may have been imported before the environment said so.
    if module.__name__ == "huggingface_hub.constants":
        session.set(module, "HF_HUB_OFFLINE", True)
    for name in ("hf_hub_download", "snapshot_download"):
        session.replace_everywhere("huggingface_hub", name, module, refuse)
