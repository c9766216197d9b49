"""Small sources read for tests: the machine after a run, or the findings."""

from __future__ import annotations

import textwrap
from contextlib import suppress
from pathlib import Path

from freezelint.evidence import Trace
from freezelint.finding import Finding
from freezelint.source import entries
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.interpreter.machine import Machine
from freezelint.source.interpreter.paths import Decisions
from freezelint.source.interpreter.signals import Signal
from freezelint.source.interpreter.values import Value
from freezelint.source.judging import findings_of
from freezelint.source.reader import read
from freezelint.source.recording.tracing import trace_of


def read_source(text: str, **decisions: bool) -> Machine:
    """The machine after the usual run over the body of this source; faults of the reader are raised."""
    text = textwrap.dedent(text)
    file = SourceFile("train.py", text)
    machine = Machine(file, Project(file), Decisions(dict(decisions)))
    tree = machine.project.tree(file)
    assert tree is not None, "the source does not parse"
    with suppress(Signal):
        entries.run(machine, entries.MAIN, tree)
    return machine


def variables(machine: Machine) -> dict[str, Value]:
    """The global variables of the script after the run."""
    return machine.modules["train.py"].scope


def value_of(text: str, name: str = "result") -> Value:
    """What a variable of this source holds in the end."""
    return variables(read_source(text))[name]


def traced(text: str, **decisions: bool) -> Trace:
    """The evidence of the usual run over the body of this source."""
    return trace_of(read_source(text, **decisions))


def found_in(text: str, place: Path | None = None) -> list[Finding]:
    """All findings of the source reader, whatever is selected."""
    file = SourceFile("train.py", textwrap.dedent(text), place)
    return findings_of(read(file, Project(file)))


def codes(findings: list[Finding]) -> list[str]:
    """The codes of findings, in order."""
    return [finding.code for finding in findings]
