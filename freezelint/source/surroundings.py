"""What the source says around the statement that is being read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.reading.surroundings import Source, Surroundings, source_of, surroundings_of
from freezelint.source.values import MISSING, Unknown

if TYPE_CHECKING:
    from freezelint.source.files import SourceFile
    from freezelint.source.machine import Machine


class _Names:
    """The plain values among the variables of the current frame."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __getitem__(self, name: str) -> Any:
        from freezelint.source.expressions import look_up

        value = look_up(self._machine, name)
        if isinstance(value, Unknown):
            value = value.hint
        if value is MISSING or not isinstance(value, (str, int, list, tuple, dict, set, frozenset)):
            raise KeyError(name)
        return value


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
    return machine.surroundings[key]


def source_at(machine: Machine, file: SourceFile) -> Source | None:
    """A file with its comments, read once."""
    if file.path not in machine.sources:
        tree = machine.project.tree(file)
        try:
            machine.sources[file.path] = None if tree is None else source_of(tree, file.text)
        except Exception:  # tokenize stumbles over what the parser takes
            machine.sources[file.path] = None
    return machine.sources[file.path]
