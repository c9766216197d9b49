"""Environment variables by which libraries learn that they are to stay offline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_EVALUATE_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # A tracker that cannot reach its server would ask for a login or write files beside the script.
    "WANDB_MODE": "disabled",
    "COMET_START_ONLINE": "0",
}


@contextmanager
def offline() -> Iterator[None]:
    """The variables set, and as they were afterwards."""
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(_OFFLINE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
