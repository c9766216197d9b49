"""Every story with a fault that can safely be fixed: it is, both witnesses agree, and it still trains.

A fault that is known not to be fixed has `# unfixed: FRZ101` on its line.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from freezelint.registry import rules
from tests.fixing.mending import mended
from tests.stories import FIXTURES, Place, expected, judged

SAFE = {rule.code for rule in rules() if rule.fix == "safe"}
_UNFIXED = re.compile(r"# unfixed: (FRZ\d{3}(?:, FRZ\d{3})*)")


def fixable(story: Path) -> set[Place]:
    """The faults that the source reader reports, and whose rules can safely be fixed."""
    return {place for place in expected(story, "source") if place[2] in SAFE}


def unfixed(story: Path) -> set[Place]:
    """Those of them that are known to stay."""
    return {
        (str(path.relative_to(story)), number, code)
        for path in story.rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for found in _UNFIXED.finditer(line)
        for code in found[1].split(", ")
    }


STORIES = [path.parent for path in sorted(FIXTURES.glob("*/train.py")) if fixable(path.parent)]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_is_fixed_and_both_witnesses_agree(story: Path, tmp_path: Path) -> None:
    copy = tmp_path / story.name
    shutil.copytree(story, copy)
    names = sorted(str(path.relative_to(copy)) for path in copy.rglob("*.py"))
    done = mended(copy, *names)
    left = {(place[1], place[2]) for place in unfixed(story)}
    assert {code for code in done.refused if code in SAFE} == {code for _, code in left}, done.refused
    for name, text in done.texts.items():
        (copy / name).write_bytes(text.encode())

    again = mended(copy, *names)
    assert again.texts == done.texts, "a second run changes nothing"
    findings, output = judged(copy)
    before = {place[2] for place in expected(story, "live")}
    after = {finding.code for finding in findings}
    uncovered = {code for code in done.refused if code not in SAFE}  # which the author decides on
    assert after <= (before - SAFE) | uncovered | {code for _, code in left}, output[-2000:]


def test_nearly_all_faults_are_fixed() -> None:
    known = [place for story in STORIES for place in fixable(story)]
    staying = [place for story in STORIES for place in unfixed(story)]
    assert len(staying) <= 0.05 * len(known), staying
