"""`freezelint check --measure` tells what corrections would save, for factories."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freezelint.cli import main

FACTORY = """\
import torch
from torch import nn


def parts(steps):
    model = nn.Sequential(nn.Sequential(*(nn.Linear(128, 128) for _ in range(4))), nn.Linear(128, 2))
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.01)
    batches = iter(range(steps))

    def step():
        next(batches)
        model(torch.randn(64, 128)).square().mean().backward()

    return model, optimizer, step


def build():
    return parts(1000)


def short():
    return parts(4)


def clean():
    model, _, step = parts(1000)
    return model, torch.optim.SGD(model.parameters(), lr=0.01), step
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(FACTORY)
    return tmp_path


def measured(capsys: pytest.CaptureFixture[str], target: str) -> tuple[int, str]:
    status = main(["check", "--no-source", "--measure", "--no-cache", target])
    return status, capsys.readouterr().out


def test_a_factory_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(
        ["check", "--no-source", "--measure", "--no-cache", "--output-format", "json", "train.py:build"]
    )
    document = json.loads(capsys.readouterr().out)
    (measurement,) = document["measurements"]
    gradients = 4 * (128 * 128 + 128) * 4
    assert status == 1
    assert document["summary"]["steps"] == 2
    assert measurement["corrected"] == ["FRZ301"]
    assert measurement["bytes_before"] - measurement["bytes_after"] > gradients
    assert measurement["seconds_before"] > 0


def test_only_what_is_selected_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--no-source", "--measure", "--no-cache", "--ignore", "FRZ301", "train.py:build"])
    told = capsys.readouterr().out
    assert "Correcting" not in told
    assert "nothing was found that can be corrected" in told


def test_it_is_told_in_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    _, told = measured(capsys, "train.py:build")
    assert "\nCorrecting FRZ301 " in told
    assert told.splitlines()[-3].endswith(", measured on the CPU")


def test_a_clean_step_has_nothing_to_measure(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = measured(capsys, "train.py:clean")
    assert status == 0
    assert "Limits: what a step costs was not measured (nothing was found that can be corrected" in told


def test_a_step_that_cannot_be_repeated_so_often_is_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = measured(capsys, "train.py:short")
    assert status == 1
    assert "FRZ301" in told
    assert "the step could not be repeated: StopIteration" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--run", "train.py"],
            "--measure repeats a step, and train.py has none that can be repeated: name a",
        ),
        (["train.py"], "--measure repeats a step, and what is only read has none that can be repeated: name"),
        (["train.py:build", "--device", "fake"], "--measure with --device fake: fake tensors cost nothing"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["check", "--measure", *arguments]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""
