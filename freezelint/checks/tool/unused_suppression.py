"""FRZ001: a comment that suppresses findings, where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from freezelint.evidence import IdleSuppression, Trace
from freezelint.finding import Fault
from freezelint.wording import agree, listing


def check(trace: Trace) -> Iterator[Fault]:
    """One for each comment, with all of its codes that do nothing."""
    by_comment: dict[tuple[object, str], list[IdleSuppression]] = {}
    for idle in trace.idle_suppressions:
        by_comment.setdefault((idle.location, idle.comment), []).append(idle)
    for together in by_comment.values():
        codes = [idle.code for idle in together]
        yield Fault(_told(together), together[0].location, evidence={"codes": codes})


def _told(together: Sequence[IdleSuppression]) -> str:
    comment = together[0].comment
    unknown = [idle.code for idle in together if not idle.known]
    unused = [idle.code for idle in together if idle.known]
    told = []
    if unused:
        told.append(
            f"it suppresses nothing: {listing(unused)} {agree(len(unused), 'is', 'are')} not found here"
        )
    if unknown:
        told.append(f"there is no rule {listing(unknown)}")
    what = agree(len(together), "the code", "these codes")
    return f"`{comment}`: {'; '.join(told)}; remove {what}, or the comment if nothing else is in it"
