"""Programs put together at random: they are read without a fault, and twice the same."""

from __future__ import annotations

from hypothesis import given, settings

from tests.source.robustness.programs import PROGRAMS
from tests.source.robustness.reading import read


@settings(max_examples=150, deadline=None, derandomize=True)
@given(PROGRAMS)
def test_a_generated_program_is_read_and_always_alike(text: str) -> None:
    assert read(text) == read(text)
