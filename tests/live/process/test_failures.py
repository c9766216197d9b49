"""What the ways in which a run can end say: exceptions, exits, and the words of faulthandler."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from freezelint.evidence import Failure
from freezelint.live.process import failures

# What exceptions say


def raised(tmp_path: Path, source: str, *, hermetic: bool = False) -> Failure:
    """The failure that this source ends in."""
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(source))
    try:
        exec(compile(script.read_bytes(), str(script), "exec"), {"__name__": "__main__"})
    except BaseException as error:
        return failures.from_exception(error, "train.py", hermetic=hermetic)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("source", "kind", "message", "line"),
    [
        ("import sys\nsys.exit('no data')", "exit", "the script left with `sys.exit`: no data", 2),
        ("import sys\nsys.exit()", "exit", "the script left with `sys.exit(0)`", 2),
        ("import sys\nsys.exit(5)", "exit", "the script left with `sys.exit(5)`", 2),
        ("x = 1\nif x\n    pass", "crash", "SyntaxError: expected ':' (train.py, line 2)", 2),
        ("import json\n\njson.loads(\n  '{')", "crash", "JSONDecodeError: Expecting property name", 3),
        ("raise KeyboardInterrupt", "crash", "KeyboardInterrupt", 1),
        ("import torch\ntorch.zeros(1).backward()", "no-graph", "RuntimeError: element 0 of tensors", 2),
        ("import torch\ntorch.optim.SGD([])", "empty-optimizer", "ValueError: optimizer got an empty", 2),
    ],
)
def test_what_ended_a_script(tmp_path: Path, source: str, kind: str, message: str, line: int) -> None:
    failure = raised(tmp_path, source)
    assert failure.kind == kind
    assert failure.message.startswith(message)
    assert failure.location is not None
    assert (Path(failure.location.path).name, failure.location.line) == ("train.py", line)


def test_long_messages_are_cut(tmp_path: Path) -> None:
    failure = raised(tmp_path, "raise ValueError('much ' * 1000)")
    assert len(failure.message) < 400
    assert failure.message.endswith("…")


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("open('no/such/file')", "`--hermetic`"),
        ("import urllib.error\nraise urllib.error.URLError('unreachable')", "`--hermetic`"),
        ("raise RuntimeError from ConnectionError()", "`--hermetic`"),
        ("import no_such_module.inner", "install `no_such_module`"),
        ("raise ModuleNotFoundError(name='cv2')", "install `opencv-python`"),
        ("import torch\nraise torch.OutOfMemoryError('CUDA out of memory')", "`--device fake`"),
        ("1 / 0", ""),
    ],
)
def test_what_helps(tmp_path: Path, source: str, advice: str) -> None:
    given = raised(tmp_path, source).advice
    assert advice in given if advice else not given


@pytest.mark.parametrize("source", ["open('no/such/file')", "1 / 0"])
def test_what_is_in_force_already_is_not_advised(tmp_path: Path, source: str) -> None:
    advice = raised(tmp_path, source, hermetic=True).advice
    assert advice
    assert "`--hermetic` runs" not in advice


@pytest.mark.parametrize(
    "source", ["from click import imread", "import click\nclick.imread()", "import click._six"]
)
def test_a_name_that_another_version_of_a_library_had(tmp_path: Path, source: str) -> None:
    advice = raised(tmp_path, source).advice
    assert advice == "install the version of `click` that the script was written for"


def test_a_package_that_lies_elsewhere_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared_buffers").mkdir()
    (tmp_path / "shared_buffers" / "replay.py").touch()
    (tmp_path / "agents").mkdir()
    for here, beside in ((tmp_path / "agents", ".."), (tmp_path, ".")):
        monkeypatch.chdir(here)
        monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", ".", str(here))])
        advice = raised(tmp_path, "import shared_buffers.missing").advice
        assert advice == (
            f"put the project's own `shared_buffers` on the path: `PYTHONPATH={beside} freezelint check …`"
        )


# What faulthandler writes


def test_the_current_thread_comes_first_in_a_crash(tmp_path: Path) -> None:
    dump = f"""Fatal Python error: Aborted

Thread 0x00007f10 (most recent call first):
  File "/usr/lib/python3/site-packages/torch/x.py", line 1 in wait
  File "{tmp_path}/worker.py", line 7 in work

Current thread 0x00007f11 (most recent call first):
  File "/usr/lib/python3/site-packages/torch/y.py", line 2 in run
  File "{tmp_path}/caf\\xe9.py", line 3 in train
  File "{tmp_path}/caf\\xe9.py", line 9 in <module>
"""
    found = failures.location_in_dump(dump)
    assert found is not None
    assert (found.path, found.line, found.function) == (f"{tmp_path}/café.py", 3, "train")
    assert [(call.line, call.function) for call in found.calls] == [(9, "")]


def test_a_dump_without_frames_of_the_users() -> None:
    assert (
        failures.location_in_dump(
            "Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n"
        )
        is None
    )
    assert failures.location_in_dump("") is None
