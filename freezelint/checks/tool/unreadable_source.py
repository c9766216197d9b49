"""FRZ002: a file could not be read as Python."""

from __future__ import annotations

from collections.abc import Iterator

from freezelint.evidence import Trace
from freezelint.finding import Fault

_ADVICE = "mend it, or leave the file out with `--exclude`"


def check(trace: Trace) -> Iterator[Fault]:
    """One for each file: nothing that the other rules look for is known of it."""
    failure = trace.failure
    if failure is None or failure.kind != "unreadable":
        return
    what = " ".join(failure.message.split()).rstrip(".") or "the file is no Python source"
    yield Fault(
        f"not checked: {what}; {failure.advice.rstrip('.') or _ADVICE}",
        failure.location,
        evidence={"kind": failure.kind},
    )
