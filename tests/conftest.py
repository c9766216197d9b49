"""What all tests share."""

from __future__ import annotations

import os

import pytest

# Before torch is imported, here and in the processes that the tests start: thread pools that fight for a few
# cores take ten times as
# long as one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a GPU there is nothing to learn from the tests that need one: they are left out, and counted as
    such.
    """
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        config.hook.pytest_deselected(items=marked)
        items[:] = [item for item in items if item not in marked]
