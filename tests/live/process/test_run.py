"""Running the user's code in a process of its own: as Python would run it, and never lost, however it
ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from freezelint.errors import BadInputError
from freezelint.evidence import Failure, Location, Trace
from freezelint.live.process import failures
from freezelint.live.process.run import run_factory, run_script
from freezelint.live.settings import LiveSettings

SETTINGS = LiveSettings(timeout=120, device="cpu")

TRAINING = """
import torch
from torch import nn

def train(steps, parameters=None):
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters() if parameters is None else parameters, lr=0.1)
    for _ in range(steps):
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
"""

Run = Callable[..., Trace]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Writes `train.py` into the current directory, beside the module `training`, and runs it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "training.py").write_text(TRAINING)

    def run(
        source: str,
        *,
        settings: LiveSettings = SETTINGS,
        progress: Callable[[str], None] = lambda _: None,
        quiet: bool = False,
    ) -> Trace:
        (tmp_path / "train.py").write_text(textwrap.dedent(source))
        return run_script("train.py", [], settings, progress, quiet=quiet)

    return run


def failure_of(trace: Trace) -> Failure:
    assert trace.failure is not None
    return trace.failure


def line_of(location: Location | None) -> tuple[str, int, str] | None:
    return None if location is None else (location.path, location.line, location.function)


# As `python train.py` would


def test_a_script_sees_what_python_would_show_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "project" / "train.py"
    script.parent.mkdir()
    (script.parent / "beside.py").write_text("here = __file__\n")
    script.write_text(
        textwrap.dedent("""
        import beside, json, os, sys
        main = sys.modules["__main__"]
        seen = {
            "argv": sys.argv, "path": sys.path, "cwd": os.getcwd(), "name": __name__, "file": __file__,
            "spec": __spec__, "package": __package__, "own": vars(main) is globals(), "beside": beside.here,
            "names": sorted(name for name in globals() if name != "__annotations__"),
        }
        if __name__ == "__main__":
            with open("seen.json", "w") as file:
                json.dump(seen, file)
        """)
    )
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "project/train.py", "--epochs", "1"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    by_python = json.loads((tmp_path / "seen.json").read_text())
    (tmp_path / "seen.json").unlink()
    run_script("project/train.py", ["--epochs", "1"], SETTINGS, lambda _: None)
    assert json.loads((tmp_path / "seen.json").read_text()) == by_python
    assert not list(tmp_path.rglob("__pycache__")), "nothing is written next to the user's script"


def test_workers_pickles_and_guards(run: Run) -> None:
    """Data-loader workers started by spawn import the script again, and find its classes."""
    trace = run("""
        import pickle
        import torch
        from torch.utils.data import DataLoader, Dataset

        class Numbers(Dataset):
            def __len__(self):
                return 8
            def __getitem__(self, index):
                return torch.full((4,), float(index))

        if __name__ == "__main__":
            pickle.loads(pickle.dumps(Numbers()))
            model = torch.nn.Linear(4, 2)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            loader = DataLoader(Numbers(), batch_size=4, num_workers=1, multiprocessing_context="spawn")
            for batch in loader:
                model(batch).sum().backward()
                optimizer.step()
        """)
    assert (trace.failure, trace.steps_done) == (None, 2)


def test_it_stops_after_the_steps_and_runs_nothing_more(run: Run, tmp_path: Path) -> None:
    said: list[str] = []
    trace = run(
        """
        import atexit, pathlib
        from training import train
        atexit.register(pathlib.Path("atexit").touch)
        try:
            train(1000000)
        except BaseException:
            pathlib.Path("except").touch()
        finally:
            pathlib.Path("finally").touch()
        """,
        settings=replace(SETTINGS, steps=3),
        progress=said.append,
    )
    assert (trace.failure, trace.steps_done, trace.target) == (None, 3, "train.py")
    assert not {"atexit", "except", "finally"} & {path.name for path in tmp_path.iterdir()}
    assert said[:2] == ["importing torch", "running train.py"]


def test_fewer_steps_than_asked_for_are_no_failure(run: Run) -> None:
    trace = run("from training import train\ntrain(1)\nraise SystemExit(0)\n")
    assert (trace.failure, trace.steps_done) == (None, 1)


SPAWNING = """
import torch.multiprocessing
from training import train

