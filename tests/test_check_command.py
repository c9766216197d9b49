"""What is known and meant: comments, baselines, severities and exemptions, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freezelint.cli import main

# FRZ201: the optimizer holds a frozen layer.
FAULTY = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
model[0].requires_grad_(False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(5):
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
"""
OPTIMIZER = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)"
MENDED = FAULTY.replace("SGD(model.parameters()", "SGD(model[1].parameters()")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(FAULTY)
    return tmp_path


class Ran:
    """The command line in this process: exit status, and the lines on both streams."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.status = main(["check", "--no-cache", "--output-format", "concise", *arguments])
        printed = capsys.readouterr()
        self.lines, self.errors = printed.out.splitlines(), printed.err.splitlines()

    @property
    def codes(self) -> list[str]:
        return [line.split()[1] for line in self.lines if ": FRZ" in line]


def noqa(comment: str, text: str = FAULTY) -> None:
    Path("train.py").write_text(text.replace(OPTIMIZER, f"{OPTIMIZER}  {comment}"))


# Which files


def test_what_git_ignores_is_left_out_of_directories(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "runs").mkdir()
    (project / "runs" / "copy.py").write_text(FAULTY)
    (project / ".gitignore").write_text("runs/\n")
    assert Ran(capsys, "--show-files").lines == ["train.py"]
    assert Ran(capsys).lines[-1].endswith("(1 file read)")
    assert Ran(capsys, "--no-respect-gitignore").codes == ["FRZ201", "FRZ201"]
    assert Ran(capsys, "runs/copy.py").codes == ["FRZ201"], "what is named is meant"
    (project / "freezelint.toml").write_text("respect-gitignore = false\n")
    assert Ran(capsys, "--show-files").lines == ["runs/copy.py", "train.py"]
    assert Ran(capsys, "--show-files", "--respect-gitignore").lines == ["train.py"]


def test_what_is_named_is_left_out_where_exclusions_are_forced(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "old" / "deep").mkdir(parents=True)
    (project / "old" / "deep" / "train.py").write_text(FAULTY)
    (project / "freezelint.toml").write_text('exclude = ["old"]\n')
    named = ("old/deep/train.py", "train.py", "--show-files")
    assert Ran(capsys, *named).lines == ["old/deep/train.py", "train.py"]
    assert Ran(capsys, *named, "--force-exclude").lines == ["train.py"]
    (project / "freezelint.toml").write_text('exclude = ["old/*/train.py"]\nforce-exclude = true\n')
    assert Ran(capsys, *named).lines == ["train.py"]
    assert Ran(capsys, *named, "--no-force-exclude").lines == ["old/deep/train.py", "train.py"]


def test_it_is_told_when_no_file_is_left(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".gitignore").write_text("*\n")
    ran = Ran(capsys)
    assert (ran.status, ran.lines) == (0, ["No freezing bugs found in this directory (no file read)"])
    assert ran.errors == ["freezelint: no file is left to read: `exclude` or a .gitignore names them all"]
    assert Ran(capsys, "-q").errors == []


def test_nothing_runs_where_that_is_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "entry.py").write_text("raise RuntimeError('this ran')\n")
    (project / "freezelint.toml").write_text('entry = "entry.py"\n')
    for targets in ([], ["."], ["entry.py", "train.py"], ["entry.py:build", "train.py"]):
        ran = Ran(capsys, "--no-run", *targets)
        assert (ran.codes, ran.errors) == (["FRZ201"], [])
        assert "watched" not in ran.lines[-1]
    assert Ran(capsys, "--no-run", "--no-source").errors[0].startswith("error: nothing to check: name a")
    assert "--no-source leaves nothing to do" in Ran(capsys, "--no-run", "--no-source", "train.py").errors[0]


# Comments


def test_a_comment_suppresses_and_the_summary_tells(capsys: pytest.CaptureFixture[str]) -> None:
    for comment in ("# noqa: FRZ201", "# noqa", "# noqa: E501, FRZ2"):
        noqa(comment)
        ran = Ran(capsys)
        assert (ran.status, ran.codes) == (0, [])
        assert ran.lines == ["No new freezing bugs found in this directory (1 file read, 1 suppressed)"]
        assert Ran(capsys, "--ignore-noqa").codes == ["FRZ201"]


def test_a_comment_counts_as_used_whatever_is_selected(capsys: pytest.CaptureFixture[str]) -> None:
    noqa("# noqa: FRZ201")
    for options in (["--select", "FRZ1"], ["--ignore", "FRZ201"], ["--extend-select", "ALL"]):
        assert Ran(capsys, *options).codes == []


def test_an_unused_comment(capsys: pytest.CaptureFixture[str]) -> None:
    Path("train.py").write_text(MENDED.replace("lr=0.1)", "lr=0.1)  # noqa: FRZ201"))
    ran = Ran(capsys)
    assert (ran.status, ran.codes) == (1, ["FRZ001"])
    assert ran.lines[0].startswith(
        "train.py:6:61: FRZ001 [unused-suppression] `# noqa: FRZ201`: it suppresses"
    )
    assert Ran(capsys, "--ignore", "FRZ001").codes == []
    assert Ran(capsys, "--select", "FRZ1").codes == []
    assert Ran(capsys, "--ignore-noqa").codes == []


def test_where_the_reading_has_limits_no_comment_is_called_unused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unknown = "from somewhere import prepare\nprepare(model, optimizer)\n"
    Path("train.py").write_text(MENDED.replace("lr=0.1)", "lr=0.1)  # noqa: FRZ201") + unknown)
    ran = Ran(capsys)
    assert ran.codes == []
    assert ran.lines[0].startswith("Limits: ")


def test_what_a_comment_in_a_helper_is_for_shows_in_the_script(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    helper = (
        "import torch\n\n\ndef optimizer_of(model):\n    return torch.optim.SGD(model.parameters(), lr=0.1)"
    )
    (project / "helper.py").write_text(f"{helper}  # noqa: FRZ201\n")
    script = FAULTY.replace(OPTIMIZER, "optimizer = optimizer_of(model)")
    (project / "train.py").write_text(f"from helper import optimizer_of\n{script}")
    assert Ran(capsys, "train.py").codes == []
    assert Ran(capsys).codes == []
    assert Ran(capsys, "helper.py").codes == [], "which of itself shows nothing"


def test_comments_are_heeded_on_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import sys

    def given(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    text = FAULTY.replace(OPTIMIZER, f"{OPTIMIZER}  # noqa: FRZ201")
    given(text.encode())
    assert Ran(capsys, "-").codes == []
    given(json.dumps({"cells": [{"cell_type": "code", "source": text}]}).encode())
    assert Ran(capsys, "-", "--stdin-filename", "book.ipynb").codes == []


def test_adding_comments(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "--add-noqa")
    assert (ran.status, ran.lines, ran.errors) == (0, ["Suppressed 1 finding in 1 file"], [])
    assert Path("train.py").read_text() == FAULTY.replace(OPTIMIZER, f"{OPTIMIZER}  # noqa: FRZ201")
    assert Ran(capsys).codes == []
    assert Ran(capsys, "--add-noqa").lines == ["Suppressed 0 findings"]


def test_no_comment_for_what_was_not_checked(capsys: pytest.CaptureFixture[str]) -> None:
    Path("train.py").write_text("loss.backward(\n")
    ran = Ran(capsys, "--add-noqa")
    assert (ran.status, ran.lines) == (1, ["Suppressed 0 findings"])
    assert ran.errors == ["train.py:1:14: FRZ002 stays: no comment suppresses what was not checked"]


# Baselines


def test_a_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    written = Ran(capsys, "--write-baseline", "known.json")
    assert (written.status, written.lines) == (0, ["Wrote 1 finding to known.json"])
    Path("train.py").write_text(f"# moved\n{FAULTY}")
    ran = Ran(capsys, "--baseline", "known.json")
    assert (ran.status, ran.errors) == (0, [])
    assert ran.lines == ["No new freezing bugs found in this directory (1 file read, 1 in the baseline)"]
    Path("freezelint.toml").write_text('baseline = "known.json"\n')
    assert Ran(capsys).codes == []
    assert Ran(capsys, "--write-baseline", "again.json").lines == ["Wrote 1 finding to again.json"]


def test_what_is_new_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    Ran(capsys, "--write-baseline", "known.json")
    Path("other.py").write_text(FAULTY)
    ran = Ran(capsys, "--baseline", "known.json")
    assert (ran.status, ran.codes) == (1, ["FRZ201"])
    assert ran.lines[0].startswith("other.py:6:13: ")


def test_entries_that_match_nothing_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Ran(capsys, "--write-baseline", "known.json")
    Path("train.py").write_text(MENDED)
    Path("other.py").write_text(MENDED)
    ran = Ran(capsys, "--baseline", "known.json")
    assert (ran.status, ran.codes) == (0, [])
    assert ran.errors == [
        "freezelint: known.json: 1 finding of the baseline not found; "
        "`--write-baseline known.json` brings it up to date",
        f"  train.py: FRZ201: {OPTIMIZER}",
    ]
    for options in (["other.py"], ["--ignore", "FRZ201"], ["-q"]):
        assert Ran(capsys, "--baseline", "known.json", *options).errors == []


# Severities and exemptions


def test_a_severity(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "--config", "severity.FRZ201=error")
    assert ran.lines[-1] == "Found 1 error in this directory (1 file read)"
    assert Ran(capsys, "--config", 'severity={frozen-param-in-optimizer="info"}').lines[-1] == (
        "Found 1 note in this directory (1 file read)"
    )


def test_rules_that_do_not_hold_in_some_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old").mkdir()
    Path("old/train.py").write_text(FAULTY)
    Path("freezelint.toml").write_text('[per-file-ignores]\n"old/**" = ["FRZ2"]\n')
    ran = Ran(capsys)
    assert [line.split(":")[0] for line in ran.lines[:-2]] == ["train.py"]
    assert len(Ran(capsys, "--isolated").codes) == 2


# What would be done


def test_settings_and_files_are_shown_and_nothing_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    Path("freezelint.toml").write_text('steps = 3\nexclude = ["old"]\nseverity = {FRZ201 = "info"}\n')
    Path("old").mkdir()
    Path("old/train.py").write_text(FAULTY)
    shown = Ran(capsys, "--show-settings", "--select", "FRZ1,FRZ2", "--config", "jobs=2")
    assert shown.status == 0
    assert shown.lines[0] == "# freezelint.toml, and the command line"
    assert {
        'select = ["FRZ1", "FRZ2"]',
        "# ignore: not set",
        'severity = {"FRZ201" = "info"}',
        "steps = 3",
        '# device = "auto"',
        'exclude = ["old"]',
        "jobs = 2",
        "# respect-gitignore = true",
        "# force-exclude = false",
        "cache = false",
        '# cache-dir = ".freezelint_cache"',
        'output-format = "concise"',
    } <= set(shown.lines)
    assert Ran(capsys, "--show-files").lines == ["train.py"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--baseline", "gone.json"], "gone.json: there is no such baseline; make it with"),
        (
            ["--write-baseline", "gone/known.json"],
            "--write-baseline gone/known.json: there is no directory gone",
        ),
        (["--add-noqa", "--ignore-noqa"], "--add-noqa with --ignore-noqa would add what is there already"),
        (["--add-noqa", "--write-baseline", "a"], "--add-noqa and --write-baseline each accept"),
        (["--add-noqa", "-"], "--add-noqa writes to files: standard input is none"),
        (["--config", "step=3"], "--config has no key 'step'; did you mean 'steps'?"),
        (["--config", "severity.FRZ9=info"], "there is no rule 'FRZ9'"),
        (["--config", "per-file-ignores.old=['FRZ9']"], "there is no rule 'FRZ9'"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str) -> None:
    ran = Ran(capsys, *arguments)
    assert (ran.status, ran.lines) == (2, [])
    (error,) = ran.errors
    assert error.startswith("error: ")
    assert complaint in error
    assert Path("train.py").read_text() == FAULTY
