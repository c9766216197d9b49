"""Reading one file: which entries it has, and which paths through them are taken.

The module body is an entry, as `python file.py` runs it. What nothing there calls (functions, classes that are
never instantiated) is run on its own with unknown arguments: a fragment. For each entry the run is repeated
with decisions turned round, one at a time, those that matter most first.
"""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from freezelint.evidence import Event, Limit, Trace
from freezelint.source import entries
from freezelint.source.all_paths import settled
from freezelint.source.files import SourceFile
from freezelint.source.machine import Machine
from freezelint.source.paths import Decision, Decisions
from freezelint.source.project import Project
from freezelint.source.signals import BudgetError, Signal
from freezelint.source.tracing import trace_of

# Runs of one entry, and all expressions that the runs over one file may evaluate.
MOST_PATHS = 14
MOST_TICKS = 400_000
_STACK = 256 * 1024 * 1024
_MOST_RECURSION = 20_000


@dataclass(frozen=True)
class Run:
    """One run over an entry: the decisions it took, and what it established."""

    decisions: tuple[Decision, ...]
    trace: Trace
    entry: str = ""


@dataclass(frozen=True)
class Reading:
    """What was established of one file: for each entry its runs, the usual one first."""

    path: str
    entries: tuple[tuple[Run, ...], ...] = ()
    limits: tuple[Limit, ...] = ()


def read(file: SourceFile, project: Project) -> Reading:
    """Read a file that parses. Never raises and never hangs: what goes wrong is a limit."""
    tree = project.tree(file)
    if tree is None:
        return Reading(file.path)
    return _with_deep_stack(lambda: _Reader(file, project, tree).read())


def _with_deep_stack(work: Callable[[], Reading]) -> Reading:
    """Run in a thread with room for the recursion that nested code needs."""
    results: list[Reading] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    before_size, before_limit = threading.stack_size(_STACK), sys.getrecursionlimit()
    try:
        thread = threading.Thread(target=run)
        sys.setrecursionlimit(max(before_limit, _MOST_RECURSION))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before_size)
        sys.setrecursionlimit(before_limit)
    if errors:
        raise errors[0]
    return results[0]


class _Reader:
    """The runs over one file."""

    def __init__(self, file: SourceFile, project: Project, tree: ast.Module) -> None:
        self._file, self._project, self._tree = file, project, tree
        self._ticks = 0
        self._limits: dict[tuple[str, str], Limit] = {}

    def read(self) -> Reading:
        found: list[tuple[Run, ...]] = []
        main = tuple(self._paths(entries.MAIN))
        found.append(main)
        for entry in entries.fragments(self._last):
            if self._ticks > MOST_TICKS:
                self._limit("some functions", "the file is too long to follow all of it")
                break
            found.append(tuple(self._paths(entry)))
        limits = tuple(self._limits.values())
        return Reading(self._file.path, settled(found), limits)

    def _paths(self, entry: entries.Entry) -> Iterator[Run]:
        """The usual path, then those with one decision turned round, then with two of these."""
        usual = self._run(entry, {})
        yield usual
        tried = {_key({})}
        queue = _turned(usual, {})
        count = 1
        while queue and count < MOST_PATHS:
            forced = queue.pop(0)
            if _key(forced) in tried:
                continue
            if self._ticks > MOST_TICKS:
                self._limit("some conditions", "the file is too long to follow both sides of all of them")
                return
            tried.add(_key(forced))
            path = self._run(entry, forced)
            count += 1
            yield path
            if len(forced) == 1:
                known = {decision.condition for decision in usual.decisions}
                queue += _turned(path, forced, known)

    def _run(self, entry: entries.Entry, forced: dict[str, bool]) -> Run:
        machine = self._last = Machine(self._file, self._project, Decisions(forced))
        try:
            entries.run(machine, entry, self._tree)
        except Signal:
            pass
        except BudgetError as error:
            self._limit("a part of the file", str(error))
        except (RecursionError, MemoryError):
            self._limit("a part of the file", "it is nested too deeply to follow")
        except Exception as error:  # a fault of the reader: it must not take the run over other files with it
            self._limit("a part of the file", f"freezelint could not follow it ({type(error).__name__}: {error})")
        self._ticks += machine.ticks
        trace = trace_of(machine)
        if entry.is_fragment:
            trace = replace(trace, events=tuple(_of_fragment(event) for event in trace.events))
        self._limits.update(machine.limits)
        return Run(tuple(machine.decisions.taken.values()), trace, entry.name)

    def _limit(self, what: str, why: str) -> None:
        self._limits.setdefault((what, why), Limit(what, why, self._file.path))


def _of_fragment(event: Event) -> Event:
    return replace(event, fragment=True)


def _turned(path: Run, forced: dict[str, bool], known: set[str] | None = None) -> list[dict[str, bool]]:
    """The forced decisions of the runs that follow from one: each other decision turned, what matters first."""
    worth = [
        decision
        for decision in path.decisions
        if decision.weight and decision.condition not in forced and decision.condition not in (known or ())
    ]
    worth.sort(key=lambda decision: -decision.weight)
    return [{**forced, decision.condition: not decision.taken} for decision in worth]


def _key(forced: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(forced.items()))


