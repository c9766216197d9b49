"""The core starts without torch: the linter must be at home in a pre-commit environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Run the command line, then tell which of the heavy libraries came in.
PROBE = """
import sys
from freezelint.cli import main
try:
    status = main(sys.argv[1:])
finally:
    heavy = {"torch", "numpy", "torchvision", "transformers"}
    print("heavy:", sorted(heavy & sys.modules.keys()), file=sys.stderr)
sys.exit(status)
"""


def start(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["rule", "FRZ201"], 0),
        (["rule", "--all"], 0),
        (["rule", "--all", "--output-format", "json"], 0),
        (["check", "--help"], 0),
        (["check", "train.py"], 0),
        (["check", "--no-cache", "-j", "2"], 0),
        (["check"], 0),
        (["clean"], 0),
        (["map", "resnet50"], 0),
        (["plan", "resnet50", "--samples", "5000", "--similarity", "medium"], 0),
    ],
)
def test_torch_stays_out(tmp_path: Path, arguments: list[str], status: int) -> None:
    (tmp_path / "train.py").write_text("import torch\n")
    done = start(tmp_path, *arguments)
    assert done.stderr.endswith("heavy: []\n"), done.stderr
    assert done.returncode == status, done.stderr


def test_the_parent_of_a_live_run_never_imports_torch(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\nprint('torch is', torch.__name__)\n")
    done = start(tmp_path, "check", "--run", "train.py")
    assert "torch is torch" in done.stderr, "the child ran the script"
    assert done.stderr.endswith("heavy: []\n"), done.stderr


def test_one_file_needs_no_processes(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\nloss.backward()\n")
    probe = "import sys; from freezelint.cli import main; main(['check', 'train.py']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert not {"multiprocessing", "concurrent.futures", "asyncio"} & set(done.stdout.split())


def test_version_imports_neither_rules_nor_reports(tmp_path: Path) -> None:
    probe = "import sys; from freezelint.cli import main; main(['--version']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    ours = {name for name in done.stdout.split() if name.startswith("freezelint.")}
    assert ours <= {"freezelint.cli", "freezelint.errors"}
