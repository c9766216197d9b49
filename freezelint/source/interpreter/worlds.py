"""A machine as it stands after the body of a file, kept so that each fragment of the file starts from there.

Running the body anew for every fragment would be most of what reading a file of definitions costs.
Everything that can change is remembered, wherever the machine refers to it, and put back before the
next run. What cannot be put back (an iterator that is under way) makes a world that cannot be kept.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.interpreter.outlines import Outline
from freezelint.source.interpreter.values import Unknown
from freezelint.source.vocabulary import Vocabulary

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# What never changes, or is the same for all runs.
_FIXED = (
    str,
    bytes,
    int,
    float,
    complex,
    bool,
    type(None),
    range,
    type,
    type(Ellipsis),
    type(NotImplemented),
    ast.AST,
    Outline,
    SourceFile,
    Project,
    Vocabulary,
    re.Pattern,
    ModuleType,
    BuiltinFunctionType,
    Enum,
)
_PLAIN: frozenset[type] = frozenset({str, bytes, int, float, bool, type(None)})
# A world of more objects than this costs more to put back than it saves.
_MOST_OBJECTS = 60_000


class NotKeptError(Exception):
    """Something in the world cannot be put back as it was."""


class World:
    """The state of a machine at one moment. Raises NotKeptError where it cannot be kept."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.conditions = frozenset(machine.decisions.taken)
        self.imported = sum(len(m.pending.done) for m in machine.modules.values() if m.pending is not None)
        self._dicts: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
        self._lists: list[tuple[list[Any], list[Any]]] = []
        self._others: list[tuple[Callable[[Any], None], Any]] = []
        self._pending: list[Any] = [machine]
        self._seen: set[int] = {
            id(machine.project.notes),
            id(machine.project.surroundings),
        }  # true of all runs
        self._alive: list[Any] = []  # temporary objects whose identity must not be given to another
        self._keep_all()

    def restore(self) -> None:
        """Put everything back as it was."""
        for there, content in self._dicts:
            there.clear()
            there.update(content)
        for line, content_of_list in self._lists:
            line[:] = content_of_list
        for put, state in self._others:
            put(state)

    def _keep_all(self) -> None:
        pending, seen, keepers = self._pending, self._seen, _KEEPERS
        while pending:
            value = pending.pop()
            kind = type(value)
            keep = keepers.get(kind)
            if keep is None:
                keep = keepers[kind] = _keeper(kind)
            if keep is _nothing or id(value) in seen:
                continue
            seen.add(id(value))
            if len(seen) > _MOST_OBJECTS:
                raise NotKeptError("it is too large")
            keep(self, value)

    def _keep_dict(self, value: dict[Any, Any]) -> None:
        self._dicts.append((value, dict(value)))
        self._pending.extend([key for key in value if type(key) not in _PLAIN])
        self._pending.extend([part for part in value.values() if type(part) not in _PLAIN])

    def _keep_default(self, value: defaultdict[Any, Any]) -> None:
        self._keep_dict(value)
        self._pending.append(value.default_factory)

    def _keep_list(self, value: list[Any]) -> None:
        self._lists.append((value, list(value)))
        self._pending.extend([part for part in value if type(part) not in _PLAIN])

    def _keep_set(self, value: set[Any]) -> None:
        content = frozenset(value)

        def put(state: frozenset[Any]) -> None:
            value.clear()
            value.update(state)

        self._others.append((put, content))
        self._pending.extend(content)

    def _keep_deque(self, value: deque[Any]) -> None:
        content = list(value)

        def put(state: list[Any]) -> None:
            value.clear()
            value.extend(state)

        self._others.append((put, content))
        self._pending.extend(content)

    def _keep_members(self, value: Any) -> None:
        self._pending.extend(value)

    def _keep_object(self, value: Any) -> None:
        state = vars(value)
        self._alive.append(value)
        self._dicts.append((state, dict(state)))
        self._pending.extend([part for part in state.values() if type(part) not in _PLAIN])

    def _keep_unknown(self, value: Unknown) -> None:
        def put(state: tuple[str, Any, bool, dict[Any, Any]]) -> None:
            value.text, value.hint, value.late, value.attributes = (
                state[0],
                state[1],
                state[2],
                dict(state[3]),
            )

        self._others.append((put, (value.text, value.hint, value.late, dict(value.attributes))))
        self._pending.append(value.hint)
        self._pending.extend(value.attributes.values())

    def _keep_function(self, value: FunctionType) -> None:
        for cell in value.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:  # empty as yet
                continue
            self._others.append((partial(setattr, cell, "cell_contents"), content))
            self._pending.append(content)
        self._pending.extend(value.__defaults__ or ())

    def _keep_method(self, value: MethodType) -> None:
        self._pending.extend((value.__self__, value.__func__))

    def _keep_partial(self, value: partial[Any]) -> None:
        self._pending.extend((value.func, *value.args, *value.keywords.values()))

    def _keep_slice(self, value: slice) -> None:
        self._pending.extend((value.start, value.stop, value.step))


def _nothing(world: World, value: Any) -> None:
    """What is fixed needs no keeping."""


def _never(world: World, value: Any) -> None:
    raise NotKeptError(type(value).__name__)


_KEEPERS: dict[type, Callable[[World, Any], None]] = {
    **dict.fromkeys(_PLAIN, _nothing),
    dict: World._keep_dict,
    OrderedDict: World._keep_dict,
    Counter: World._keep_dict,
    defaultdict: World._keep_default,
    list: World._keep_list,
    set: World._keep_set,
    deque: World._keep_deque,
    tuple: World._keep_members,
    frozenset: World._keep_members,
    Unknown: World._keep_unknown,
    FunctionType: World._keep_function,
    MethodType: World._keep_method,
    partial: World._keep_partial,
    slice: World._keep_slice,
}


def _keeper(kind: type) -> Callable[[World, Any], None]:
    """How values of a kind are kept that has not been met before."""
    frozen = is_dataclass(kind) and getattr(kind, "__dataclass_params__").frozen  # noqa: B009 - untyped
    if issubclass(kind, _FIXED) or frozen:
        return _nothing
    if hasattr(kind, "__next__") or issubclass(kind, (dict, list, set, deque, tuple)):
        return _never
    if getattr(kind, "__dictoffset__", 0) and not any(
        "__slots__" in vars(base) for base in kind.__mro__[:-1]
    ):
        return World._keep_object
    return _never
