"""The program in the README: it runs, it is short, and both witnesses find nothing in it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
STEPS = 260  # of the old task and the new one together


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The program, as a script."""
    section = README.read_text(encoding="utf-8").partition("## From plan to a trained head\n")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    script = tmp_path / "train.py"
    script.write_text(found[1], encoding="utf-8")
    return script


def said(program: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command, program.name],
        cwd=program.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_short(program: Path) -> None:
    lines = [line for line in program.read_text(encoding="utf-8").splitlines() if line]
    assert len(lines) <= 25


def test_it_trains_a_head_and_nothing_else(program: Path) -> None:
    text = said(program)
    assert "freeze the whole body and train the head" in text
    last = text.splitlines()[-1]
    assert last.endswith(" of 320 are right")
    assert int(last.split()[0]) > 0.75 * 320, "four digits: a quarter would be chance"
    summary = text[text.index("  memory\n") :]
    rows = {line.split()[0]: line.split() for line in summary.splitlines() if line[:1].isdigit()}
    assert [rows[block][2] for block in ("0", "1", "2", "4")] == ["0", "0", "0", "1,924"]


@pytest.mark.parametrize(
    "options", [[], ["--run", "--no-source", "--steps", str(STEPS)]], ids=["read", "run"]
)
def test_freezelint_finds_nothing(program: Path, options: list[str]) -> None:
    text = said(program, "-m", "freezelint", "check", "--no-cache", *options)
    assert text.startswith("No freezing bugs found in train.py")
    if options:
        assert f"{STEPS} steps watched" in text
