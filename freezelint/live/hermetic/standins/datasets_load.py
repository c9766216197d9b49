"""Stand-in for `datasets.load_dataset` of the most used names; files and folders of the script's own are
loaded for real.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from freezelint.live.hermetic import rows
from freezelint.live.hermetic.errors import HermeticError
from freezelint.live.hermetic.row_catalogue import TABLES, Table
from freezelint.live.hermetic.session import Session

MODULES = ("datasets.load",)

_READERS = {
    *("csv", "json", "text", "parquet", "arrow", "pandas", "sql", "xml", "generator"),
    *("imagefolder", "audiofolder", "videofolder", "webdataset"),
}


def install(module: ModuleType, session: Session) -> None:
    """A real `Dataset` or `DatasetDict`: whatever a script does with it is then the library's own code."""

    def load_dataset(
        real: Callable[..., Any], path: str, name: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        bare = str(path).rstrip("/").rsplit("/", 1)[-1].lower()
        if bare in _READERS or Path(path).exists():
            return real(path, name, *args, **kwargs)
        table = _table(str(path), bare, name)
        session.note(
            f"datasets {path}", "made-up rows with the real columns and labels instead of a download"
        )
        return _loaded(table, kwargs.get("split"), bool(kwargs.get("streaming")))

    session.replace_everywhere("datasets", "load_dataset", module, load_dataset)


def _table(path: str, bare: str, name: str | None) -> Table:
    configurations = TABLES.get(path.lower(), TABLES.get(bare))
    if configurations is None:
        raise HermeticError(
            f"--hermetic has no made-up rows for the data set {path!r}: save the data locally and load it "
            "with load_dataset('json', data_files=...), or run freezelint without --hermetic"
        )
    # A data set with one configuration accepts any name for it, such as a version.
    chosen = configurations.get(name or "", configurations.get(""))
    if chosen is not None:
        return chosen
    raise ValueError(
        f"Config name is missing. Please pick one among the available configs: {list(configurations)}"
    )


def _loaded(table: Table, split: Any, streaming: bool) -> Any:
    import datasets

    if isinstance(split, (list, tuple)):
        return [_loaded(table, part, streaming) for part in split]
    if split is not None:
        chosen = rows.selected(table, str(split))
        return chosen.to_iterable_dataset() if streaming else chosen
    parts = {part: rows.dataset(table, part) for part in table.splits}
    if streaming:
        return datasets.IterableDatasetDict(
            {part: rows_.to_iterable_dataset() for part, rows_ in parts.items()}
        )
    return datasets.DatasetDict(parts)
