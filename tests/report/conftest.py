"""Each test has the files that findings point into in its current directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.telling import write_files


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_files()
    return tmp_path
