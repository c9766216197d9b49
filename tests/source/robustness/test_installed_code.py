"""Code that was not written with us in mind; `python -m tests.benchmarks.source --all` reads all of it."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from freezelint.source.files.checking import judge_path
from freezelint.source.files.project import Sources
from tests.source.robustness.reading import faults_of, judge_in_full


def _spread(directory: str, number: int) -> list[Path]:
    """As many files below a directory, at equal distances by name: the same ones on every run."""
    files = sorted(path for path in Path(directory).rglob("*.py") if path.stat().st_size < 60_000)
    return files[:: max(len(files) // number, 1)][:number]


def test_installed_code_is_read_without_a_fault() -> None:
    places = sysconfig.get_paths()
    sources = Sources()
    faults: list[tuple[str, str]] = []
    for path in (*_spread(places["stdlib"], 60), *_spread(places["purelib"], 60)):
        judged = judge_path(path, (), judge_in_full, sources)
        faults += [(judged.path, fault) for fault in faults_of(judged.limits)]
    assert faults == []
