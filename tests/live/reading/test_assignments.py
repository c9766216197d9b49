"""Where a value that a running function holds was assigned."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from freezelint.live.reading.assignments import assigned_at
from tests.live.observing import line_of


def here() -> FrameType:
    return sys._getframe(1)


def test_the_last_assignment_above_the_running_line() -> None:
    value = object()
    other = value  # this one
    location = assigned_at(here(), other)
    assert line_of(location) == "other = value  # this one"
    assert location is not None
    assert location.function == "test_the_last_assignment_above_the_running_line"


def test_an_assignment_below_the_running_line_has_not_happened() -> None:
    value = object()  # this one
    location = assigned_at(here(), value)
    value = value
    assert line_of(location) == "value = object()  # this one"


def test_one_of_several_targets() -> None:
    first, second = object(), object()  # both
    assert first is not second
    assert line_of(assigned_at(here(), second)) == "first, second = object(), object()  # both"


def test_nothing_is_told_about_a_value_that_no_variable_holds() -> None:
    assert assigned_at(here(), object()) is None


def test_nothing_is_told_where_there_is_no_source() -> None:
    space: dict[str, Any] = {"assigned_at": assigned_at, "sys": sys, "found": 0}
    exec("value = object()\nfound = assigned_at(sys._getframe(), value)", space)
    assert space["found"] is None
