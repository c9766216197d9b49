"""Whatever the text, a reading ends: in findings, a limit, or FRZ002, never in a fault of the reader."""

from __future__ import annotations

import sys

import pytest

from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.reader import read as read_file
from tests.source.robustness.hostile import CASES, SCRIPTS, programs
from tests.source.robustness.reading import faults_of, read


def test_a_fault_of_the_reader_would_be_seen_here() -> None:
    class Broken(Project):
        def find(self, importing: SourceFile, module: str, level: int) -> SourceFile | None:
            raise KeyError(module)

    file = SourceFile("train.py", "import helper\nhelper.freeze.requires_grad = False\n")
    assert faults_of(read_file(file, Broken(file)).limits) == [
        "freezelint could not follow it (KeyError: 'helper')"
    ]


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_done_with_something_odd(name: str) -> None:
    for program in programs(name):
        read(program)


@pytest.mark.parametrize("name", SCRIPTS)
def test_hostile_scripts(name: str) -> None:
    read(SCRIPTS[name])


def test_the_interpreter_is_left_as_it_was() -> None:
    before = sys.getrecursionlimit()
    read(SCRIPTS["loops in loops"])
    assert sys.getrecursionlimit() == before
