"""Stand-in for the files that transformers fetches from the hub: configurations, tokenizers, preprocessing.

They come from a local folder of the same make, so that everything beyond the download is the library's own
code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from freezelint.live.hermetic.session import Session

MODULES = ("transformers.utils.hub",)


def install(module: ModuleType, session: Session) -> None:
    """All fetching goes through `cached_file(s)`, which many modules import by name."""

    def fetch(real: Callable[..., Any], path_or_repo_id: Any, *args: Any, **kwargs: Any) -> Any:
        name = str(path_or_repo_id)
        if is_local(name) or kwargs.get("repo_type") not in (None, "model"):
            return real(path_or_repo_id, *args, **kwargs)
        folder = session.snapshots.folder(name)
        session.note(
            "transformers configurations, tokenizers and processors",
            "made up with the real sizes and special tokens, text split into letters, instead of a download",
        )
        return real(str(folder), *args, **kwargs)

    def unresolved(_real: Callable[..., Any], _name: Any, revision: Any = None, **_kwargs: Any) -> Any:
        return revision

    def absent(_real: Callable[..., Any], *_args: Any, **_kwargs: Any) -> list[str]:
        return []

    for name, stand_in in (
        ("cached_file", fetch),
        ("cached_files", fetch),
        ("resolve_revision", unresolved),
        ("list_repo_templates", absent),
    ):
        session.replace_everywhere("transformers", name, module, stand_in)


def is_local(name: str) -> bool:
    """Whether the script means a file or folder, be it there or not."""
    path = Path(name)
    return path.exists() or path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1
