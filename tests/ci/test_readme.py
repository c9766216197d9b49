"""What the README says of CI fits what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from freezelint import __version__
from freezelint.cli import main
from freezelint.config import keys
from tests.ci.checkout import FAULTY, ROOT
from tests.ci.test_action import ACTION

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(key: str) -> list[Any]:
    """The YAML blocks of the README that have this key."""
    loaded = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
    return [block for block in loaded if key in block]


def test_the_hooks_are_there() -> None:
    ((block,),) = (block["repos"] for block in blocks("repos"))
    offered = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {hook["id"] for hook in block["hooks"]} == offered
    assert block["rev"] == f"v{__version__}"


def test_the_workflow_uses_the_action_as_it_is() -> None:
    (workflow,) = blocks("jobs")
    assert workflow["permissions"]["security-events"] == "write"
    (job,) = workflow["jobs"].values()
    (step,) = (step for step in job["steps"] if "freezelint" in step["uses"])
    assert step["uses"].endswith(f"/freezelint/.github/actions/freezelint@v{__version__}")
    assert step["with"].keys() <= ACTION["inputs"].keys()
    assert all(f"`{name}`" in README for name in ACTION["inputs"])


def test_our_own_workflow_uses_it_too() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    (step,) = (step for step in steps if step.get("uses") == "./.github/actions/freezelint")
    assert step["with"].keys() <= ACTION["inputs"].keys()


def test_the_job_for_gitlab_writes_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(FAULTY)
    (job,) = (block["freezelint"] for block in blocks("freezelint"))
    (command,) = (line for line in job["script"] if line.startswith("freezelint "))
    assert main([*command.split()[1:], "--no-cache"]) == 1
    (entry,) = json.loads(Path(job["artifacts"]["reports"]["codequality"]).read_text())
    assert (entry["check_name"], entry["location"]["path"]) == (
        "FRZ201 frozen-param-in-optimizer",
        "train.py",
    )
    assert job["artifacts"]["when"] == "always", "also when something is found"
    assert capsys.readouterr().out == ""


def test_every_key_of_the_configuration_is_named() -> None:
    (listed,) = re.findall(r"^Keys are (.+?)\.", README, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`([\w-]+)`", listed)) == set(keys())
