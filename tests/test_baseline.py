"""The baseline: what is in it is not reported again, wherever its line has moved to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from freezelint.baseline import Baseline, read_baseline, write_baseline
from freezelint.errors import BadInputError
from freezelint.evidence import Location
from freezelint.finding import Finding
from freezelint.texts import Texts

SCRIPT = "def fit():\n    model.train()\n\n\ndef go():\n    model.train()\n    model.train()\n"
FILE = Path("known.json")


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT)
    return tmp_path


def finding(line: int, code: str = "FRZ101", path: str = "train.py", **fields: Any) -> Finding:
    values: dict[str, Any] = {"message": f"told of line {line}", "subjects": (), "witness": "source"}
    return Finding(code, "name", "error", location=Location(path, line), **{**values, **fields})


def accepted(*findings: Finding) -> Baseline:
    """A baseline with these findings."""
    write_baseline(FILE, findings, Texts())
    return read_baseline(FILE)


def known(baseline: Baseline, *findings: Finding) -> list[bool]:
    return baseline.known(findings, Texts())


def test_an_empty_one_knows_nothing() -> None:
    assert known(accepted(), finding(2)) == [False]


def test_what_is_new() -> None:
    baseline = accepted(finding(2))
    other_rule, other_function = finding(2, "FRZ102"), finding(6)
    assert known(baseline, other_rule, other_function) == [False, False]
    Path("other.py").write_text(SCRIPT)
    assert known(baseline, finding(2, path="other.py")) == [False]


def test_one_more_of_the_same_in_one_function_is_new() -> None:
    assert known(accepted(finding(6)), finding(6), finding(7)) == [True, False]


def test_known_wherever_the_line_is_now() -> None:
    baseline = accepted(finding(2), finding(6))
    moved = "import torch\n\n" + SCRIPT.replace("    model.train()", "        model.train( )  # why").replace(
        "( )", "()"
    )
    Path("train.py").write_text(moved)
    assert known(baseline, finding(4), finding(8)) == [True, True]


def test_known_from_any_directory(directory: Path) -> None:
    baseline_here = accepted(finding(2))
    (directory / "sub").mkdir()
    os.chdir("sub")
    there = read_baseline(Path("../known.json"))
    assert known(there, finding(2, path="../train.py"), finding(2, path=str(directory / "train.py")))[0]
    assert there.entries == baseline_here.entries


def test_entries_that_match_nothing() -> None:
    baseline = accepted(finding(2), finding(6, witness="live"))
    looked_at = frozenset({os.path.realpath("train.py")})

    def lines(*found: Finding, ran: bool = True, looked: frozenset[str] = looked_at) -> list[str]:
        return [str(entry) for entry in baseline.unmatched(found, Texts(), looked, ran=ran)]

    assert lines(finding(2), finding(6)) == []
    assert lines(looked=frozenset()) == [], "in files that this run did not look at"
    assert lines(finding(2), ran=False) == [], "what only a run saw, without one"
    assert lines(finding(2)) == ["train.py: FRZ101, in `go`: model.train()"]


def test_the_file_can_be_read_and_merged_by_people() -> None:
    accepted(finding(6), finding(2))
    document = json.loads(FILE.read_text())
    assert document["findings"][0] == {
        "path": "train.py",
        "code": "FRZ101",
        "function": "fit",
        "source": "model.train()",
        "ordinal": 0,
        "witness": "source",
    }
    assert len(document["findings"]) == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "there is no such baseline; make it with `--write-baseline known.json`"),
        ("{", "the baseline cannot be read: Expecting"),
        ("[]", "is no baseline of this freezelint"),
        ('{"version": 2}', "is no baseline of this freezelint"),
        ('{"version": 1}', "is no baseline: its entry 1 lacks one of"),
        ('{"version": 1, "findings": [{"code": "FRZ101"}]}', "is no baseline: its entry 1 lacks one of"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(text: str | None, complaint: str) -> None:
    if text is not None:
        FILE.write_text(text)
    with pytest.raises(BadInputError) as raised:
        read_baseline(FILE)
    assert str(raised.value).startswith("known.json: ")
    assert complaint in str(raised.value)
