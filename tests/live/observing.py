"""A recorder around a few statements, for tests that look at single pieces of evidence."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from freezelint.evidence import Event, Location, Trace
from freezelint.live.recorder import Recorder
from freezelint.live.settings import LiveSettings


def observed() -> Recorder:
    """What watches the statements inside `with observed() as recorder:`."""
    return Recorder("story.py", LiveSettings(steps=2))


def kinds(recorder: Recorder) -> list[str]:
    """The kinds of all events so far, in order."""
    return [record.kind for record in recorder.journal.records]


def events(recorder: Recorder, *wanted: str) -> list[Event]:
    """The events of these kinds, with the places of the modules that they concern."""
    return [event for event in recorder.trace().events if event.kind in wanted]


def line_of(location: Location | None) -> str:
    """The text of the line that a location points to, from the test that calls this."""
    assert location is not None
    frame = inspect.stack()[1]
    text = Path(frame.filename).read_text(encoding="utf-8").splitlines()
    return text[location.line - 1].strip()


def names(trace: Trace, parameters: Iterable[int]) -> list[str]:
    """The paths of these parameters."""
    return [trace.parameters[parameter].path for parameter in parameters]


def step(model: nn.Module, optimizer: torch.optim.Optimizer, inputs: torch.Tensor) -> None:
    """One whole training step: any loss will do."""
    optimizer.zero_grad()
    model(inputs).square().mean().backward()
    optimizer.step()
