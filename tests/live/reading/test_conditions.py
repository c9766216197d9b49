"""Which cuts of the graph depend on a condition, told from the running line."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from freezelint.live.reading.conditions import cut_on_condition, no_grad_on_condition

ALWAYS = [
    "with torch.no_grad():\n    cut()",
    "for _ in range(2):\n    with torch.no_grad():\n        cut()",
    "if tune:\n    for _ in range(2):\n        with torch.no_grad():\n            cut()",
    "with torch.set_grad_enabled(False):\n    cut()",
    "with torch.no_grad():\n    if tune or not tune:\n        cut()",
    "@torch.inference_mode()\ndef run():\n    cut()\nrun()",
]
SOMETIMES = [
    "with torch.set_grad_enabled(not on):\n    cut()",
    "with (torch.no_grad() if on else torch.enable_grad()):\n    cut()",
    "if on:\n    with torch.no_grad():\n        cut()",
    "for _ in range(2):\n    if on:\n        with torch.no_grad():\n            cut()",
    "switch = torch.no_grad\nwith switch():\n    cut()",
    "@torch.no_grad()\ndef run():\n    cut()\nif on:\n    run()",
    "def run():\n    if not on:\n        return cut()\n    with torch.no_grad():\n        cut()\nrun()",
]


def _asked(source: str, directory: Path, question: object) -> bool:
    path = directory / "train.py"
    path.write_text(dedent(source), encoding="utf-8")
    answers: list[bool] = []

    def cut(value: object = None) -> object:
        frame = sys._getframe(1)

        answers.append(question(frame))  # type: ignore[operator]
        return value

    import torch

    exec(
        compile(path.read_text(encoding="utf-8"), str(path), "exec"),
        {"torch": torch, "cut": cut, "on": True, "tune": True},
    )
    (answer,) = set(answers)
    return answer


@pytest.mark.parametrize("source", ALWAYS)
def test_gradients_that_are_off_in_every_turn(source: str, tmp_path: Path) -> None:
    assert not _asked(source, tmp_path, no_grad_on_condition)


@pytest.mark.parametrize("source", SOMETIMES)
def test_gradients_that_a_condition_turns_off(source: str, tmp_path: Path) -> None:
    assert _asked(source, tmp_path, no_grad_on_condition)


def test_a_cut_that_is_always_made(tmp_path: Path) -> None:
    assert not _asked(
        "class Value:\n    data = 1\nfor _ in range(1):\n    cut(Value.data)", tmp_path, cut_on_condition
    )


@pytest.mark.parametrize("source", ["if on:\n    cut()", "class V:\n    data = 1\ncut(V.data) if on else 1"])
def test_a_cut_on_a_condition(source: str, tmp_path: Path) -> None:
    assert _asked(source, tmp_path, cut_on_condition)