def worker(rank, steps):
    train(steps)

if __name__ == "__main__":
    torch.multiprocessing.spawn(worker, args=(2,), nprocs=%d)
"""


def test_a_single_spawned_process_is_watched(run: Run) -> None:
    trace = run(SPAWNING % 1)
    assert (trace.failure, trace.steps_done, trace.limits) == (None, 2, ())


@pytest.mark.parametrize(("count", "told"), [(0, "one process for each GPU"), (2, "2 processes")])
def test_other_spawned_processes_are_told_of(run: Run, count: int, told: str) -> None:
    trace = run(SPAWNING % count)
    assert failure_of(trace).kind == "no-step"
    (limit,) = trace.limits
    assert limit.what == "torch.multiprocessing.spawn"
    assert told in limit.why


def test_what_the_script_prints_goes_to_standard_error(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    script = "import os\nprint('by print')\nos.system('echo by echo')\n"
    failure = failure_of(run(script))
    assert (failure.kind, failure.location) == ("no-step", None)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "by print\n" in printed.err
    assert "by echo\n" in printed.err
    run(script, quiet=True)
    assert capfd.readouterr() == ("", "")


# How runs end otherwise


def test_a_crash_keeps_what_was_seen(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    trace = run("""
        from training import train

        def fail(path):
            return open(path)

        train(1)
        fail("no/such/file.csv")
        """)
    failure = failure_of(trace)
    assert failure.kind == "crash"
    assert failure.message == "FileNotFoundError: [Errno 2] No such file or directory: 'no/such/file.csv'"
    assert line_of(failure.location) == ("train.py", 5, "fail")
    assert [line_of(call) for call in failure.location.calls] == [("train.py", 8, "")]  # type: ignore[union-attr]
    assert "--hermetic" in failure.advice
    assert trace.steps_done == 1
    assert [optimizer.class_name for optimizer in trace.optimizers] == ["SGD"]
    printed = capfd.readouterr().err
    assert "FileNotFoundError" in printed
    assert "freezelint" not in printed, "the script's own traceback, without frames of ours"


def test_a_missing_argument(run: Run) -> None:
    failure = failure_of(
        run("""
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--data", required=True)
        arguments = parser.parse_args()
        """)
    )
    assert failure.kind == "exit"
    assert failure.message == (
        "the script left with `sys.exit(2)`: the following arguments are required: --data"
    )
    assert "freezelint check --run train.py -- ARGS" in failure.advice
    assert line_of(failure.location) == ("train.py", 5, "")


def test_a_thread_that_trains_is_waited_for(run: Run) -> None:
    trace = run("import threading, training\nthreading.Thread(target=training.train, args=(2,)).start()\n")
    assert (trace.failure, trace.steps_done) == (None, 2)


def test_a_hang_is_located_and_ended_with_all_its_workers(run: Run, tmp_path: Path) -> None:
    trace = run(
        """
        import pathlib, subprocess, time
        from training import train
        worker = subprocess.Popen(["sleep", "600"])
        pathlib.Path("worker").write_text(str(worker.pid))
        train(1)
        def wait():
            time.sleep(600)
        wait()
        """,
        settings=replace(SETTINGS, timeout=25),
    )
    failure = failure_of(trace)
    assert (failure.kind, line_of(failure.location)) == ("timeout", ("train.py", 8, "wait"))
    assert "--timeout" in failure.advice
    assert trace.steps_done == 1, "what was seen before is kept"
    assert gone(int((tmp_path / "worker").read_text()))


def test_signals_are_the_scripts_own_also_when_it_hangs(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    trace = run(
        """
        import signal, time
        signal.signal(signal.SIGUSR1, lambda *_: print("sent back to the queue", flush=True))
        while True:
            time.sleep(0.05)
        """,
        settings=replace(SETTINGS, timeout=15),
    )
    assert line_of(failure_of(trace).location) == ("train.py", 5, "")
    assert "queue" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("dying", "message", "located"),
    [
        ("os._exit(3)", "the process ended itself with `os._exit(3)`", True),
        ("ctypes.string_at(0)", "the process was killed by SIGSEGV", True),
        ("os.kill(os.getpid(), 9)", "the process was killed by SIGKILL", False),
    ],
)
def test_a_process_that_vanishes(run: Run, dying: str, message: str, located: bool) -> None:
    trace = run(f"import ctypes, os\nfrom training import train\ntrain(1)\n{dying}\n")
    failure = failure_of(trace)
    assert (failure.kind, failure.message) == ("killed", message)
    assert line_of(failure.location) == (("train.py", 4, "") if located else None)
    assert trace.steps_done == 1, "what was seen before is kept"


def test_interrupting_the_parent_ends_the_script(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(600)\n"
    )
    command = [sys.executable, "-m", "freezelint", "check", "--run", "train.py"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as parent:
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        parent.terminate()
        _, said = parent.communicate(timeout=30)
    assert parent.returncode == 130
    assert said.strip().endswith("interrupted")
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_torch_that_cannot_be_imported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(
        "raise ImportError('libcudart.so.12: cannot open shared object file')\n"
    )
    with pytest.raises(BadInputError, match=r"libcudart.so.12.*pip install 'freezelint\[torch\]'"):
        run("")


def test_faults_of_ours_are_told_from_the_users() -> None:
    with pytest.raises(AttributeError) as ours:
        failures.location_in_dump(None)  # type: ignore[arg-type]
    assert failures.is_own_fault(ours.value)
    with pytest.raises(AttributeError) as theirs:
        None.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert not failures.is_own_fault(theirs.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("torch.ones(5, 4)[9]", "IndexError: index 9 is out of bounds"),
        ("model.weight.is_leaf = False", "AttributeError: attribute 'is_leaf'"),
        ("model.weight.grad.data.detach()[9]", "IndexError: index 9 is out of bounds"),
    ],
)
def test_what_torch_refuses_is_the_scripts_fault(
    run: Run, capfd: pytest.CaptureFixture[str], wrong: str, message: str
) -> None:
    """The calls have passed through frames of ours, which are the last ones in the traceback."""
    before = "import torch\nmodel = torch.nn.Linear(4, 2)\nmodel(torch.ones(1, 4)).sum().backward()"
    failure = failure_of(run(f"{before}\n{wrong}\n"))
    assert failure.message.startswith(message)
    assert line_of(failure.location) == ("train.py", 4, "")
    assert wrong in capfd.readouterr().err, "Python's own traceback is printed"


def test_functions_that_are_watched_go_to_other_processes(run: Run) -> None:
    trace = run("""
        import pickle
        import torch
        from torch import nn
        from training import train

        def loader(read):
            class_ = torch.utils.data.DataLoader
            return class_(Reading(read), num_workers=1, multiprocessing_context="spawn", batch_size=None)

        class Reading(torch.utils.data.Dataset):
            def __init__(self, read):
                self.read = read

            def __len__(self):
                return 1

            def __getitem__(self, index):
                return self.read.__module__

        if __name__ == "__main__":
            for watched in (
                torch.load, torch.save, torch.Generator, torch.Tensor.detach, torch.Tensor.copy_,
                torch.autograd.grad, nn.Module.train, nn.Module.__call__, nn.Module.load_state_dict,
                nn.utils.clip_grad_norm_, nn.utils.clip_grad.clip_grad_norm_, torch.optim.Optimizer.__init__,
                nn.Embedding.from_pretrained, torch.cuda.synchronize, torch.multiprocessing.spawn,
            ):
                assert pickle.loads(pickle.dumps(watched)) == watched
            pickle.loads(pickle.dumps(torch.Generator().manual_seed(1)))
            assert list(loader(torch.load)) == ["torch.serialization"], "torch's own there"
            train(2)
        """)
    assert trace.failure is None


# Factories

FACTORY = """
import torch
from torch import nn

