"""Every story in `fixtures/` is judged live: what is reported, and where, is what its comments expect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories import FIXTURES, expected, judged, places

STORIES = sorted(path.parent for path in FIXTURES.glob("*/train.py"))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_live_audit_reports_what_the_story_expects(story: Path) -> None:
    findings, output = judged(story)
    told = "\n".join(
        f"{finding.path}:{finding.line}: {finding.code} {finding.message}" for finding in findings
    )
    assert places(findings) == expected(story, "live"), f"{told}\n\n{output[-2000:]}"
