"""The GitHub Action: its steps run here as a runner runs them, all but those that other actions do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from freezelint import __version__
from tests.ci.checkout import CLEAN, FAULTY, ROOT, clone, environment

FILE = Path(".github/actions/freezelint/action.yml")
ACTION: dict[str, Any] = yaml.safe_load((ROOT / FILE).read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")


class Runner:
    """Runs the steps in a directory. `used` are the actions it would have called, with their inputs."""

    def __init__(self, checkout: Path, temporary: Path) -> None:
        self._action = checkout / FILE.parent
        self._temporary = temporary
        temporary.mkdir(parents=True, exist_ok=True)
        self._values: dict[str, str] = {}
        self.used: dict[str, dict[str, str]] = {}
        self.printed = ""

    def run(self, directory: Path, steps: list[dict[str, Any]] = STEPS, **given: str) -> int:
        """The exit status of the first step that fails, else 0. `given` are inputs, with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in given.items()}
        assert named.keys() <= ACTION["inputs"].keys()
        self._values |= {"github.action_path": str(self._action), "runner.temp": str(self._temporary)}
        for name, declared in ACTION["inputs"].items():
            self._values[f"inputs.{name}"] = named.get(name, declared["default"])
        self.used, self.printed = {}, ""
        for step in steps:
            if "if" in step and self._evaluated(step["if"]) != "true":
                continue
            if "uses" in step:
                self.used[step["uses"]] = {name: self._filled(value) for name, value in step["with"].items()}
                continue
            status = self._shell(step, directory)
            if status:
                return status
        return 0

    def hand_on(self, step: str, name: str, value: str) -> None:
        """Have a step hand this on."""
        self._values[f"steps.{step}.outputs.{name}"] = value

    def output(self, step: str, name: str) -> str:
        """What a step handed on."""
        return self._values[f"steps.{step}.outputs.{name}"]

    def _shell(self, step: dict[str, Any], directory: Path) -> int:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "text from outside belongs into variables, not into the script"
        outputs = self._temporary / "outputs"
        outputs.write_text("")
        variables = {name: self._filled(value) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=directory,
            env=environment(**variables, GITHUB_OUTPUT=str(outputs)),
            capture_output=True,
            text=True,
            check=False,
        )
        self.printed += done.stdout + done.stderr
        for line in outputs.read_text().splitlines():
            name, _, value = line.partition("=")
            self.hand_on(step["id"], name, value)
        return done.returncode

    def _filled(self, text: str) -> str:
        return EXPRESSION.sub(lambda found: self._evaluated(found[1]), text)

    def _evaluated(self, expression: str) -> str:
        """As much of GitHub's expressions as the action has: names, texts, `==`, `!=` and `a && b || c`."""
        chosen = re.fullmatch(r"(.+) && (.+) \|\| (.+)", expression)
        if chosen:
            return self._evaluated(chosen[2] if self._evaluated(chosen[1]) == "true" else chosen[3])
        compared = re.fullmatch(r"(\S+) ([!=])= (\S+)", expression)
        if compared:
            same = self._evaluated(compared[1]) == self._evaluated(compared[3])
            return str(same == (compared[2] == "=")).lower()
        return expression[1:-1] if expression.startswith("'") else self._values[expression]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner on which freezelint is installed already: as in the environment of the tests."""
    runner = Runner(ROOT, tmp_path / "temporary files")
    runner.hand_on("install", "command", shutil.which("freezelint", path=Path(sys.executable).parent) or "")
    return runner


CHECK = [step for step in STEPS if step.get("id") != "install"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    (project / "clean.py").write_text(CLEAN)
    (project / "faulty.py").write_text(FAULTY)
    (project / "pyproject.toml").write_text('[tool.freezelint]\nentry = "needs_torch:build"\n')
    return project


def test_a_clean_project_passes(runner: Runner, project: Path) -> None:
    (project / "faulty.py").unlink()
    assert runner.run(project, CHECK) == 0, runner.printed
    assert runner.printed == "No freezing bugs found in this directory (1 file read)\n"
    assert runner.output("check", "status") == "0"
    (upload,) = runner.used.values()
    assert json.loads(Path(upload["sarif_file"]).read_text())["runs"][0]["results"] == []


def test_findings_are_uploaded_and_then_it_fails(runner: Runner, project: Path) -> None:
    assert runner.run(project, CHECK) == 1
    assert runner.used.keys() == {"github/codeql-action/upload-sarif@v3"}
    (upload,) = runner.used.values()
    assert upload["sarif_file"] == runner.output("check", "sarif-file")
    (result,) = json.loads(Path(upload["sarif_file"]).read_text())["runs"][0]["results"]
    assert result["ruleId"] == "FRZ201"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "faulty.py"
    assert runner.printed.startswith("warning[FRZ201] frozen-param-in-optimizer\n")
    assert not (project / ".freezelint_cache").exists(), "the checkout stays as it is"


def test_without_an_upload_they_are_annotations(runner: Runner, project: Path) -> None:
    assert runner.run(project, CHECK, upload_sarif="false", paths="clean.py faulty.py") == 1
    assert runner.used == {}
    assert runner.printed.startswith("::warning file=faulty.py,line=6,")


def test_paths_and_arguments(runner: Runner, project: Path) -> None:
    assert runner.run(project, CHECK, paths="clean.py") == 0, runner.printed
    assert runner.run(project, CHECK, arguments="--ignore FRZ2 --exclude *_pb2.py") == 0, runner.printed
    assert runner.run(project, CHECK, arguments="--exit-zero") == 0, runner.printed


def test_bad_arguments_fail_before_the_upload(runner: Runner, project: Path) -> None:
    assert runner.run(project, CHECK, arguments="--ignore FRZ999") == 2
    assert runner.used == {}
    assert "there is no rule 'FRZ999'" in runner.printed


def test_it_installs_what_it_comes_with(project: Path, tmp_path: Path) -> None:
    runner = Runner(clone(tmp_path / "checkout"), tmp_path / "temporary files")
    assert runner.run(project) == 1, runner.printed
    assert "warning[FRZ201] frozen-param-in-optimizer\n" in runner.printed
    assert Path(runner.output("install", "command")).is_relative_to(tmp_path / "temporary files")


def test_a_version_and_a_python_can_be_chosen(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, wheels = clone(tmp_path / "checkout"), tmp_path / "wheels"
    command = [sys.executable, "-m", "pip", "wheel", "-q", str(checkout), "-w", str(wheels)]
    subprocess.run(command, env=environment(), check=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    runner = Runner(tmp_path / "no checkout", tmp_path / "temporary")
    given = {"version": __version__, "python_version": "3.12", "upload_sarif": "false"}
    assert runner.run(project, paths="clean.py", **given) == 0, runner.printed
    assert runner.used == {"actions/setup-python@v5": {"python-version": "3.12"}}


def test_inputs_are_described_and_used() -> None:
    text = (ROOT / FILE).read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    assert all(declared["description"] and "default" in declared for declared in ACTION["inputs"].values())