class Parts:
    def __init__(self, steps_itself):
        self.model = nn.Linear(4, 2)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.steps_itself = steps_itself

    def step(self):
        assert self.model.weight.grad is None or self.steps_itself, "gradients are cleared in between"
        self.model(torch.randn(8, 4)).square().mean().backward()
        if self.steps_itself:
            self.optimizer.step()

def build():
    parts = Parts(False)
    return parts.model, parts.optimizer, parts.step

def build_object():
    return Parts(True)

def crash():
    raise ValueError("no such dataset")

def nothing(): return None
def pair(): return nn.Linear(1, 1), None
def no_model(): return 1, 2, 3
def no_optimizer(): return nn.Linear(1, 1), 2, 3
def no_step(): return *build()[:2], 3
def wants(data): return None
constant = 3

if __name__ == "__main__":
    raise RuntimeError("a factory's file is imported, not run")
"""


def build(target: str, root: Path | None = None) -> Trace:
    return run_factory(target, SETTINGS, lambda _: None, root=root)


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "project" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    for path in (tmp_path / "train.py", package / "module.py"):
        path.write_text(FACTORY)
    return tmp_path


@pytest.mark.usefixtures("factory")
@pytest.mark.parametrize("target", ["train.py:build", "train.py:build_object"])
def test_a_factory_is_stepped(target: str) -> None:
    trace = build(target)
    assert (trace.failure, trace.steps_done) == (None, 2)
    assert [model.name for model in trace.models] == ["model"]


def test_a_factory_in_a_module(factory: Path) -> None:
    trace = build("package.module:build", factory / "project")
    assert (trace.failure, trace.steps_done) == (None, 2)


@pytest.mark.usefixtures("factory")
def test_a_factory_that_crashes() -> None:
    failure = failure_of(build("train.py:crash"))
    assert (failure.kind, failure.message) == ("crash", "ValueError: no such dataset")
    assert failure.location is not None
    assert failure.location.function == "crash"


@pytest.mark.usefixtures("factory")
@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nothing", "`train.py:nothing` returned None"),
        ("pair", "`train.py:pair` returned a tuple of 2 (Linear, NoneType)"),
        ("no_model", "`train.py:no_model` returned an object of class int as its model"),
        ("no_optimizer", "`train.py:no_optimizer` returned an object of class int as its optimizer"),
        ("no_step", "`train.py:no_step` returned an object of class int as its step"),
        ("wants", "`train.py:wants` must be callable without arguments: missing a required argument: 'data'"),
    ],
)
def test_a_factory_that_returns_something_else(name: str, complaint: str) -> None:
    failure = failure_of(build(f"train.py:{name}"))
    assert failure.kind == "bad-factory"
    assert failure.message.startswith(complaint)
    assert failure.location is not None


@pytest.mark.usefixtures("factory")
@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("train.py:buidl", "there is no `buidl` in train.py; did you mean `build`?"),
        ("train.py:constant", "`constant` is an object of class int, not a function"),
        ("no_such.module:build", "there is no module 'no_such'"),
    ],
)
def test_a_factory_that_is_not_there(target: str, complaint: str) -> None:
    with pytest.raises(BadInputError) as raised:
        build(target)
    assert complaint in str(raised.value)


def gone(process: int) -> bool:
    """Whether a process has ended, given a moment."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
