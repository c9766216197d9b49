"""GitLab's code quality report: https://docs.gitlab.com/ci/testing/code_quality/"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from freezelint.evidence import Location
from tests.report.telling import IN_CELL, SCRIPT, finding, told


def issues(*findings: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(told("gitlab", *findings))
    return found


def test_nothing_found_is_an_empty_list() -> None:
    assert told("gitlab") == "[]\n"


def test_an_issue() -> None:
    (issue,) = issues(finding())
    assert len(issue.pop("fingerprint")) == 32
    assert issue == {
        "type": "issue",
        "check_name": "FRZ101 frozen-norm-in-train-mode",
        "description": "FRZ101: `bn` is frozen (line 6) but runs in train mode; call `.eval()` on it",
        "categories": ["Bug Risk"],
        "severity": "major",
        "location": {"path": "train.py", "lines": {"begin": 3, "end": 3}},
    }


def test_severities() -> None:
    found = [finding(severity=severity) for severity in ("error", "warning", "info")]
    assert [issue["severity"] for issue in issues(*found)] == ["major", "minor", "info"]


def test_a_notebook_is_told_by_the_line_of_its_json_and_by_its_cell() -> None:
    (issue,) = issues(finding(IN_CELL))
    assert issue["location"]["lines"] == {"begin": 13, "end": 13}
    assert issue["description"].startswith("FRZ101: book.ipynb:cell 2:2: ")


def test_fingerprints_survive_moved_lines_and_other_words() -> None:
    (before,) = issues(finding())
    Path("train.py").write_text(f"import torch\n\n{SCRIPT}")
    (after,) = issues(finding(Location("train.py", 5, 9, 5, 22), message="on line 5 now"))
    assert before["fingerprint"] == after["fingerprint"]


def test_no_two_issues_have_one_fingerprint() -> None:
    found = [finding(), finding(), finding(code="FRZ102"), finding(Location("train.py", 6))]
    assert len({issue["fingerprint"] for issue in issues(*found)}) == 4
