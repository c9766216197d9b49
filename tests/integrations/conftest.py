"""What the tests of the integrations share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Lightning tells later libraries by variables that there are several processes."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def without() -> Callable[..., str]:
    """What importing a module says in a Python in which some libraries are not installed."""

    def said(module: str, *libraries: str) -> str:
        absent = "; ".join(f"sys.modules[{name!r}] = None" for name in libraries)
        probe = f"import sys; {absent}; import {module}"
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        return done.stderr.splitlines()[-1]

    return said
