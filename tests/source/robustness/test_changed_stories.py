"""Stories that end in the middle, and stories with lines lost, exchanged or spoilt."""

from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.source.robustness.reading import read
from tests.stories import FIXTURES

STORIES = sorted(FIXTURES.glob("*/train.py"))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(STORIES), st.floats(0, 1))
def test_a_truncated_story_is_read(story: Path, share: float) -> None:
    lines = story.read_text(encoding="utf-8").splitlines(keepends=True)
    read("".join(lines[: int(share * len(lines))]))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(STORIES), st.randoms(use_true_random=False))
def test_a_mutated_story_is_read(story: Path, random: Random) -> None:
    lines = story.read_text(encoding="utf-8").splitlines(keepends=True)
    for _ in range(3):
        position, other = random.randrange(len(lines)), random.randrange(len(lines))
        change = random.randrange(4)
        if change == 0:
            del lines[position]
        elif change == 1:
            lines[position], lines[other] = lines[other], lines[position]
        elif change == 2:
            lines[position] = lines[position].replace("(", "(*", 1)
        else:
            lines[position] = lines[position].replace("model", "None").replace("0", "None")
    read("".join(lines))
