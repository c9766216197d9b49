"""The journal: what one statement does in a loop is one event."""

from __future__ import annotations

import pytest

from freezelint.evidence import Location
from freezelint.live import journal as journal_module
from freezelint.live.journal import UNRECORDED, Journal

HERE, THERE = Location("train.py", 3), Location("train.py", 9)


def test_a_loop_of_freezes_is_one_event() -> None:
    journal = Journal()
    records = [journal.add("frozen", HERE) for _ in range(3)]
    assert len(journal.records) == 1
    assert all(record is records[0] for record in records)


def test_two_statements_in_one_loop_are_two_events() -> None:
    journal = Journal()
    for _ in range(3):
        journal.add("frozen", HERE)
        journal.add("to-eval", THERE)
    assert [record.kind for record in journal.records] == ["frozen", "to-eval"]


def test_a_key_keeps_apart_what_one_statement_does() -> None:
    journal = Journal()
    assert journal.add("no-effect", HERE, key="a") is not journal.add("no-effect", HERE, key="b")


@pytest.mark.parametrize("between", ["backward", "optimizer-built", "replaced", "loaded"])
def test_the_same_statement_after_something_else_is_a_new_event(between: str) -> None:
    journal = Journal()
    first = journal.add("to-train", HERE)
    journal.add(between, THERE)  # type: ignore[arg-type]
    assert journal.add("to-train", HERE) is not first


def test_every_step_and_load_is_an_event_of_its_own() -> None:
    journal = Journal()
    assert journal.add("stepped", HERE) is not journal.add("stepped", HERE)


def test_events_know_how_far_the_run_was() -> None:
    journal = Journal()
    before = journal.add("loaded", HERE)
    journal.forwarded, journal.steps = True, 4
    after = journal.add("loaded", THERE)
    assert (before.evidence().before_forward, before.evidence().steps_before) == (True, 0)
    assert (after.evidence().before_forward, after.evidence().steps_before) == (False, 4)


def test_endless_toggling_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_MOST", 10)
    journal = Journal()
    for number in range(30):
        record = journal.add("frozen", Location("train.py", number))
    assert len(journal.records) == 10
    assert journal.overflow
    assert record.index == UNRECORDED
