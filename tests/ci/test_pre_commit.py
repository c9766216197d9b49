"""The hooks as pre-commit installs and runs them: `pre-commit try-repo` on this checkout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ci.checkout import CLEAN, FAULTY, clone, commit_all, environment

NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "source": FAULTY, "metadata": {}, "outputs": [], "execution_count": None}
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with faults in a script and in a notebook, a directory that is left out, and a configured
    entry that must not run.
    """
    project = tmp_path / "project"
    (project / "examples").mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[tool.freezelint]\nentry = "train.py:build"\nexclude = ["examples"]\noutput-format = "concise"\n'
    )
    (project / "train.py").write_text(f"{CLEAN}\n\ndef build():\n    raise RuntimeError('this ran')\n")
    (project / "faulty.py").write_text(FAULTY)
    (project / "book.ipynb").write_text(json.dumps(NOTEBOOK))
    (project / "examples" / "faulty.py").write_text(FAULTY)
    (project / "notes.txt").write_text(FAULTY)
    return project


def try_hooks(checkout: Path, project: Path) -> tuple[int, list[str]]:
    """Have pre-commit install the checkout and run both hooks on all files, one after the other: the exit
    status, and what is printed.
    """
    commit_all(project)
    command = [sys.executable, "-m", "pre_commit", "try-repo", str(checkout), "--all-files"]
    done = subprocess.run(
        [*command, "--verbose", "--color", "never"],
        cwd=project,
        env=environment(PRE_COMMIT_HOME=str(project.parent / "home"), COLUMNS="200"),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


def test_the_hooks_find_and_mend(project: Path) -> None:
    checkout = clone(project.parent / "checkout")
    status, lines = try_hooks(checkout, project)
    assert status == 1, lines
    begin, middle = (lines.index(f"- hook id: {hook}") for hook in ("freezelint", "freezelint-fix"))
    found = [line.partition(" FRZ201 ")[0] for line in lines[begin:middle] if ": FRZ" in line]
    assert found == ["book.ipynb:cell 1:6:13:", "faulty.py:6:13:"], lines
    assert "- files were modified by this hook" in lines[middle:]
    assert not [line for line in lines[middle:] if ": FRZ" in line], "nothing is left"
    assert (project / "faulty.py").read_text() != FAULTY
    assert (project / "book.ipynb").read_text() != json.dumps(NOTEBOOK)
    assert (project / "examples" / "faulty.py").read_text() == FAULTY
    assert (project / "train.py").read_text().startswith(CLEAN)

    status, lines = try_hooks(checkout, project)
    assert status == 0, lines
    assert sum(line.endswith("Passed") for line in lines) == 2
