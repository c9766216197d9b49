"""What the source says around the statement that is being read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from freezelint.reading.surroundings import Source, Surroundings, source_of, surroundings_of
from freezelint.source.interpreter.values import MISSING, Class, Instance, Module, Unknown

if TYPE_CHECKING:
    from freezelint.source.files.source_file import SourceFile
    from freezelint.source.interpreter.machine import Machine


class _Names:
    """The plain values among the variables of the current frame."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __getitem__(self, name: str) -> Any:
        from freezelint.source.interpreter.expressions import look_up

        value = _plain(look_up(self._machine, name))
        if value is MISSING:
            raise KeyError(name)
        return value


def _plain(value: Any, depth: int = 2) -> Any:
    """A plain value, or an object of the script as one whose attributes are plain; MISSING for others."""
    if isinstance(value, Unknown) and value.hint is not MISSING:
        value = value.hint
    if isinstance(value, (str, int, list, tuple, dict, set, frozenset)):
        return value
    if not depth or not isinstance(value, (Instance, Module, Unknown, Class)):
        return MISSING
    found: dict[str, Any] = {}
    cls = value if isinstance(value, Class) else getattr(value, "cls", None)
    for ancestor in reversed(cls.mro()) if isinstance(cls, Class) else ():
        found.update(ancestor.namespace if isinstance(ancestor, Class) else {})
    found.update(getattr(value, "attributes", {}))
    plain = {name: _plain(one, depth - 1) for name, one in found.items() if isinstance(name, str)}
    return SimpleNamespace(**{name: one for name, one in plain.items() if one is not MISSING})


def context_here(machine: Machine) -> dict[str, Any]:
    """The fields of an event that its surroundings give: conditions, loops, words."""
    frame = machine.frame
    line = getattr(frame.node, "lineno", None) or getattr(frame.statement, "lineno", None)
    found = None if line is None else surroundings_at(machine, frame.file, line)
    if found is None:
        return {}
    try:
        context = found.with_values(_Names(machine))
    except Exception:  # odd conditions: nothing is established
        context = found.context
    return {
        "patterns": context.patterns,
        "zipped": context.zipped,
        "says": context.says,
        "says_where": context.says_where,
        "only_writes": context.only_writes,
    }


def surroundings_at(machine: Machine, file: SourceFile, line: int) -> Surroundings | None:
    """What surrounds a line, worked out once a run."""
    key = (file.path, line)
    if key not in machine.surroundings:
        source = source_at(machine, file)
        try:
            machine.surroundings[key] = None if source is None else surroundings_of(source, line)
        except (ValueError, RecursionError):
            machine.surroundings[key] = None
    known: Surroundings | None = machine.surroundings[key]
    return known


def source_at(machine: Machine, file: SourceFile) -> Source | None:
    """A file with its comments, read once."""
    if file.path not in machine.sources:
        tree = machine.project.tree(file)
        try:
            machine.sources[file.path] = None if tree is None else source_of(tree, file.text)
        except Exception:  # tokenize stumbles over what the parser takes
            machine.sources[file.path] = None
    known: Source | None = machine.sources[file.path]
    return known
