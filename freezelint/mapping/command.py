"""What `freezelint map` does with its target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from freezelint.errors import BadInputError
from freezelint.evidence import Failure
from freezelint.freezing.tables import Row, Summary
from freezelint.mapping import architectures
from freezelint.mapping.maps import Map
from freezelint.mapping.traces import maps_of
from freezelint.targets import Factory, parse_factory, readable

if TYPE_CHECKING:
    from freezelint.live.settings import LiveSettings
    from freezelint.source.interpreter.paths import Decision
    from freezelint.source.reader import Run

_SOURCES = (".py", ".ipynb")


def maps(
    target: str, depth: int | None, settings: LiveSettings, *, run: bool, arguments: tuple[str, ...] = ()
) -> list[Map]:
    """The maps of a factory, a script, or an architecture. Raises `BadInputError` where there is none."""
    factory = parse_factory(target)
    if factory is not None:
        return [_of_factory(factory, depth, settings)]
    path = Path(target)
    if path.is_file():
        return _of_run(target, arguments, depth, settings) if run else _of_source(path, depth)
    found = None if path.suffix in _SOURCES else architectures.known(target)
    if found is not None:
        return [architectures.map_of(found, depth)]
    raise BadInputError(_unknown(target, path))


def _unknown(target: str, path: Path) -> str:
    if path.is_dir():
        return f"{target}: is a directory; name a script, a factory (`train.py:build`) or an architecture"
    if path.suffix in _SOURCES:
        return f"{target}: there is no such file"
    near = architectures.nearest(target)
    hint = f"; nearest: {', '.join(f'`{name}`' for name in near)}" if near else ""
    return (
        f"{target}: there is no such file, and no architecture of this name is known{hint}. Name a script, a "
        "factory (`train.py:build`), or a model of torchvision, timm or transformers"
    )


def _of_factory(factory: Factory, depth: int | None, settings: LiveSettings) -> Map:
    from freezelint.live.process.run import map_factory

    trace, data = map_factory(factory.target, settings, lambda _: None, root=factory.root, depth=depth)
    if trace.failure is not None or data is None:
        raise BadInputError(_told(factory.target, trace.failure))
    rows = tuple(Row(**{**row, "rates": tuple(row["rates"])}) for row in data["rows"])
    notes = tuple(f"{limit.what}: {limit.why}." for limit in trace.limits)
    return Map(factory.target, data["class_name"], "as it is built", Summary(rows), notes)


def _of_run(target: str, arguments: tuple[str, ...], depth: int | None, settings: LiveSettings) -> list[Map]:
    from freezelint.live.process.run import run_script

    readable(Path(target), target)
    trace = run_script(target, arguments, replace(settings, steps=1), lambda _: None)
    found = maps_of(trace, depth)
    if not found:
        raise BadInputError(_told(target, trace.failure))
    return found


def _told(target: str, failure: Failure | None) -> str:
    """Why a run has nothing to show, in one line."""
    if failure is None:
        return f"{target}: no optimizer step was seen"
    place = f" ({failure.location.path}:{failure.location.line})" if failure.location is not None else ""
    advice = f"; {failure.advice}" if failure.advice else ""
    return f"{target}: {failure.message}{place}{advice}"


def _of_source(path: Path, depth: int | None) -> list[Map]:
    """What the source reader knows: of the script as it usually runs, else of a function that trains."""
    from freezelint.source.files.project import Project
    from freezelint.source.files.source_file import PassedOverError, UnreadableError, load, parse
    from freezelint.source.reader import read

    try:
        file = load(path)
        parse(file)
        reading = read(file, Project(file))
    except (UnreadableError, PassedOverError) as error:
        raise BadInputError(f"{path}: {error}") from error
    for runs in reading.entries:
        for chosen in runs:
            found = maps_of(chosen.trace, depth, _notes(chosen, runs, depth))
            if found:
                return found
    raise BadInputError(
        f"{path}: no training step of a known model was found in it; run it (`--run`), or name a factory "
        f"(`{path}:build`)"
    )


def _notes(chosen: Run, runs: tuple[Run, ...], depth: int | None) -> tuple[str, ...]:
    """Where this run comes from, and on which conditions it depends."""
    entry = chosen.entry
    name = ".".join(part for part in (entry.cls, entry.function) if part)
    notes = [f"In `{name}`, whose arguments nobody knows."] if entry.is_fragment else []
    shown = maps_of(chosen.trace, depth)
    for decision in chosen.decisions:
        others = [
            run
            for run in runs
            if decision.condition in run.forced and run.forced - {decision.condition} <= chosen.forced
        ]
        if any(_differs(maps_of(run.trace, depth), shown) for run in others):
            notes.append(f"This is so when {_worded(decision)}, and differs otherwise.")
    return tuple(notes)


def _differs(one: list[Map], other: list[Map]) -> bool:
    return bool(one) and [each.summary for each in one] != [each.summary for each in other]


def _worded(decision: Decision) -> str:
    return f"`{decision.condition}`" if decision.taken else f"not `{decision.condition}`"
