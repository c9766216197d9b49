"""Statements that were to freeze something and froze nothing, while they run: the source of "froze-nothing".

`Misses` belongs to the recorder of a run. It counts the writes of `requires_grad`; loops that are there to
freeze (`freeze_plans`) are watched pass by pass, to see which test failed for which item.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from freezelint.evidence import FreezeMiss
from freezelint.source.interpreter import resolved
from freezelint.source.interpreter.iteration import COUNTED, Repeat
from freezelint.source.interpreter.values import Items, Module, Parameter, Tensor, Unknown, Value
from freezelint.source.recording.freeze_plans import GIVING, Guard, Loop, Plan, Write, plan_of
from freezelint.source.recording.surroundings import surroundings_at
from freezelint.source.semantics.open_ends import may_hold_more

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Frame, Machine

# Why one pass of a loop wrote nothing: a test on a name, one on a position, a module without parameters;
# "other" tests are on what the loop is not about, and of "unclear" passes nobody knows.
_Verdict = Literal["pattern", "count", "empty", "other", "unclear"]
_MOST_SOUGHT = 64
_ABSTRACT = re.compile(r"Base|Mixin|Abstract|Interface")


class Misses:
    """What one run knows of its freezing statements."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.writes = 0  # of any value to the flag of a parameter
        self.frozen: list[Parameter] = []  # those that False was written to, in order
        self.unclear = 0  # things that may have written a flag
        self.active: list[Watch] = []
        self.claims: dict[tuple[str, int, str], Any] = {}  # what is known of the words at a line
        self._plans: dict[int, Plan | None] = {}
        self._given: dict[int, tuple[Module, str]] = {}  # by id of the call: `model.parameters()`

    def wrote(self, parameters: list[Parameter], value: bool | None) -> None:
        """`requires_grad` of these parameters was written."""
        if not parameters:
            return
        self.writes += 1
        if value is None:
            self.unclear += 1
        elif not value:
            self.frozen.extend(parameters)

    def gave(self, module: Module, method: str, node: ast.AST) -> None:
        """A method of a module that gives parameters or modules was called here."""
        if method in GIVING:
            self._given[id(node)] = (module, method)

    def given_by(self, calls: Iterable[ast.Call]) -> list[tuple[Module, str]]:
        """The modules whose methods these calls are, as they ran last."""
        return [self._given[id(call)] for call in calls if id(call) in self._given]

    def took(self, node: ast.If, side: bool, known: bool) -> None:
        """An `if` came out as this side."""
        frame = self._machine.frame
        for watch in self.active:
            if watch.frame is frame and id(node) in watch.plan.guards:
                watch.took(node, side, known)

    def loop(self, node: Loop, iterable: Value) -> Watch | None:
        """Watch a loop that begins; None where it is not there to freeze."""
        frame = self._machine.frame
        if id(node) not in self._plans:
            lines = frame.file.lines[node.lineno - 1 : node.end_lineno]
            around = frame.function.node if frame.function is not None else None
            self._plans[id(node)] = (
                plan_of(node, around or self._machine.project.tree(frame.file))
                if any("requires_grad" in line for line in lines)
                else None
            )
        plan = self._plans[id(node)]
        if plan is None or any(watch.frame is frame and watch.about_models for watch in self.active):
            return None
        if isinstance(iterable, Items) and iterable.exhausted is not None:
            return None
        watch = Watch(self._machine, node, plan, frame, iterable)
        self.active.append(watch)
        return watch


