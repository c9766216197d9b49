"""`freezelint check --fix`: what happens to files, what is told, and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from freezelint.cli import main

CLEAN = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
model[0].requires_grad_(False)
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
for _ in range(2):
    model(torch.randn(16, 4)).sum().backward()
    optimizer.step()
"""
# The freeze that takes at last uncovers that the optimizer holds what is frozen.
BUGGY = CLEAN.replace("requires_grad_(False)", "requires_grad = False").replace(
    "[p for p in model.parameters() if p.requires_grad]", "model.parameters()"
)
# What stays needs a decision: nothing is left to train.
STUCK = CLEAN.replace("model[0].requires_grad_(False)", "model.requires_grad_(False)")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fix(*options: str, text: str = BUGGY) -> int:
    path = Path("train.py")
    if not path.exists():
        path.write_bytes(text.encode())
    return main(["check", "--no-cache", "--isolated", "train.py", *options])


def test_a_clean_file_is_not_touched(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("train.py")
    path.write_text(CLEAN)
    before = path.stat()
    assert fix("--fix") == 0
    assert path.stat() == before
    assert "Fixed" not in capsys.readouterr().out


def test_without_the_option_nothing_is_written() -> None:
    assert fix() == 1
    assert Path("train.py").read_text() == BUGGY


def test_a_fix_that_is_switched_off_is_not_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert fix("--fix", "--unfixable", "FRZ501") == 1
    assert Path("train.py").read_text() == BUGGY
    assert "not fixed: its fix is switched off" in capsys.readouterr().out


def test_a_fix_that_would_uncover_what_must_not_be_fixed_is_withdrawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fix("--fix", "--fixable", "FRZ501") == 1
    assert Path("train.py").read_text() == BUGGY
    assert "not fixed: it would bring FRZ201" in " ".join(capsys.readouterr().out.split())


def test_a_rule_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert fix("--fix", "--fixable", "FRZ999") == 2
    assert "no rule 'FRZ999'" in capsys.readouterr().err


def test_what_is_fixed_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert fix("--fix", "--show-fixes") == 0
    assert Path("train.py").read_text() == CLEAN
    told = capsys.readouterr().out
    assert "train.py:5:1: FRZ501 fixed: call `requires_grad_` on the module" in told
    assert "Fixed 2 findings in train.py" in told
    assert fix("--fix") == 0
    assert Path("train.py").read_text() == CLEAN, "a second run changes nothing"


def test_what_needs_a_decision_stays_and_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert fix("--fix", text=STUCK) == 1
    told = capsys.readouterr().out
    assert "FRZ209" in told
    assert "not fixed: FRZ209 needs a decision of yours" in told


def test_fix_only_tells_nothing_of_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert fix("--fix-only", text=STUCK) == 0
    assert "FRZ209" not in capsys.readouterr().out


def test_status_when_everything_was_fixed() -> None:
    assert fix("--fix", "--exit-non-zero-on-fix") == 1
    assert fix("--fix", "--exit-non-zero-on-fix") == 0


def test_diff_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert fix("--diff") == 1
    assert Path("train.py").read_text() == BUGGY
    told = capsys.readouterr().out
    assert told.startswith("--- train.py\n+++ train.py\n@@")
    removed = [line[1:] for line in told.splitlines() if line.startswith("-")][1:]
    added = [line[1:] for line in told.splitlines() if line.startswith("+")][1:]
    assert removed == BUGGY.splitlines()[4:6]
    assert added == CLEAN.splitlines()[4:6]
    Path("train.py").write_text(CLEAN)
    assert fix("--diff") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("stem", ["\ufeff", "# coding: utf-8\n", '"""Näheres: \u4e2d"""\n\f\n'])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("tail", ["", "\n# the end"])
def test_everything_else_stays_byte_for_byte(stem: str, ending: str, tail: str) -> None:
    tabs = {"    ": "\t", "\n": ending}
    before, after = (f"{stem}{text}{tail}" for text in (BUGGY, CLEAN))
    for old, new in tabs.items():
        before, after = before.replace(old, new), after.replace(old, new)
    assert fix("--fix", text=before) == 0
    assert Path("train.py").read_bytes() == after.encode()


def test_an_encoding_of_its_own_stays() -> None:
    head = "# -*- coding: latin-1 -*-\nname = 'r\xe9seau'\n"
    Path("train.py").write_bytes(f"{head}{BUGGY}".encode("latin-1"))
    assert fix("--fix") == 0
    assert Path("train.py").read_bytes() == f"{head}{CLEAN}".encode("latin-1")


def test_permissions_and_links_stay() -> None:
    real = Path("real.py")
    real.write_text(BUGGY)
    real.chmod(0o755)
    Path("train.py").symlink_to(real)
    assert fix("--fix") == 0
    assert Path("train.py").is_symlink()
    assert real.read_text() == CLEAN
    assert real.stat().st_mode & 0o777 == 0o755


def test_a_file_that_cannot_be_written_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Permissions do not hold for the administrator: the system is asked, and says no."""
    monkeypatch.setattr("os.access", lambda *_: False)
    assert fix("--fix") == 1
    assert Path("train.py").read_text() == BUGGY
    assert "train.py was not fixed: no permission to write it" in capsys.readouterr().err


def test_a_notebook_keeps_its_outputs() -> None:
    def document(text: str) -> dict[str, Any]:
        first, second = text.split("model = ")
        cells = [first, f"model = {second}"]
        return {
            "cells": [
                {
                    "cell_type": "code",
                    "execution_count": 3,
                    "metadata": {"tags": ["keep"]},
                    "outputs": [{"name": "stdout", "output_type": "stream", "text": ["1.0\n"]}],
                    "source": cell.splitlines(keepends=True),
                }
                for cell in cells
            ],
            "metadata": {"language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }

    path = Path("book.ipynb")
    path.write_text(json.dumps(document(BUGGY), indent=1) + "\n")
    assert main(["check", "--no-cache", "--isolated", "--fix", "book.ipynb"]) == 0
    assert path.read_text() == json.dumps(document(CLEAN), indent=1) + "\n"


def test_a_helper_in_another_module_is_fixed_where_it_stands() -> None:
    Path("freezing.py").write_text("def freeze(model):\n    model[0].requires_grad = False\n")
    head = "from freezing import freeze\n"
    before = BUGGY.replace("model[0].requires_grad = False", "freeze(model)")
    after = CLEAN.replace("model[0].requires_grad_(False)", "freeze(model)")
    Path("train.py").write_text(head + before)
    assert main(["check", "--no-cache", "--isolated", "--fix", "."]) == 0
    assert Path("freezing.py").read_text() == "def freeze(model):\n    model[0].requires_grad_(False)\n"
    assert Path("train.py").read_text() == head + after


def test_standard_input_comes_out_fixed(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    def given(text: str) -> int:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return main(["check", "--isolated", "-", "--fix"])

    assert given(BUGGY) == 0
    out, err = capsysbinary.readouterr()
    assert out.decode() == CLEAN
    assert b"Fixed 2 findings" in err
    assert given(STUCK) == 1
    out, err = capsysbinary.readouterr()
    assert out.decode() == STUCK
    assert b"FRZ209" in err


def test_json_holds_the_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert fix("--output-format", "json") == 1
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert found["fix"]["applicability"] == "safe"
    lines = BUGGY.splitlines(keepends=True)
    for edit in reversed(found["fix"]["edits"]):
        assert (edit["column"], edit["end_column"]) == (1, 1)
        lines[edit["line"] - 1 : edit["end_line"] - 1] = [edit["text"]]
    assert "".join(lines) == CLEAN


def test_a_run_proves_the_fix_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert fix("--fix", "--run", "--show-fixes") == 0
    assert Path("train.py").read_text() == CLEAN
    assert "2 steps watched" in capsys.readouterr().out


def test_what_only_a_run_shows_is_fixed_from_its_lines() -> None:
    assert fix("--fix", "--run", "--no-source") == 0
    assert Path("train.py").read_text() == CLEAN
