"""Reading one file: which entries it has, and which paths through them are taken.

The module body is an entry, as `python file.py` runs it. What nothing there calls (functions, classes
that are never instantiated) is run on its own with unknown arguments: a fragment. For each entry the
run is repeated with decisions turned round, one at a time, those that matter most first.
"""

from __future__ import annotations

import ast
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from typing import Any

from freezelint.evidence import Event, Limit, Trace
from freezelint.source import entries
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.interpreter.machine import MOST_SECONDS, Machine
from freezelint.source.interpreter.paths import MATTERS_MUCH, NEVER, Decision, Decisions, assumptions
from freezelint.source.interpreter.signals import BudgetError, Signal
from freezelint.source.interpreter.thresholds import Thresholds
from freezelint.source.interpreter.worlds import NotKeptError, World
from freezelint.source.recording.all_paths import settled
from freezelint.source.recording.tracing import trace_of
from freezelint.source.signs import signs_of

# Runs of one entry, and all expressions that the runs over one file may evaluate.
MOST_PATHS = 14
MOST_TICKS = 300_000
# Of a fragment nobody knows the arguments: what it is about shows early, if at all.
MOST_TICKS_OF_A_FRAGMENT = 30_000
_MOST_TICKS_OF_FRAGMENTS = 150_000  # of all of a file
# How often the world that fragments start from is made anew, for the modules that they import.
_MOST_EXTENSIONS = 4
_WORTH_EXTENDING = 5  # statements of imported modules
# A world is kept where it saves more than this many expressions and statements.
_WORTH_KEEPING = 10_000
# Decisions on the same place of the script that are turned round.
_MOST_ALIKE = 2
_STACK = 256 * 1024 * 1024
_MOST_RECURSION = 20_000


@dataclass(frozen=True)
class Run:
    """One run over an entry: the decisions it took, those of them that were forced on it, and what it
    established.
    """

    decisions: tuple[Decision, ...]
    trace: Trace
    entry: entries.Entry = entries.MAIN
    forced: frozenset[str] = frozenset()
    raised: bool = False  # an exception of the script's ended it
    mistakes: frozenset[str] = frozenset()  # what Python would raise for, and the reader goes on


@dataclass(frozen=True)
class Reading:
    """What was established of one file: for each entry its runs, the usual one first."""

    path: str
    entries: tuple[tuple[Run, ...], ...] = ()
    limits: tuple[Limit, ...] = ()