@dataclass(eq=False)
class Watch:
    """A loop that is running."""

    machine: Machine
    node: Loop
    plan: Plan
    frame: Frame
    iterable: Value
    about_models: bool = False  # its items are parameters or modules
    items: list[Value] = field(default_factory=list)
    certain: bool = True
    _verdicts: list[_Verdict] = field(default_factory=list)
    _sides: dict[int, set[bool]] = field(default_factory=dict)  # of the `if`s in this pass
    _failed: dict[int, Guard] = field(default_factory=dict)
    _sought: list[Value] = field(default_factory=list)

    def __post_init__(self) -> None:
        misses = self.machine.recorder.misses
        self._before = (misses.writes, misses.unclear, self.machine.recorder.steps_done)

    @property
    def _written(self) -> bool:
        return self.machine.recorder.misses.writes > self._before[0]

    def item(self, value: Value) -> None:
        """A pass over this item begins."""
        self._judge_pass()
        if self._written:  # nothing more to learn
            return
        self.items.append(value)
        parts = list(_parts(value))
        self.about_models = self.about_models or any(isinstance(part, (Parameter, Module)) for part in parts)
        self.certain = self.certain and not any(_is_unknown(part) for part in parts)
        self._sides.clear()

    def took(self, node: ast.If, side: bool, known: bool) -> None:
        """One of the tests in the loop came out."""
        if self._written:
            return
        self._sides.setdefault(id(node), set()).add(side)
        self.certain = self.certain and known
        if len(self._sought) < _MOST_SOUGHT and len(self.items) < 3:
            for guard in (guard for write in self.plan.writes for guard in write.guards):
                if guard.node is node and guard.side is not side and guard.sought is not None:
                    self._sought.extend(resolved.values(self.machine, guard.sought))

    def close(self) -> None:
        """The loop is over, however it ended."""
        active = self.machine.recorder.misses.active
        del active[active.index(self) :]

    # -- one pass -----------------------------------------------------------------------------------------

    def _judge_pass(self) -> None:
        if self.items and not self._written:
            self._verdicts.extend(self._verdict(write) for write in self.plan.writes)

    def _verdict(self, write: Write) -> _Verdict:
        for guard in write.guards:
            sides = self._sides.get(id(guard.node))
            if sides is None:
                break
            if guard.side not in sides:
                self._failed.setdefault(id(guard.node), guard)
                return "other" if guard.sought is None else "pattern"
        modules = [part for part in _parts(self.items[-1]) if isinstance(part, Module)]
        if modules and all(_is_bare(module) for module in modules):
            return "empty"
        return "unclear"

    # -- the whole loop -----------------------------------------------------------------------------------

    def end(self) -> None:
        """The loop ran to its end."""
        self._judge_pass()
        misses = self.machine.recorder.misses
        if self._written or "other" in self._verdicts:
            return
        if self._before[1:] != (misses.unclear, self.machine.recorder.steps_done):
            self.certain = False
        if isinstance(self.iterable, (Unknown, Tensor, Repeat)) or "unclear" in self._verdicts:
            self.certain = False
        if not self.items:
            self._nothing_given()
        elif set(self._verdicts) == {"empty"}:
            self._without_parameters()
        elif self._failed:
            self._by_tests()

    def _by_tests(self) -> None:
        numbers = [value for value in self._sought if isinstance(value, (int, float))]
        if any(not number > 0 for number in numbers) or None in self._sought:
            return  # it asks for nothing
        words = [value for value in self._sought if isinstance(value, str)]
        guard = next(iter(self._failed.values()))
        self._certain_if(bool(words or numbers) and self._is_known(self._sought))
        test = resolved.source(self.machine, guard.test, opposite=not guard.side)
        self._record("pattern" if words else "count", test, tuple(dict.fromkeys(words)))

    def _without_parameters(self) -> None:
        if any(guard.sought is None for write in self.plan.writes for guard in write.guards):
            return
        modules = [part for item in self.items for part in _parts(item) if isinstance(part, Module)]
        self._certain_if(not any(is_bare_on_purpose(module) for module in modules))
        self._record("no-parameters", modules=modules)

    def _nothing_given(self) -> None:
        header = self.node.iter
        if self.plan.chosen:
            test, sought = self.plan.chosen[0]
            if len(self.plan.chosen) == 1 and sought is not None:
                values = list(resolved.values(self.machine, sought))
                words = tuple(dict.fromkeys(value for value in values if isinstance(value, str)))
                self._certain_if(bool(words) and len(words) == len(set(map(str, values))))
                self._record("pattern", resolved.source(self.machine, test), words)
        elif isinstance(header, ast.Subscript) and isinstance(header.slice, ast.Slice):
            self._sliced_away(header, header.slice)

    def _sliced_away(self, header: ast.Subscript, part: ast.Slice) -> None:
        bounds = [
            resolved.value(self.machine, bound) for bound in (part.lower, part.upper) if bound is not None
        ]
        numbers = [bound for bound in bounds if isinstance(bound, int)]
        if part.lower is None or any(bound is None or bound == 0 for bound in bounds):
            return
        if any(number <= 0 for number in numbers) or (part.upper and numbers != sorted(set(numbers))):
            return
        receivers = self._receivers()
        owner = resolved.value(self.machine, header.value)
        modules = [module for module, _ in receivers]
        if isinstance(owner, Module):
            receivers, modules = [(owner, "children")], [owner]
        elif isinstance(owner, (list, tuple)) and not receivers:
            modules = [item for item in owner if isinstance(item, Module)]
        self._certain_if(len(numbers) == len(bounds) and any(not _is_bare(module) for module in modules))
        self._record("count", resolved.source(self.machine, header), modules=modules)

    # -- the event ----------------------------------------------------------------------------------------

    def _receivers(self) -> list[tuple[Module, str]]:
        return self.machine.recorder.misses.given_by(self.plan.sources)

    def _certain_if(self, known: bool) -> None:
        self.certain = self.certain and known

    def _is_known(self, sought: list[Value]) -> bool:
        return all(isinstance(value, (str, int, float)) for value in sought)

    def _record(
        self,
        reason: FreezeMiss,
        value: str = "",
        patterns: tuple[str, ...] = (),
        modules: list[Module] | None = None,
    ) -> None:
        receivers = self._receivers()
        method = receivers[0][1] if receivers else ""
        if modules is None:
            modules = [module for module, _ in receivers]
        parameters = [] if reason == "no-parameters" else list(self._gone_over(receivers))
        self.certain = self.certain and not any(map(is_unfinished, self._roots(modules, parameters)))
        write = self.plan.writes[0].node
        record(
            self.machine,
            reason,
            self.node,
            parameters=parameters if self.items or patterns else [],
            modules=modules,
            certain=self.certain or None,
            name=method,
            value=value,
            patterns=patterns,
            **claim(self.machine, write),
        )

    def _gone_over(self, receivers: list[tuple[Module, str]]) -> Iterator[Parameter]:
        """The parameters that the loop could have frozen."""
        met = [part for item in self.items for part in _parts(item)]
        if not self.items:
            met = [module for module, _ in receivers]
        for part in met:
            if isinstance(part, Parameter):
                yield part
            elif isinstance(part, Module):
                yield from (parameter for _, parameter in part.own_and_below())

    def _roots(self, modules: list[Module], parameters: list[Parameter]) -> list[Module]:
        """The modules whose names were looked through; where they are not known the models around them."""
        if modules:
            return modules
        wanted = {id(parameter) for parameter in parameters}
        roots = self.machine.recorder.stock.roots()
        return [root for root in roots if any(id(p) in wanted for _, p in root.own_and_below())]


