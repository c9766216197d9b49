"""A script that refuses to run without a GPU is told that there is one; others go to the CPU."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from freezelint.live.devices.gpu_demands import refuses_without_gpu


def answer(tmp_path: Path, script: str) -> bool:
    """What `torch.cuda.is_available()` answers this script; it asks once."""
    answers: list[bool] = []

    def is_available() -> bool:
        answers.append(refuses_without_gpu(sys._getframe(1)))
        return answers[-1]

    file = tmp_path / "train.py"
    file.write_text(script)
    names = {"torch": SimpleNamespace(cuda=SimpleNamespace(is_available=is_available)), "sys": sys}
    exec(compile(script, str(file), "exec"), names)
    return answers[0]


@pytest.mark.parametrize(
    "script",
    [
        'device = "cuda" if torch.cuda.is_available() else "cpu"',
        "if torch.cuda.is_available():\n    print('on a GPU')",
        "if not torch.cuda.is_available():\n    print('slow')",
        "def at():\n    if not torch.cuda.is_available():\n        return 'cpu'\n    return 'cuda'\nat()",
        "assert not torch.cuda.is_available()",
        "found = torch.cuda.is_available()\nif False:\n    raise RuntimeError('something else')",
    ],
)
def test_a_script_that_can_do_without(tmp_path: Path, script: str) -> None:
    assert not answer(tmp_path, script)


@pytest.mark.parametrize(
    "script",
    [
        "assert torch.cuda.is_available()",
        "assert torch.cuda.is_available() and True, 'needs a GPU'",
        "if not torch.cuda.is_available():\n    raise RuntimeError('needs a GPU')",
        "if True and (\n    not torch.cuda.is_available()\n):\n    print('needs a GPU')\n    sys.exit(1)",
        "if torch.cuda.is_available():\n    pass\nelse:\n    exit('needs a GPU')",
    ],
)
def test_a_script_that_refuses(tmp_path: Path, script: str) -> None:
    assert answer(tmp_path, script)
