"""FRZ002 on traces made by hand."""

from __future__ import annotations

from freezelint.checks.tool.unreadable_source import check
from freezelint.evidence import Failure, Location, Trace


def test_silent_when_the_file_was_read() -> None:
    assert not list(check(Trace("source", "train.py")))


def test_silent_when_something_else_failed() -> None:
    """That is FRZ003."""
    assert not list(check(Trace("live", "train.py", failure=Failure("crash", "it fell"))))


def test_tells_what_python_stumbled_over() -> None:
    location = Location("train.py", 4, 9)
    failure = Failure("unreadable", "this is not valid Python 3.11: expected ':'", location)
    (fault,) = check(Trace("source", "train.py", failure=failure))
    assert fault.message == (
        "not checked: this is not valid Python 3.11: expected ':'; "
        "mend it, or leave the file out with `--exclude`"
    )
    assert fault.location == location


def test_tells_how_to_save_it() -> None:
    failure = Failure("unreadable", "byte 0xe9 is not UTF-8 text", advice="save it as UTF-8")
    (fault,) = check(Trace("source", "train.py", failure=failure))
    assert fault.message == "not checked: byte 0xe9 is not UTF-8 text; save it as UTF-8"
