"""Temporary until the real one lands."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def placed(device: str, note: Callable[[str, str], None]) -> Iterator[None]:
    yield
