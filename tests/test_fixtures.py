"""Every story in `fixtures/` is judged by both witnesses: what is reported, and where, is what its comments
expect."""

from __future__ import annotations

from pathlib import Path

import pytest

from freezelint.finding import Finding
from tests.stories import FIXTURES, expected, judged, places, read_story

STORIES = sorted(path.parent for path in FIXTURES.glob("*/train.py"))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_live_audit_reports_what_the_story_expects(story: Path) -> None:
    findings, output = judged(story)
    assert places(findings) == expected(story, "live"), f"{told(findings)}\n\n{output[-2000:]}"


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_source_reader_reports_what_the_story_expects(story: Path) -> None:
    findings = read_story(story)
    assert places(findings) == expected(story, "source"), told(findings)


def told(findings: list[Finding]) -> str:
    """The findings, one a line."""
    return "\n".join(
        f"{finding.path}:{finding.line}: {finding.code} {finding.message}" for finding in findings
    )
