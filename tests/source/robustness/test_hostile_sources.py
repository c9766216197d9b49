"""Whatever the text, a reading ends: in findings, a limit, or FRZ002, never in a fault of the reader."""

from __future__ import annotations

import sys

import pytest

from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.interpreter import machine
from freezelint.source.interpreter.signals import BudgetError
from freezelint.source.reader import read as read_file
from tests.source.reading import read_source
from tests.source.robustness.hostile import CASES, SCRIPTS, programs
from tests.source.robustness.reading import faults_of, read


class _Broken(Project):
    def find(self, importing: SourceFile, module: str, level: int) -> SourceFile | None:
        raise KeyError(f"{importing.path}: {module}, {level}")


def test_a_fault_of_the_reader_would_be_seen_here() -> None:
    file = SourceFile("train.py", "import helper\nhelper.x\n")
    reading = read_file(file, _Broken(file), in_full=True)
    assert faults_of(reading.limits) == ["freezelint could not follow it (KeyError: 'train.py: helper, 0')"]


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_done_with_something_odd(name: str) -> None:
    for program in programs(name):
        read(program)


@pytest.mark.parametrize("name", SCRIPTS)
def test_hostile_scripts(name: str) -> None:
    read(SCRIPTS[name])


def test_what_the_budget_does_not_see_ends_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MOST_SECONDS", -1.0)
    with pytest.raises(BudgetError, match="it takes longer than"):
        read_source("for i in range(1000):\n    x = i\n")


def test_the_interpreter_is_left_as_it_was() -> None:
    before = sys.getrecursionlimit()
    read(SCRIPTS["loops in loops"])
    assert sys.getrecursionlimit() == before
