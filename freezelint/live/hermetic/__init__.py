"""`--hermetic`: a script runs without network, data sets and downloaded weights, and trains as it would with
them.

`installed` puts stand-ins in front of everything that would download. Nothing heavy is imported for it: a
stand-in is put in place when the script itself imports the library concerned (see `imports`), and all of them
are taken out again at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from freezelint.evidence import Origin
from freezelint.live.hermetic import environment, network, standins
from freezelint.live.hermetic.errors import HermeticError
from freezelint.live.hermetic.session import Session
from freezelint.live.imports import ImportWatch

__all__ = ["HermeticError", "installed"]


@contextmanager
def installed(
    note: Callable[[str, str], None],
    mark: Callable[[Iterable[torch.Tensor], Origin], None],
    scratch: Path | None = None,
) -> Iterator[None]:
    """All stand-ins in place for the time of the context; they write below `scratch`, else below the system's
    folder for temporary files.

    `note(what, why)` is called once for each kind of substitution that really took place; `mark(parameters,
    origin)` for the parameters of every model that would have been loaded.
    """
    with ExitStack() as stack:
        session = Session(note, mark, scratch)
        stack.callback(session.close)
        stack.enter_context(environment.offline())
        network.refuse(session)
        stack.enter_context(ImportWatch(standins.discovered(session)))
        yield
