"""One fault, two witnesses, one finding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from freezelint.evidence import Location
from freezelint.finding import Finding, Related
from freezelint.merging import merged


def finding(witness: Any, line: int = 6, *subjects: str, path: str = "train.py", **fields: Any) -> Finding:
    values = {"code": "FRZ101", "name": "n", "severity": "error", "message": f"told by {witness}", **fields}
    location = values.pop("location", Location(path, line, 5, line, 20))
    return Finding(location=location, subjects=subjects, witness=witness, **values)


def test_what_one_witness_saw_stays() -> None:
    source, live = finding("source", 9, "model.fc"), finding("live", 6, "model.bn")
    assert merged([source], []) == [source]
    assert merged([], [live]) == [live]
    assert merged([source], [live]) == [live, source]


def test_another_rule_on_the_same_line_is_another_fault() -> None:
    assert len(merged([finding("source", code="FRZ102")], [finding("live")])) == 2


def test_another_file_is_another_fault() -> None:
    assert len(merged([finding("source", path="a.py")], [finding("live", path="b.py")])) == 2


def test_the_same_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (found,) = merged([finding("source")], [finding("live", path=str(tmp_path / "train.py"))])
    assert (found.witness, found.message) == ("both", "told by live")


def test_the_same_subjects() -> None:
    source = finding("source", 9, "model.layer1", "model.layer2", evidence={"layers": 1, "path": "x"})
    (found,) = merged([source], [finding("live", 6, "model.layer1.bn1", evidence={"layers": 2})])
    assert (found.witness, found.line) == ("both", 6)
    assert found.evidence == {"layers": 2, "path": "x"}
    assert [(place.location.line, place.message) for place in found.related] == [
        (9, "found here in the source")
    ]


def test_related_places_are_united() -> None:
    source = finding("source", related=(Related(Location("train.py", 3), "frozen here"),))
    live = finding("live", related=(Related(Location("train.py", 2), "frozen here"),))
    (found,) = merged([source, source], [live])
    assert [place.location.line for place in found.related] == [2, 3]


def test_columns_come_from_the_source_where_the_run_had_none() -> None:
    (found,) = merged([finding("source")], [finding("live", location=Location("train.py", 6))])
    assert (found.location.column, found.location.end_column) == (5, 20)


def test_the_closest_of_several() -> None:
    live = [finding("live", 6, "a.fc"), finding("live", 6, "b.fc"), finding("live", 8, "b.fc")]
    found = merged([finding("source", 6, "b.fc")], live)
    assert [each.witness for each in found] == ["live", "both", "live"]
