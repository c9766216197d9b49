"""Whether anything can step a schedule, as the user's files tell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from freezelint.evidence import Location
from freezelint.live.reading.places import shown_path
from freezelint.live.reading.schedules import can_step, rate_writes

BUILT = "torch.optim.lr_scheduler.StepLR(optimizer, 1)"


class Script:
    """A file of the user's that is imported; `built` finds the schedule in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, source: str) -> Location:
        self.path.write_text(source)
        return self.built(BUILT)

    def built(self, call: str, calls: tuple[Location, ...] = ()) -> Location:
        for number, line in enumerate(self.path.read_text().splitlines(), 1):
            if call in line:
                column = line.index(call) + 1
                return Location(
                    shown_path(str(self.path)), number, column, number, column + len(call), calls=calls
                )
        raise AssertionError(call)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    module = ModuleType("script_with_a_schedule")
    module.__file__ = str(tmp_path / "script_with_a_schedule.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Script(Path(module.__file__))


@pytest.mark.parametrize(
    "source",
    [
        f"schedule = {BUILT}\nschedule.step()\n",
        f"schedule = {BUILT}\nadvance = schedule.step\n",
        f"schedule = {BUILT}\ntrain(model, optimizer, schedule)\n",
        f"def make(optimizer):\n    schedule = {BUILT}\n    return optimizer, schedule\n",
        f"schedules = [{BUILT}]\n",
        f"engine.schedule = {BUILT}\n",
        f"one, schedule = 1, {BUILT}\n",
        f"register({BUILT})\n",
        f"schedule = wrap({BUILT})\n",
        f"schedule = {BUILT}\nnames = globals()['schedule']\n",
        f"class T:\n    def f(self):\n        self.fading_plan = {BUILT}\n        self.fading_plan.step()\n",
        f"class T(Trainer):\n    def f(self):\n        self.lr_scheduler = {BUILT}\n",
    ],
)
def test_something_can(script: Script, source: str) -> None:
    assert can_step(script.write(source), None)


@pytest.mark.parametrize(
    "source",
    [
        f"schedule = {BUILT}\noptimizer.step()\n",
        f"schedule: object = {BUILT}\n",
        f"schedule = {BUILT}\nprint(schedule.get_last_lr())\ntorch.save(schedule.state_dict(), 'file')\n",
        f"{BUILT}\n",
        f"def f(optimizer):\n    schedule = {BUILT}\n\nother.schedule.step()\n",
        f"class T:\n    def f(self):\n        self.fading_plan = {BUILT}\n        self.optimizer.step()\n",
        f"class T(nn.Module):\n    def f(self):\n        self.fading_plan = {BUILT}\n",
    ],
)
def test_nothing_can(script: Script, source: str) -> None:
    assert not can_step(script.write(source), None)


def test_what_a_helper_returns_is_held_by_its_caller(script: Script) -> None:
    script.write(f"def make(optimizer):\n    return {BUILT}\n\nschedule = make(optimizer)\n")
    caller = Location(shown_path(str(script.path)), 4, 12, 4, 27)
    assert not can_step(script.built(BUILT, (caller,)), None)


def test_what_is_returned_to_nobody_known(script: Script) -> None:
    assert can_step(script.write(f"def make(optimizer):\n    return {BUILT}\n"), None)


def test_after_the_end_of_the_script(script: Script) -> None:
    """Whatever holds it: the only thing that steps is the optimizer, and that was seen."""
    built = script.write(f"schedule = {BUILT}\ntrain(schedule)\nfor _ in range(3):\n    optimizer.step()\n")
    others = {(s, n) for s, n in _steps_elsewhere(script)}
    assert can_step(built, None)
    assert can_step(built, frozenset())
    assert not can_step(built, frozenset({(built.path, 4), *others}))


def _steps_elsewhere(script: Script) -> Iterator[tuple[str, int]]:
    """Lines of this project's own files that step something: under pytest they are imported, too."""
    from freezelint.live.reading import schedules

    for source in schedules._sources({shown_path(str(script.path))}):
        if source.path != shown_path(str(script.path)):
            yield from ((source.path, line) for line in source.steps)


def test_where_nothing_is_known_of_its_place() -> None:
    assert can_step(None, None)
    assert can_step(Location("<stdin>", 1), None)


def test_statements_that_write_rates(script: Script) -> None:
    script.write(
        f"schedule = {BUILT}\nfor group in groups:\n    group['lr'] = 0.1\n    group['momentum'] = 0.9\n"
    )
    own = [write for write in rate_writes() if write.path == shown_path(str(script.path))]
    assert [write.line for write in own] == [3]
