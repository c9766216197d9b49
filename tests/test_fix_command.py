"""`freezelint check --fix`: what happens to files, what is told, and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from freezelint.cli import main
from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.fixing.drafts import Drafts
from freezelint.fixing.fixes import Fixed, write_all

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
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
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


def test_a_diff_takes_no_form_feed_for_the_end_of_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("train.py").write_text("x = 1  # noqa: FRZ101\n\f\ny = 2  # a\fb")
    assert fix("--diff") == 1
    head = "--- train.py\n+++ train.py\n@@ -1,3 +1,3 @@\n"
    body = "-x = 1  # noqa: FRZ101\n+x = 1\n \f\n y = 2  # a\fb\n\\ No newline at end of file\n"
    assert capsys.readouterr().out == head + body


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


HELPERS = """\
import torch


def freeze(model):
    model[0].requires_grad = False


def build(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)
"""
USER = """\
import torch
from torch import nn

from helpers import build, freeze

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
freeze(model)
optimizer = build(model)
for _ in range(2):
    model(torch.randn(16, 4)).sum().backward()
    optimizer.step()
"""
# Nothing trains yet when the optimizer is built: it must get all parameters.
LATE = USER.replace("freeze(model)", "model.requires_grad_(False)").replace(
    "(model)\nfor", "(model)\nmodel.requires_grad_(True)\nfor"
)


def fix_here(*options: str) -> int:
    return main(["check", "--no-cache", "--isolated", "--fix", *options])


def test_what_two_scripts_share_is_fixed_for_both() -> None:
    for name, text in {"helpers.py": HELPERS, "one.py": USER, "two.py": USER}.items():
        Path(name).write_text(text)
    assert fix_here(".") == 0
    assert Path("one.py").read_text() == Path("two.py").read_text() == USER
    assert "requires_grad_(False)" in Path("helpers.py").read_text()


def test_a_fix_that_breaks_another_script_is_withdrawn(capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in {"helpers.py": HELPERS, "one.py": USER, "two.py": LATE}.items():
        Path(name).write_text(text)
    assert fix_here(".") == 1
    assert Path("helpers.py").read_text() == HELPERS
    assert "two.py would not run to its end" in " ".join(capsys.readouterr().out.split())


def test_what_is_excluded_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("helpers.py").write_text(HELPERS)
    Path("one.py").write_text(USER)
    assert fix_here(".", "--exclude", "helpers.py") == 1
    assert Path("helpers.py").read_text() == HELPERS
    told = " ".join(capsys.readouterr().out.split())
    assert "not fixed: helpers.py is none of the files that may be changed" in told
    assert fix_here(".", "helpers.py", "--exclude", "helpers.py") == 0, "what is named is meant"


def test_standard_input_changes_no_file(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    Path("helpers.py").write_text(HELPERS)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(USER.encode())))
    assert fix_here("-", "--stdin-filename", "one.py") == 1
    assert Path("helpers.py").read_text() == HELPERS
    assert capsysbinary.readouterr().out.decode() == USER


def test_who_writes_meanwhile_wins() -> None:
    """Between the proof and the writing somebody saves the file: the fix was made for another text."""
    path = Path("train.py")
    path.write_text(BUGGY)
    drafts = Drafts()
    changed = drafts.with_edits([Edit(Location("train.py", 1, 1, 1, 1), "# fixed\n")])
    path.write_text(BUGGY + "# saved\n")
    (refused,) = write_all(Fixed(changed))
    assert refused == ("train.py", "it has been changed meanwhile; run freezelint again")
    assert path.read_text() == BUGGY + "# saved\n"


def test_an_error_is_fixed_before_a_warning_that_follows_from_it() -> None:
    """The spent iterator leaves the optimizer without most parameters, as if nobody meant to train them."""
    text = CLEAN.replace(
        "model[0].requires_grad_(False)\n", "weights = model.parameters()\nprint(len([*weights]))\n"
    )
    text = text.replace(
        "[p for p in model.parameters() if p.requires_grad]", "[*weights] or [model[2].weight]"
    )
    assert fix("--fix", text=text) == 0
    assert Path("train.py").read_text() == text.replace("= model.parameters()", "= list(model.parameters())")


def test_a_cell_whose_last_lines_move_ends_where_its_text_does() -> None:
    head, rest = CLEAN.replace("model[0].requires_grad_(False)\n", "").split("optimizer = ")
    optimizer, loop = rest.split("\n", 1)
    cells = [f"{head}\noptimizer = {optimizer}", "model[2] = nn.Linear(8, 3)", loop]
    document: dict[str, Any] = {
        "cells": [
            {"cell_type": "code", "metadata": {}, "outputs": [], "source": cell.splitlines(keepends=True)}
            for cell in cells
        ],
        "metadata": {},
    }
    path = Path("book.ipynb")
    path.write_text(json.dumps(document))
    fix_here("book.ipynb")
    done = ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]
    assert done == [head.rstrip("\n"), f"{cells[1]}\noptimizer = {optimizer}", loop]
