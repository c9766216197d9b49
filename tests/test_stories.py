"""What the comments of a story mean for each witness, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recall import ALL, Judged, table, tally
from tests.stories import FIXTURES, Place, expected, marks, missed


def story(directory: Path, *lines: str) -> Path:
    (directory / "train.py").write_text("\n".join(lines), encoding="utf-8")
    return directory


# --- comments ---


def test_both_witnesses_are_expected_to_see_what_the_page_says_they_see(tmp_path: Path) -> None:
    directory = story(tmp_path, "model.train()  # expect: FRZ101, FRZ201")
    wanted = {("train.py", 1, "FRZ101"), ("train.py", 1, "FRZ201")}
    assert expected(directory, "live") == expected(directory, "source") == wanted
    assert missed(directory, "live") == missed(directory, "source") == set()


def test_a_rule_of_one_witness_is_expected_of_that_one_and_is_no_miss_of_the_other(tmp_path: Path) -> None:
    directory = story(tmp_path, "p.requires_grad == False  # expect: FRZ503")
    assert expected(directory, "source") == {("train.py", 1, "FRZ503")}
    assert expected(directory, "live") == missed(directory, "live") == set()


def test_an_expectation_for_one_witness_is_a_miss_of_the_other(tmp_path: Path) -> None:
    directory = story(tmp_path, "", "loss.backward()  # expect: FRZ303 (live), FRZ301")
    cut, unused = ("train.py", 2, "FRZ303"), ("train.py", 2, "FRZ301")
    assert expected(directory, "live") == {cut, unused}
    assert expected(directory, "source") == {unused}
    assert missed(directory, "source") == {cut}
    assert missed(directory, "live") == set()


def test_a_known_miss_of_all_or_of_one(tmp_path: Path) -> None:
    directory = story(tmp_path, "a()  # todo: FRZ507", "b()  # expect: FRZ201  # todo: FRZ107 (live)")
    assert missed(directory, "live") == {("train.py", 1, "FRZ507"), ("train.py", 2, "FRZ107")}
    assert missed(directory, "source") == {("train.py", 1, "FRZ507")}
    assert expected(directory, "live") == expected(directory, "source") == {("train.py", 2, "FRZ201")}


def test_helper_modules_count(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "engine.py").write_text("net.train()  # expect: FRZ101\n")
    assert expected(tmp_path, "source") == {("lib/engine.py", 1, "FRZ101")}


@pytest.mark.parametrize("comment", ["# expect: FRZ503 (live)", "# todo: FRZ101 (sauce)"])
def test_a_witness_that_the_rule_does_not_have(tmp_path: Path, comment: str) -> None:
    with pytest.raises(ValueError, match="the page of FRZ"):
        expected(story(tmp_path, f"a()  {comment}"), "live")


def test_the_comments_of_all_stories_are_legal() -> None:
    assert [mark for train in FIXTURES.glob("*/train.py") for mark in marks(train.parent)]


# --- recall and precision ---

A: Place = ("train.py", 1, "FRZ101")
B: Place = ("train.py", 2, "FRZ101")
C: Place = ("engine.py", 3, "FRZ201")


def test_a_known_miss_lowers_recall() -> None:
    scores = tally([Judged("story", "source", {A}, {B}, {A})])
    score = scores["FRZ101", "source"]
    assert (score.recall, score.precision, score.misses) == (0.5, 1.0, ["story/train.py:2"])


def test_what_nobody_expects_lowers_precision() -> None:
    scores = tally([Judged("story", "live", {A}, set(), {A, B, C})])
    assert (scores["FRZ101", "live"].recall, scores["FRZ101", "live"].precision) == (1.0, 0.5)
    assert (scores["FRZ201", "live"].recall, scores["FRZ201", "live"].precision) == (None, 0.0)
    assert scores["FRZ201", "live"].wrong == ["story/engine.py:3"]
    assert scores[ALL, "live"].precision == pytest.approx(1 / 3)


def test_a_known_miss_that_is_found_is_no_false_alarm() -> None:
    scores = tally([Judged("story", "live", set(), {A}, {A})])
    assert (scores["FRZ101", "live"].recall, scores["FRZ101", "live"].precision) == (1.0, 1.0)


def test_the_table() -> None:
    scores = tally(
        [
            Judged("one", "live", {A}, set(), {A}),
            Judged("one", "source", set(), {A}, set()),
            Judged("two", "source", {C}, set(), {C, B}),
        ]
    )
    assert table(scores).splitlines() == [
        "| code | live recall | live precision | source recall | source precision | misses |",
        "|---|---:|---:|---:|---:|---|",
        "| FRZ101 | 1.00 (1/1) | 1.00 (1/1) | 0.00 (0/1) | 0.00 (0/1) | `one/train.py:1` (source) |",
        "| FRZ201 | – | – | 1.00 (1/1) | 1.00 (1/1) | – |",
        "| **all** | 1.00 (1/1) | 1.00 (1/1) | 0.50 (1/2) | 0.50 (1/2) | 1 (source) |",
    ]
