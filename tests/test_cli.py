"""The command line: exit statuses, options, and one clear line for every bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from freezelint import __version__
from freezelint.cli import main

# Python records columns from 3.11 on; before, a statement is told by its line.
COLUMN = 13 if sys.version_info >= (3, 11) else 1

CLEAN = """
import torch
from torch import nn

def build():
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        model(torch.randn(8, 4)).square().mean().backward()
    return model, optimizer, step

def nothing():
    return None

if __name__ == "__main__":
    model, optimizer, step = build()
    for _ in range(5):
        step()
        optimizer.step()
"""

# FRZ201: the optimizer holds a frozen layer.
FAULTY = """
import sys
import torch
from torch import nn

print("arguments:", *sys.argv[1:])
model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
model[0].requires_grad_(False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(5):
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a clean and a faulty script; the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clean.py").write_text(CLEAN)
    (tmp_path / "faulty.py").write_text(FAULTY)
    return tmp_path


def configure(table: str) -> None:
    Path("pyproject.toml").write_text(f"[tool.freezelint]\n{table}\n")


def freezelint(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as users do."""
    command = [sys.executable, "-m", "freezelint", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"}
    )


# Findings and exit statuses


def test_a_clean_script() -> None:
    done = freezelint("check", "--run", "--no-source", "clean.py")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "No freezing bugs found in clean.py (2 steps watched)\n",
        "",
    )


def test_a_faulty_script_with_arguments() -> None:
    arguments = ("--steps", "3", "--no-source", "--", "--epochs", "1", "--", "-q")
    done = freezelint("check", "--run", "faulty.py", *arguments)
    assert done.returncode == 1
    assert done.stdout.startswith("warning[FRZ201] frozen-param-in-optimizer\n")
    assert f"--> faulty.py:9:{COLUMN}\n" in done.stdout
    assert done.stdout.endswith("Found 1 warning in faulty.py (3 steps watched)\n")
    assert done.stderr == "arguments: --epochs 1 -- -q\n"


def test_options_win_over_the_configuration() -> None:
    configure('exit-zero = true\noutput-format = "concise"\nsteps = 1\nignore = ["FRZ201"]')
    configured = freezelint("check", "--run", "--no-source", "-q", "faulty.py")
    assert (configured.returncode, configured.stdout, configured.stderr) == (0, "", "")
    options = ("--no-source", "--ignore", "FRZ1,FRZ4", "--steps", "2", "--no-exit-zero")
    given = freezelint("check", "--run", "faulty.py", *options)
    assert given.returncode == 1
    lines = given.stdout.splitlines()
    assert lines[0].startswith(f"faulty.py:9:{COLUMN}: FRZ201 [frozen-param-in-optimizer] SGD holds ")
    assert lines[-1] == "Found 1 warning in faulty.py (2 steps watched)"


def test_a_report_in_a_file() -> None:
    done = freezelint(
        "check",
        "--run",
        "faulty.py",
        "clean.py",
        "--exit-zero",
        "--output-format",
        "json",
        "-o",
        "report.json",
    )
    assert (done.returncode, done.stdout) == (0, "")
    report = json.loads(Path("report.json").read_text())
    assert [finding["code"] for finding in report["findings"]] == ["FRZ201"]
    assert report["summary"]["targets"] == ["faulty.py", "clean.py"]
    assert report["summary"]["steps"] == 4


def test_the_configured_entry_is_a_factory() -> None:
    configure('entry = "clean.py:build"\nexclude = ["faulty.py"]')
    for targets in ([], ["clean.py"], ["."]):
        done = freezelint("check", *targets)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("(1 file read, 2 steps watched)\n"), done.stderr


def test_a_script_that_fails_is_a_finding(project: Path) -> None:
    (project / "broken.py").write_text("import torch\n\nraise ValueError('no data')\n")
    done = freezelint("check", "--run", "--no-source", "broken.py", "--select", "FRZ201")
    assert done.returncode == 1, "what could not be checked is told, whatever rules were asked for"
    assert done.stdout.startswith("error[FRZ003] live-audit-failed\n")
    assert "ValueError: no data" in done.stdout
    assert "--> broken.py:3:1\n" in done.stdout
    assert done.stdout.endswith("Found 1 error in broken.py (no step watched)\n")
    assert "freezelint" not in done.stderr, "the script's own traceback, without ours"


def test_a_factory_that_returns_something_else_is_bad_input() -> None:
    done = freezelint("check", "clean.py:nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "error: `clean.py:nothing` returned None; it must return `(model, optimizer, step)`"
    )
    assert done.stderr.count("\n") == 1


# Reading sources


def test_a_file_is_read_and_not_run() -> None:
    done = freezelint("check", "faulty.py")
    assert done.returncode == 1
    assert done.stdout.startswith("warning[FRZ201] frozen-param-in-optimizer\n")
    assert "--> faulty.py:9:13\n" in done.stdout
    assert done.stdout.endswith("Found 1 warning in faulty.py (1 file read)\n")
    assert done.stderr == "", "the script prints, and did not"


def test_a_directory_is_searched(project: Path) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "nothing.py").write_text("import os\n")
    (project / "notes.md").write_text("optimizer")
    for targets in ([], ["."], ["sub", "faulty.py", "clean.py"]):
        done = freezelint("check", *targets)
        assert done.returncode == 1
        assert done.stdout.count("FRZ201") == 1
        assert done.stdout.endswith("(2 files read, 1 passed over)\n")
    excluded = freezelint("check", "--exclude", "sub,faulty.py")
    assert excluded.stdout.endswith("No freezing bugs found in this directory (1 file read)\n")


def test_standard_input() -> None:
    options = ["--no-cache", "--output-format", "concise"]
    for name, given in (("-", []), ("src/train.py", ["--stdin-filename", "src/train.py"])):
        command = [sys.executable, "-m", "freezelint", "check", "-", *options, *given]
        done = subprocess.run(command, input=FAULTY, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stdout.startswith(f"{name}:9:13: FRZ201 ")


def test_a_notebook_is_told_by_cells(project: Path) -> None:
    cells = [{"cell_type": "markdown", "source": "# hello"}]
    cells += [{"cell_type": "code", "source": text} for text in FAULTY.split("\n\n")]
    (project / "book.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}}))
    done = freezelint("check", "book.ipynb")
    assert "--> book.ipynb:cell 3:4:13\n" in done.stdout
    assert "\n4 | optimizer = torch.optim.SGD(" in done.stdout
    (finding,) = json.loads(freezelint("check", "book.ipynb", "--output-format", "json").stdout)["findings"]
    assert (finding["cell"], finding["line"]) == (3, 4)


def test_both_witnesses_make_one_finding() -> None:
    done = freezelint("check", "--run", "faulty.py", "--output-format", "json")
    report = json.loads(done.stdout)
    assert [(found["code"], found["witness"]) for found in report["findings"]] == [("FRZ201", "both")]
    assert (report["summary"]["files_read"], report["summary"]["steps"]) == (1, 2)


def test_the_order_does_not_depend_on_the_processes(project: Path) -> None:
    for number in range(8):
        (project / f"copy{number}.py").write_text(FAULTY)
    alone, four = (freezelint("check", "--no-cache", "-j", jobs).stdout for jobs in ("1", "4"))
    assert alone == four
    assert alone.count("FRZ201") == 9


def test_the_cache_is_used_and_cleaned(project: Path) -> None:
    first, second = freezelint("check"), freezelint("check")
    assert (first.stdout, first.returncode) == (second.stdout, second.returncode)
    assert (project / ".freezelint_cache").is_dir()
    assert freezelint("clean").stdout == "Removed .freezelint_cache\n"
    assert freezelint("clean").stdout == "There is no cache in .freezelint_cache\n"
    freezelint("check", "--no-cache")
    assert not (project / ".freezelint_cache").exists()
    configure('cache-dir = "kept"')
    freezelint("check")
    assert (project / "kept" / "CACHEDIR.TAG").is_file()


def test_a_file_that_is_no_python_is_a_finding_and_the_others_are_read(project: Path) -> None:
    (project / "broken.py").write_text("loss.backward(\n")
    (project / "latin.py").write_bytes("loss.backward()  # é\n".encode("latin-1"))
    done = freezelint("check", "--output-format", "concise")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("broken.py:1:14: FRZ002 [unreadable-source] not checked: this is not valid")
    assert lines[1].startswith("faulty.py:9:13: FRZ201 ")
    assert lines[2].startswith("latin.py:1:1: FRZ002 [unreadable-source] not checked: byte 0xe9 is not UTF-8")


def test_a_script_that_does_not_parse_is_not_run(project: Path) -> None:
    (project / "broken.py").write_text("print('running')\nx = (\n")
    done = freezelint("check", "--run", "broken.py")
    assert done.returncode == 1
    assert "FRZ002" in done.stdout
    assert "FRZ003" not in done.stdout


# Bad input: one line on standard error, nothing on standard output, status 2

BAD = [
    (["check", "--run"], "nothing to check: name a script"),
    (["check", "--no-source"], "nothing to check: name a script"),
    (["check", "--no-source", "clean.py"], "clean.py: --no-source leaves nothing to do: add --run"),
    (["check", "gone.py"], "gone.py: there is no such file"),
    (["check", "--run", "gone.py"], "gone.py: there is no such file"),
    (["check", "gone.py:build"], "gone.py:build: there is no file gone.py"),
    (["check", "a/b:build"], "a/b:build: there is no file a/b"),
    (["check", "--run", "."], ".: is a directory; --run takes a script"),
    (["check", "empty"], "empty: there is no Python file in this directory"),
    (["check", "empty:build"], "empty:build: empty is a directory; a factory lives in a file or a module"),
    (["check", "--run", "binary"], "binary: is a binary file, not a Python script"),
    (["check", "--run", "latin.py"], "latin.py: is not text that Python can read"),
    (["check", "--run", "book.ipynb"], "book.ipynb: notebooks are not run"),
    (["check", "--run", "-"], "-: standard input is read, not run"),
    (["check", "-", "clean.py"], "-: standard input is checked by itself"),
    (["check", "-j", "0"], "Invalid value for '-j' / '--jobs'"),
    (["check", "--run", "--", "clean.py"], "nothing to check: name a script"),
    (["check", "clean.py:build", "--", "--epochs"], "A factory takes no arguments"),
    (["check", "--run", "clean.py", "--select", "FRZ9"], "there is no rule 'FRZ9'; did you mean"),
    (
        ["check", "--run", "clean.py", "--ignore", "FRZ201,frozen-nrom"],
        "there is no rule 'frozen-nrom'; did you",
    ),
    (["check", "--run", "clean.py", "--stepz", "3"], "No such option '--stepz'"),
    (["check", "--run", "clean.py", "--steps", "0"], "Invalid value for '--steps'"),
    (["check", "--run", "clean.py", "--timeout", "0"], "Invalid value for '--timeout'"),
    (["check", "--run", "clean.py", "--device", "tpu"], "Invalid value for '--device'"),
    (
        ["check", "--run", "clean.py", "--output-format", "xml"],
        "Invalid value for '--output-format': 'xml' is not",
    ),
    (
        ["check", "--run", "clean.py", "-o", "gone/report"],
        "--output-file gone/report: there is no directory gone",
    ),
    (["check", "--run", "clean.py", "-o", "empty"], "Invalid value for '-o' / '--output-file'"),
    (
        ["check", "--run", "clean.py", "-o", "r" * 999],
        "cannot write the report: File name too long; name another file",
    ),
    (
        ["check", "--run", "--no-source", "spoiling.py", "-q", "-o", "report"],
        "--output-file report: cannot write the report: Is a directory; name another file",
    ),
    (["chekc"], "No such command 'chekc'"),
    (["rule"], "Name one rule, or all of them with --all."),
    (["rule", "FRZ201", "--all"], "Name one rule, or all of them with --all."),
    (["rule", "FRZ999"], "there is no rule 'FRZ999'; did you mean FRZ"),
    (["rule", "frozen-param-in-optimiser"], "did you mean frozen-param-in-optimizer (FRZ201)?"),
]


@pytest.mark.parametrize(("arguments", "complaint"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    (project / "empty").mkdir()
    (project / "binary").write_bytes(b"\x7fELF\x00\x01")
    (project / "latin.py").write_bytes("# é\n".encode("latin-1"))
    (project / "book.ipynb").write_text("{}")
    (project / "spoiling.py").write_text("import os\nos.mkdir('report')\n")
    status = main(arguments)
    printed = capsys.readouterr()
    assert (status, printed.out) == (2, "")
    assert printed.err.startswith("error: ")
    assert complaint in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("step = 3", "[tool.freezelint] has no key 'step'; did you mean 'steps'?"),
        ("steps = 'two'", "[tool.freezelint] steps must be a positive whole number"),
        ("entry = 'gone.py:build'", "[tool.freezelint] entry: there is no file"),
        ("select = ['FRZ9']", "there is no rule 'FRZ9'"),
    ],
)
def test_bad_configuration(capsys: pytest.CaptureFixture[str], table: str, complaint: str) -> None:
    configure(table)
    assert main(["check"]) == 2
    printed = capsys.readouterr()
    assert complaint in printed.err
    assert printed.err.count("\n") == 1


def test_nothing_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in tmp_path.glob("*.py"):
        path.unlink()
    assert main(["check"]) == 2
    assert capsys.readouterr().err == (
        "error: nothing to check: there is no Python file here; name a script or a directory\n"
    )


def test_a_fault_of_our_own_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("freezelint.registry.rules", broken)
    assert main(["rule", "--all"]) == 2
    assert capsys.readouterr().err == (
        "error: freezelint itself failed: RuntimeError: two lines; "
        "please report it (-v shows the traceback)\n"
    )
    assert main(["check", "-v", "clean.py"]) == 2
    assert "Traceback" in capsys.readouterr().err


# Rules


def test_one_rule(capsys: pytest.CaptureFixture[str]) -> None:
    for given in ("FRZ201", "frz201", "frozen-param-in-optimizer"):
        assert main(["rule", given]) == 0
        told = capsys.readouterr().out
        assert told.startswith(
            "FRZ201 frozen-param-in-optimizer\nwarning · seen by: source, live · fix: safe\n"
        )
        assert "## Why it hurts" in told


def test_all_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rule", "--all"]) == 0
    codes = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert codes == sorted(codes)
    assert main(["rule", "--all", "--output-format", "json"]) == 0
    rules = json.loads(capsys.readouterr().out)
    assert [rule["code"] for rule in rules] == codes
    assert {"code", "name", "severity", "summary", "explanation"} <= rules[0].keys()


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"freezelint {__version__}\n"
    for arguments in ([], ["--help"], ["check", "-h"], ["rule", "--help"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out.startswith("Usage: freezelint")