def record(machine: Machine, reason: FreezeMiss, statement: ast.stmt, **fields: Any) -> None:
    """Append the event that a statement froze nothing."""
    from freezelint.source.recording.observing import is_observed

    machine.recorder.event(
        "froze-nothing",
        location=machine.location(statement),
        reason=reason,
        observed=is_observed(machine, statement),
        **fields,
    )


def claim(machine: Machine, statement: ast.stmt) -> dict[str, Any]:
    """What the words around a statement say: the fields `says` and `says_where`."""
    found = surroundings_at(machine, machine.frame.file, statement.lineno)
    if found is None or found.context.says is None:
        return {}
    return {"says": found.context.says, "says_where": found.context.says_where}


def is_bare_on_purpose(module: Module) -> bool:
    """Whether the module has no parameters because somebody wanted it so: it holds a place for
    something else (an identity, an empty container), or is a norm layer without scale and shift. To
    freeze it is vain, no fault.
    """
    holds_a_place = module.class_name == "Identity" or (module.class_name in COUNTED and not module.children)
    return holds_a_place or module.role == "norm"


def is_unfinished(module: Module) -> bool:
    """Whether it may have parameters that nobody knows."""
    return module.is_open or may_hold_more(module) or _is_for_subclasses(module)


def _is_for_subclasses(module: Module) -> bool:
    """Whether its class, of which the script makes no object itself, is there to be completed by others."""
    if module.cls is None or module.built is not None:
        return False
    return module.cls.find("forward") is None or bool(_ABSTRACT.search(module.cls.name))


def _is_bare(module: Module) -> bool:
    return not is_unfinished(module) and not any(True for _ in module.own_and_below())


def _parts(value: Value, depth: int = 3) -> Iterator[Value]:
    """An item of a loop, or what the tuple holds: a name, a position, a parameter."""
    if isinstance(value, tuple) and depth:
        for part in value:
            yield from _parts(part, depth - 1)
    else:
        yield value


def _is_unknown(value: Value) -> bool:
    return isinstance(value, Unknown) or (isinstance(value, Parameter) and value.text == "*")
