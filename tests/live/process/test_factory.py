"""What a factory may return as its optimizer, and how it is stepped."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from freezelint.evidence import Failure, Trace
from freezelint.live.process.factory import run_factory
from freezelint.live.recorder import Recorder
from freezelint.live.settings import LiveSettings

Run = Callable[[str], tuple[Failure | None, Trace]]

PARTS = """
import torch
from torch import nn

class Wrapper:
    def __init__(self, model):
        self.inner = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(self):
        self.inner.step()

    def zero_grad(self):
        self.inner.zero_grad()

class Passing:
    def __init__(self, model):
        self.inner = torch.optim.SGD(model.parameters(), lr=0.1)

    def __getattr__(self, name):
        return getattr(self.inner, name)

class Several(Wrapper):
    def __init__(self, model):
        self.all = [torch.optim.SGD([parameter], lr=0.1) for parameter in model.parameters()]

    def step(self):
        for optimizer in self.all:
            optimizer.step()

    def zero_grad(self):
        for optimizer in self.all:
            optimizer.zero_grad()

class ByHand(Wrapper):
    def __init__(self, model):
        self.parameters = list(model.parameters())

def build(wrapper, itself=False):
    model = nn.Linear(4, 2)
    optimizer = wrapper(model)

    def step():
        model(torch.randn(8, 4)).square().mean().backward()
        if itself:
            optimizer.step()
            optimizer.zero_grad()

    return model, optimizer, step

def plain():
    return build(lambda model: torch.optim.SGD(model.parameters(), lr=0.1))

def scaled():
    model, optimizer, _ = plain()
    scaler = torch.amp.GradScaler("cpu", init_scale=1e38)

    def step():
        optimizer.zero_grad()
        scaler.scale(model(torch.full((8, 4), 100.0)).square().sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert model.weight.isfinite().all(), "a step that the scaler skipped was taken"

    return model, optimizer, step

def wrapper(): return build(Wrapper)
def wrapper_itself(): return build(Wrapper, True)
def passing(): return build(Passing)
def several(): return build(Several)
def by_hand(): return build(ByHand)
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "parts", None)  # taken out again after the test
    (tmp_path / "parts.py").write_text(textwrap.dedent(PARTS))

    def run(name: str) -> tuple[Failure | None, Trace]:
        with Recorder("parts.py", LiveSettings()) as recorder:
            return run_factory(f"parts.py:{name}", recorder, 2), recorder.trace()

    return run


@pytest.mark.parametrize("name", ["plain", "wrapper", "wrapper_itself", "passing"])
def test_an_optimizer_or_an_object_around_one(run: Run, name: str) -> None:
    failure, trace = run(name)
    assert failure is None
    assert trace.steps_done == 2
    assert [optimizer.class_name for optimizer in trace.optimizers] == ["SGD"]


def test_an_object_around_several(run: Run) -> None:
    failure, trace = run("several")
    assert failure is None
    assert (len(trace.optimizers), trace.steps_done) == (2, 4)


def test_a_step_that_the_scaler_skips_is_not_taken(run: Run) -> None:
    failure, trace = run("scaled")
    assert failure is None
    assert trace.steps_done == 0


def test_an_object_that_updates_by_hand_is_refused(run: Run) -> None:
    failure, _ = run("by_hand")
    assert failure is not None
    assert failure.kind == "bad-factory"
    assert failure.message.startswith(
        "`parts.py:by_hand` returned an object of class ByHand as its optimizer, which neither is nor holds "
        "a torch.optim.Optimizer"
    )
    assert failure.location is not None
