"""How much of what the stories plant is found, for each rule and witness, and whether the README says so."""

from __future__ import annotations

from tests.recall import ALL, README, scores_by_comments, section, table
from tests.stories import FIXTURES, expected, missed


def test_most_faults_are_found_and_most_findings_are_faults() -> None:
    scores = scores_by_comments()
    print(f"\n{table(scores)}")
    for (code, witness), score in scores.items():
        if code == ALL:
            assert score.recall is not None
            assert score.precision is not None
            assert score.recall >= 0.90, f"{witness}: {score.hits} of {score.faults} faults are found"
            assert score.precision >= 0.97, (
                f"{witness}: {score.reported - score.hits} findings are false alarms"
            )


def test_there_are_enough_stories_and_about_half_of_them_are_clean() -> None:
    stories = [path.parent for path in FIXTURES.glob("*/train.py")]
    clean = [
        story
        for story in stories
        if not any(expected(story, w) | missed(story, w) for w in ("live", "source"))
    ]
    assert len(stories) >= 80
    assert 0.35 <= len(clean) / len(stories) <= 0.65


def test_the_readme_says_how_much_is_found() -> None:
    wanted = section(scores_by_comments())
    told = "the table in README.md, `How much it finds`, is out of date: run `python -m tests.recall`"
    assert wanted in README.read_text(encoding="utf-8"), told