def read(file: SourceFile, project: Project, *, in_full: bool = False) -> Reading:
    """Read a file that parses. Never raises and never hangs: what goes wrong is a limit. `in_full` means
    that what can show nothing is read, too.
    """
    tree = project.tree(file)
    if tree is None:
        return Reading(file.path)
    if not in_full and not entries.concern_anybody(file, tree):
        return Reading(file.path)
    return _with_deep_stack(lambda: _Reader(file, project, tree, in_full).read())


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

    def __init__(self, file: SourceFile, project: Project, tree: ast.Module, in_full: bool) -> None:
        self._file, self._project, self._tree = file, project, tree
        self._defines = not in_full and not signs_of(file, tree).in_body()  # and does nothing else
        self._ticks, self._most_ticks = 0, MOST_TICKS
        self._cut_short = False  # the latest run over the body did not come to its end
        self._until = time.thread_time() + MOST_SECONDS
        self._limits: dict[tuple[str, str], Limit] = {}
        self._world: World | None = None  # as it is after the body, where each fragment starts
        # Conditions that were decided before the running fragment began: the matter of those before it.
        self._started_with: frozenset[str] = frozenset()
        self._built_with: frozenset[str] = frozenset()  # those, and the ones of the constructor
        self._known: dict[str, Decision] = {}  # by condition, of all runs so far
        self._usual: Machine | None = None  # of the usual run over the body
        self._left = 0  # fragments, with the running one
        self._extended = 0
        self._looked_into: list[entries.Imported] = []  # by the fragment that ran last
        self._classes: dict[str, World] = {}  # with an object of the class, where each method of it starts
        self._thresholds = Thresholds()
        self._met: set[str] = set()  # classes of which some fragment has run

    def read(self) -> Reading:
        main, left = ((), entries.defined(self._file, self._tree)) if self._defines else self._body()
        found = [main] if main else []
        if len(left) > entries.MOST_FRAGMENTS:
            self._limit("some functions", "the file has too many that nothing in it calls")
            del left[entries.MOST_FRAGMENTS :]
        self._most_ticks = min(MOST_TICKS, self._ticks + _MOST_TICKS_OF_FRAGMENTS)
        for position, entry in enumerate(left):
            self._left = len(left) - position
            if self._is_spent():
                self._limit("some functions", "the file is too long to follow all of it")
                break
            found.append(tuple(self._paths(entry)))
        limits = tuple(self._limits.values())
        return Reading(self._file.path, settled(found), limits)

    def _body(self) -> tuple[tuple[Run, ...], list[entries.Entry]]:
        """The runs over the body, and what none of them has followed."""
        main: list[Run] = []
        uncalled: Counter[entries.Entry] = Counter()
        for path in self._paths(entries.MAIN):
            main.append(path)
            self._usual = self._usual or self._last
            uncalled.update(entries.fragments(self._last))
        return tuple(main), [entry for entry, paths in uncalled.items() if paths == len(main)]

    def _paths(self, entry: entries.Entry) -> Iterator[Run]:
        """The usual path, then those with one decision turned round, then with two of these."""
        met = len(self._thresholds.middles)
        usual = self._run(entry, {})
        if len(self._thresholds.middles) > met:
            usual = self._run(entry, {})
        yield usual
        if self._cut_short and not entry.is_fragment:  # other paths would be, too, at twice the time
            self._limit("some conditions", "the script is too long to follow both sides of any")
            return
        tried = {_key({})}
        settled_before = self._started_with if entry.is_fragment else frozenset()
        queue = self._turned(usual, {}, settled_before)
        count = 1
        while queue and count < MOST_PATHS:
            forced = queue.pop(0)
            if _key(forced) in tried:
                continue
            if self._is_spent():
                if len(forced) == 1:
                    self._limit("some conditions", "the file is too long to follow both sides of all of them")
                return
            tried.add(_key(forced))
            path = self._run(entry, forced)
            count += 1
            yield path
            if len(forced) == 1:
                known = {decision.condition for decision in usual.decisions}
                queue += self._turned(path, forced, known | settled_before)
        if any(len(forced) == 1 for forced in queue):
            self._limit(
                "some conditions", f"more than {MOST_PATHS} of them would be worth a path of their own"
            )

    def _is_spent(self) -> bool:
        return self._ticks > self._most_ticks or time.thread_time() > self._until

    def _turned(self, path: Run, forced: dict[str, bool], known: Set[str]) -> list[dict[str, bool]]:
        """The forced decisions of the runs that follow from one: each other decision turned, what
        matters first.
        """
        worth = [
            decision
            for decision in path.decisions
            if decision.weight >= self._least_weight(path, decision)
            and decision.condition not in forced
            and decision.condition not in known
        ]
        worth.sort(key=lambda decision: -decision.weight)
        return [{**forced, decision.condition: not decision.taken} for decision in _few_alike(worth)]

    def _least_weight(self, path: Run, decision: Decision) -> int:
        """What a branch must say to be worth a path: where nothing has happened so far, that it does
        something.
        """
        built = decision.condition in self._built_with
        if not path.entry.trains:
            return NEVER if built and path.entry.function else MATTERS_MUCH
        here = decision.location is None or decision.location.path == self._file.path
        happened = bool(path.trace.events or path.trace.steps or path.raised)
        enough = (here and not built and happened) if path.entry.is_fragment else (here or happened)
        return 1 if enough else MATTERS_MUCH

    def _run(self, entry: entries.Entry, forced: dict[str, bool]) -> Run:
        machine = self._last = self._begun(entry, forced) if entry.is_fragment else self._new(forced)
        machine.decisions.thresholds = self._thresholds.middles
        if entry.is_fragment:
            self._guard(machine, lambda: entries.run_fragment(machine, entry))
        else:
            body = self._guard(machine, lambda: entries.run_body(machine, self._tree, as_script=True))
            self._cut_short = not body
        traces: list[Trace] = []
        self._guard(machine, lambda: traces.append(trace_of(machine)))
        trace = traces[0] if traces else Trace("source", self._file.path)
        if entry.is_fragment:
            trace = replace(trace, events=tuple(_of_fragment(event) for event in trace.events))
        self._limits.update(machine.limits)
        self._thresholds.learn(machine.decisions)
        decisions = tuple(self._thresholds.told(machine.decisions))
        self._known.update({decision.condition: decision for decision in decisions})
        self._looked_into = entries.imported(machine) if entry.is_fragment else []
        mistakes = frozenset(machine.mistakes)
        return Run(decisions, trace, entry, frozenset(forced), machine.raised, mistakes)

    # -- where a run starts -------------------------------------------------------------------------------

    def _new(self, forced: dict[str, bool]) -> Machine:
        decisions = Decisions(dict(forced), assumptions(self._known.values(), forced))
        machine = Machine(self._file, self._project, decisions)
        machine.until = self._until
        return machine

    def _begun(self, entry: entries.Entry, forced: dict[str, bool]) -> Machine:
        """A machine that has run the body, and the constructor that all methods of a class have in common."""
        self._extend()
        for world in (self._classes.get(entry.cls), self._world):
            if world is not None and not world.conditions & forced.keys():
                world.restore()
                machine = world.machine
                machine.decisions.forced = dict(forced)
                machine.decisions.assumed.update(assumptions(self._known.values(), forced))
                break
        else:
            world, machine = None, self._after_body(forced)
            worth = self._defines or self._left * machine.ticks >= _WORTH_KEEPING
            if not forced and self._world is None and worth:
                self._world = world = _kept(machine)
        if not forced:
            self._started_with = frozenset(machine.decisions.taken)
        if world is None or world is self._world:
            machine.whole_ticks = machine.most_ticks = MOST_TICKS_OF_A_FRAGMENT
            self._guard(machine, lambda: entries.begin_fragment(machine, entry))
            if entry.cls and not forced:
                self._keep_class(machine, entry.cls)
        if not forced:
            self._built_with = frozenset(machine.decisions.taken)
        return machine

    def _after_body(self, forced: dict[str, bool]) -> Machine:
        """A machine that has run the body for its definitions; where nothing in it asks whether it runs
        as a script, that of the main entry has.
        """
        if (
            self._usual is not None
            and not forced
            and self._world is None
            and "__main__" not in self._file.text
        ):
            return self._usual
        machine = self._new(forced)
        if self._defines:
            self._guard(machine, lambda: entries.open_body(machine))
        else:
            self._guard(machine, lambda: entries.run_body(machine, self._tree, as_script=False))
        return machine

    def _keep_class(self, machine: Machine, name: str) -> None:
        """The second fragment of a class shows that a world of its own is worth the while."""
        if name in self._met and machine.ticks * 2 >= _WORTH_KEEPING:
            world = _kept(machine)
            if world is not None:
                self._classes = {name: world}  # fragments come class by class
        self._met.add(name)

    def _extend(self) -> None:
        """What a fragment was the first to look into is there for all that follow: Python imports it
        before any.
        """
        world = self._world
        if world is None or self._extended >= _MOST_EXTENSIONS:
            return
        if sum(len(statements) for _, _, statements in self._looked_into) < world.imported + _WORTH_EXTENDING:
            return
        self._extended += 1
        world.restore()
        machine = world.machine
        machine.ticks = 0
        machine.whole_ticks = machine.most_ticks = MOST_TICKS_OF_A_FRAGMENT
        imported, self._looked_into = self._looked_into, []
        if self._guard(machine, lambda: entries.import_all(machine, imported)):
            self._world = _kept(machine) or world

    def _guard(self, machine: Machine, work: Callable[[], None]) -> bool:
        """Do a part of the work, whatever becomes of it. Gives whether it came to its end."""
        before = machine.ticks
        try:
            work()
        except Signal:
            return True
        except BudgetError as error:
            self._limit("a part of the file", str(error))
        except (RecursionError, MemoryError):
            self._limit("a part of the file", "it is nested too deeply to follow")
        except Exception as error:  # a fault of the reader: it must not take the run over other files with it
            why = f"freezelint could not follow it ({type(error).__name__}: {error})"
            self._limit("a part of the file", " ".join(why.split())[:300])
        else:
            return True
        finally:
            # A fragment counts from nothing.
            self._ticks += machine.ticks - before if machine.ticks >= before else machine.ticks
        return False

    def _limit(self, what: str, why: str) -> None:
        self._limits.setdefault((what, why), Limit(what, why, self._file.path))


def _few_alike(decisions: list[Decision]) -> Iterator[Decision]:
    """Of decisions on one condition of the script, met again and again in a loop, the first ones: the others
    show no more.
    """
    met: Counter[tuple[str, int, int]] = Counter()
    for decision in decisions:
        if decision.location is not None:
            place = (*decision.location.at(), decision.location.column or 0)
            met[place] += 1
            if met[place] > _MOST_ALIKE:
                continue
        yield decision


def _kept(machine: Machine) -> World | None:
    try:
        return World(machine)
    except NotKeptError:
        return None


def _of_fragment(event: Event) -> Event:
    return replace(event, fragment=True)


def _key(forced: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(forced.items()))
