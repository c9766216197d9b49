"""Reading that complains of faults of the reader's own."""

from __future__ import annotations

from collections.abc import Iterable

from freezelint.evidence import Limit
from freezelint.finding import Finding
from freezelint.source.files.checking import check_text

# What a limit says where an exception of the reader's own was caught, or where a file was given up.
_FAULTS = ("freezelint could not follow it", "please report it", "it takes longer than")


def faults_of(limits: Iterable[Limit]) -> list[str]:
    """What these limits tell of faults of the reader's own."""
    return [limit.why for limit in limits if any(fault in limit.why for fault in _FAULTS)]


def read(text: str) -> tuple[Finding, ...]:
    """What is found in this text; it is a fault to come to no end."""
    checked, _ = check_text(text.encode("utf-8", "surrogatepass"), "train.py")
    assert faults_of(checked.limits) == [], text
    return checked.findings
