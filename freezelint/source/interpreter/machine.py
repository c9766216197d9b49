"""The machine that reads a script by running it on abstract values.

It holds the state of one run (frames, grad mode, decisions, budget) and dispatches on values: calls,
attributes, truth, iteration. Statements and expressions are in the modules of these names; what torch and
other libraries do is in `vocabulary`; what happened goes to the `recorder`.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from freezelint.evidence import Limit, Location
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.interpreter import attributes, calls, expressions, iterables, iteration, statements
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.packages import is_installed
from freezelint.source.interpreter.paths import Decisions
from freezelint.source.interpreter.signals import BudgetError
from freezelint.source.interpreter.values import (
    Call,
    Function,
    Library,
    Module,
    Namespace,
    Scope,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.recording.recorder import Recorder
from freezelint.source.semantics import open_ends, parts, tensors
from freezelint.source.vocabulary import vocabulary

# Expressions and statements that one run may evaluate.
MOST_TICKS = 150_000
# Seconds of processor time that one file may take, ten times what the longest ones do: for single expressions
# that cost as much as thousands.
MOST_SECONDS = 20.0
_TICKS_BETWEEN_LOOKS = 64
# Calls of the script's functions inside each other.
MOST_DEPTH = 40


@dataclass(eq=False)
class Frame:
    """A function (or module body, or class body) of the script that is running. `node` is where it stands."""

    file: SourceFile
    scope: Scope
    globals: Scope
    closure: tuple[Scope, ...] = ()
    name: str = ""
    function: Function | None = None
    receiver: Value = None
    node: ast.AST | None = None
    global_names: set[str] = field(default_factory=set)
    nonlocal_names: set[str] = field(default_factory=set)
    yields: list[Value] | None = None
    handled: list[tuple[str, ...]] = field(default_factory=list)  # what the `try` statements around catch
    statement: ast.stmt | None = None
    body: list[list[ast.stmt]] = field(default_factory=list)


class Machine:
    """One run over one entry of a script."""

    def __init__(self, file: SourceFile, project: Project, decisions: Decisions | None = None) -> None:
        self.file = file
        self.project = project
        self.decisions = decisions or Decisions()
        self.vocabulary = vocabulary()
        self.recorder = Recorder(self)
        self.frames: list[Frame] = []
        self.built: Value = None  # the object whose methods are fragments
        self.modules: dict[str, Namespace] = {}
        self.limits: dict[tuple[str, str], Limit] = {}
        self.grad_enabled: bool | None = True
        self.conditional: int = 0  # conditions of unknown outcome around the current statement
        self.decided = 0  # conditions of unknown outcome that were decided so far
        self.ticks = 0
        self.whole_ticks = self.most_ticks = MOST_TICKS
        self.until = time.thread_time() + MOST_SECONDS
        self._looks = 0
        self.imported = 0  # characters of the modules of the project that were opened
        self.unfolding = 0  # objects of the script that are being iterated over inside each other
        # Nobody knows the arguments of what runs. What one call of another module's function may then take.
        self.in_fragment, self.most_abroad = False, 0
        self.abroad = False  # a function of another module runs, called by a fragment
        self.importing = 0  # modules of the project whose bodies are running
        self.loops: list[iteration.Loop] = []
        self.inexact = 0  # loops that are running of which nobody knows the number of passes
        self.unmeasured = 0  # those among them that have no usual number of passes either
        self.parts = parts.Parts(self)
        self.forwarding: list[Module] = []  # modules whose call is running
        self.mode_events: list[int] = []  # the event of the `train()` or `eval()` that is running
        self.early: dict[
            ast.AST, set[bool]
        ] = {}  # outcomes of conditions in the first passes of loops, by node
        self.raised = False  # an exception of the script's ended the run
        self.mistakes: set[str] = set()  # what Python would raise for, and the reader goes on
        self.weights: dict[ast.AST, int] = {}  # how much the branches of a condition matter, by node
        self.surroundings = project.surroundings
        self.sources = project.notes
        self.libraries: dict[
            str, Any
        ] = {}  # what imitated libraries keep for a whole run (registered options)
        self._locations: dict[tuple[ast.AST, ...], Location] = {}

    # -- where we are -------------------------------------------------------------------------------------

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    @property
    def node(self) -> ast.AST:
        """The expression or statement that is running."""
        return (self.frame.node or self.frame.statement if self.frames else None) or ast.Pass()

    @property
    def varying(self) -> bool:
        """Whether conditions of unknown outcome stand around the current statement inside of the
        training loop: those around the loop are the same for all steps.
        """
        return self.conditional > (self.loops[0].conditional if self.loops else 0)

    def tick(self, amount: int = 1) -> None:
        """Spend some of the budget. Raises BudgetError when it is used up."""
        self.ticks += amount
        if self.ticks > self.most_ticks:
            raise BudgetError("the script is too long to follow to its end")
        self._looks += 1
        if self._looks % _TICKS_BETWEEN_LOOKS == 0 and time.thread_time() > self.until:
            raise BudgetError(f"it takes longer than {MOST_SECONDS:.0f} s")

    def location(self, node: ast.AST | None = None) -> Location | None:
        """Where the current statement (or this node of the current frame) is, with the calls that led
        there.
        """
        if not self.frames:
            return None
        chain = [(self.frame, node or self.frame.node or self.frame.statement)]
        chain += [(frame, frame.node or frame.statement) for frame in reversed(self.frames[:-1])]
        placed = [(frame, at) for frame, at in chain if at is not None and hasattr(at, "lineno")][:12]
        if not placed:
            return None
        key = tuple(at for _, at in placed)
        known = self._locations.get(key)
        if known is None:
            sites = [frame.file.location(at, frame.name) for frame, at in placed]
            known = self._locations[key] = replace(sites[0], calls=tuple(sites[1:]))
        return known

    def limit(self, what: str, why: str, location: Location | None = None) -> None:
        """Say that something could not be established, once."""
        path, line = (location.path, location.line) if location else (self.file.path, None)
        self.limits.setdefault((what, why), Limit(what, why, path, line))

    # -- running ------------------------------------------------------------------------------------------

    def execute(self, body: list[ast.stmt]) -> None:
        """Run statements in the current frame."""
        statements.execute(self, body)

    def evaluate(self, node: ast.expr) -> Value:
        """The value of an expression in the current frame."""
        return expressions.evaluate(self, node)

    def call(self, function: Value, *args: Value, **kwargs: Value) -> Value:
        """Call anything callable, from where the script stands."""
        node = self.frame.node if self.frames and self.frame.node is not None else ast.Pass()
        return calls.call(self, function, Call(node, list(args), dict(kwargs)))

    def call_with(self, function: Value, call: Call) -> Value:
        """Call anything callable with the arguments of `call`."""
        return calls.call(self, function, call)

    def get(self, owner: Value, name: str, default: Value = None) -> Value:
        """`owner.name`; unknown where nothing is known of it (or `default`, if given)."""
        found = attributes.get(self, owner, name)
        if found is attributes.ABSENT:
            return Unknown(f"{text_of(owner)}.{name}") if default is None else default
        return found

    def has(self, owner: Value, name: str) -> bool | None:
        """Whether `owner` has the attribute; None where nobody knows."""
        if isinstance(owner, Module) and owner.open and not open_ends.is_established(self, owner, name):
            return None
        if isinstance(owner, Library) and not is_installed(owner.name):
            return None
        found = attributes.get(self, owner, name)
        if found is attributes.ABSENT:
            return None if attributes.is_open(owner) else False
        return None if isinstance(found, Unknown) and isinstance(owner, Unknown) else True

    def set(self, owner: Value, name: str, value: Value) -> None:
        """`owner.name = value`."""
        attributes.set_(self, owner, name, value)

    def iterate(self, value: Value, consumer: str = "a loop") -> Iterator[Value]:
        """The elements of anything iterable; two unknown ones where nobody knows."""
        return iteration.iterate(self, value, consumer)

    def elements(self, value: Value, consumer: str = "a loop") -> list[Value] | None:
        """All elements, where they are known; None where they are not."""
        return iterables.elements(self, value, consumer)

    def derived(self, *values: Value) -> Tensor:
        """The tensor computed from these values."""
        return tensors.derived(self, *values)

    # -- truth --------------------------------------------------------------------------------------------

    def truth(self, value: Value) -> bool | None:
        """Whether the value counts as true; None where nobody knows."""
        if isinstance(value, (Unknown, Tensor, iteration.Repeat)):
            return None
        if isinstance(value, Library) and not is_installed(value.name):
            return None
        if isinstance(value, Module):
            return bool(value.children) if value.class_name in iteration.COUNTED else True
        try:
            return bool(value)
        except Exception:
            return None
