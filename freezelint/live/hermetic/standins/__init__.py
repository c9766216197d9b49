"""The stand-ins, one file for each module of another library that they concern.

Such a file names these modules in `MODULES` and has `install(module, session)`, called when the script
imports it. A new file is found without being named anywhere.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from functools import partial

from freezelint.live.hermetic.session import Session
from freezelint.live.imports import OnImport


def discovered(session: Session) -> dict[str, list[OnImport]]:
    """What to do on the import of which module."""
    on_import: dict[str, list[OnImport]] = defaultdict(list)
    for info in pkgutil.iter_modules(__path__):
        stand_in = importlib.import_module(f"{__name__}.{info.name}")
        for name in stand_in.MODULES:
            on_import[name].append(partial(stand_in.install, session=session))
    return on_import
