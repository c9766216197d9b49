"""Repositories for tests: this checkout as it is now, and projects that use it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What is needed to install freezelint from its repository.
_PARTS = (
    "freezelint",
    "rules",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    ".pre-commit-hooks.yaml",
    ".github",
)
_JUNK = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache")

# FRZ201: the optimizer holds a frozen layer.
FAULTY = """\
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
model[0].requires_grad_(False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(5):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
"""
CLEAN = FAULTY.replace("model.parameters()", "model[1].parameters()")


def environment(**more: str) -> dict[str, str]:
    """The variables of this process without those by which git, when it runs the tests in a hook, tells of
    the repository that it works on.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {
        f"GIT_{role}_{what}": f"{what}@example.com"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return {**kept, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **more}


def git(directory: Path, *arguments: str) -> None:
    """Have git do something there."""
    subprocess.run(["git", *arguments], cwd=directory, env=environment(), check=True, capture_output=True)


def commit_all(directory: Path) -> None:
    """Make the directory a repository, with all that is in it in one commit."""
    git(directory, "init", "-q")
    git(directory, "add", "-A")
    git(directory, "commit", "-q", "-m", "All")


def clone(directory: Path) -> Path:
    """This checkout as it is now, whether committed or not, in a repository of its own."""
    for name in _PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, directory / name, ignore=_JUNK)
        else:
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, directory / name)
    commit_all(directory)
    return directory
