"""FRZ001 on traces made by hand. Which comments are idle is decided in `freezelint.suppression.applying`."""

from __future__ import annotations

from freezelint.checks.tool.unused_suppression import check
from freezelint.evidence import IdleSuppression, Location, Trace

HERE = Location("train.py", 3, 8, 3, 22)


def trace(*idle: IdleSuppression) -> Trace:
    return Trace("source", "train.py", idle_suppressions=idle)


def test_silent_where_no_comment_is_idle() -> None:
    assert not list(check(trace()))


def test_a_comment_that_suppresses_nothing() -> None:
    (fault,) = check(trace(IdleSuppression(HERE, "# noqa: FRZ101", "FRZ101")))
    assert fault.location == HERE
    assert fault.message == (
        "`# noqa: FRZ101`: it suppresses nothing: `FRZ101` is not found here; "
        "remove the code, or the comment if nothing else is in it"
    )


def test_all_codes_of_a_comment_are_one_fault() -> None:
    comment = "# noqa: FRZ101, FRZ102, FRZ999"
    codes = [("FRZ101", True), ("FRZ102", True), ("FRZ999", False)]
    (fault,) = check(trace(*(IdleSuppression(HERE, comment, code, known) for code, known in codes)))
    assert fault.message == (
        f"`{comment}`: it suppresses nothing: `FRZ101` and `FRZ102` are not found here; "
        "there is no rule `FRZ999`; remove these codes, or the comment if nothing else is in it"
    )
    assert fault.evidence == {"codes": ["FRZ101", "FRZ102", "FRZ999"]}


def test_two_comments_are_two_faults() -> None:
    other = Location("train.py", 9)
    idle = [IdleSuppression(where, "# noqa: FRZ101", "FRZ101") for where in (HERE, other)]
    assert [fault.location for fault in check(trace(*idle))] == [HERE, other]
