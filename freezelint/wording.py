"""How findings name things: long lists of parameters are told as the modules that cover them, with ranges and
counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import PurePath

from freezelint.evidence import Location, Measurement, Model, Trace
from freezelint.facts import whole_modules

_NUMBERED = re.compile(r"^(.*?)(\d+)$")


def plural(count: int, noun: str) -> str:
    """`1 parameter`, `3 parameters`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def agree(count: int, one: str, several: str) -> str:
    """The form of a word that goes with this count: `agree(3, "runs", "run")` is `run`."""
    return one if count == 1 else several


def listing(names: Sequence[str], most: int = 4) -> str:
    """Names in backquotes, numbered neighbours as ranges, a long list cut short: "`layer1`…`layer3`, `fc`,
    and 2 more".
    """
    items = _ranges(names)
    shown, rest = items[:most], items[most:]
    if rest:
        return f"{', '.join(shown)} and {len(rest)} more"
    if len(shown) > 1:
        return f"{', '.join(shown[:-1])} and {shown[-1]}"
    return "".join(shown)


def covering(model: Model, parameters: Collection[int]) -> list[str]:
    """The fewest names of modules for these parameters: blocks where all of it is meant, else layers."""
    names, missing = _whole_modules(model, parameters)
    owner = {p: module.path for module in model.modules for p in module.parameters}
    return [*names, *(owner[p] for p in missing if p in owner)]


def _whole_modules(model: Model, parameters: Collection[int]) -> tuple[list[str], list[int]]:
    """Names of the largest modules all of whose parameters are meant, and the parameters outside of them."""
    names: list[str] = []
    covered: set[int] = set()
    for module in whole_modules(model, parameters):
        inside = model.parameters_within(module.path)
        if not covered.issuperset(inside):
            names.append(shown(model, module.path))
            covered.update(inside)
    return names, sorted(set(parameters) - covered)


def shown(model: Model, path: str) -> str:
    """A path as messages tell it: with the model's name where it would be a bare number, or nothing."""
    return f"{model.name}.{path}" if path[:1].isdigit() else path or model.name


def parameters_named(trace: Trace, parameters: Collection[int], most: int = 4) -> str:
    """How to name these parameters in a message, e.g. "`conv1`, `bn1` and `layer1`…`layer3` (46
    parameters)".
    """
    names: list[str] = []
    for model in trace.models:
        whole, missing = _whole_modules(
            model, [p for p in parameters if trace.parameters[p].model == model.index]
        )
        # Where only part of a layer is meant, the layer's name would say too much.
        names.extend([*whole, *(shown(model, trace.parameters[p].path) for p in missing)])
    for parameter in parameters:
        if trace.parameters[parameter].model is None:
            names.append(
                trace.parameters[parameter].path or f"a tensor of shape {trace.parameters[parameter].shape}"
            )
    text = listing(names, most)
    return text if len(parameters) == 1 else f"{text} ({plural(len(parameters), 'parameter')})"


def line(location: Location | None, beside: Location | None = None) -> str:
    """`line 12`, or `an unknown line`; `line 12 of model.py` where `beside` is in another file."""
    return "an unknown line" if location is None else f"line {_line_of(location, beside)}"


def lines(locations: Sequence[Location], beside: Location | None = None) -> str:
    """`line 12`, `lines 12 and 14`, `lines 3, 5, 9 and 2 more`; files as `line` has them."""
    numbers = list(dict.fromkeys(_line_of(location, beside) for location in locations))
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    shown, rest = numbers[:3], len(numbers) - 3
    last = f"{rest} more" if rest > 0 else shown.pop()
    return f"lines {', '.join(shown)} and {last}"


def _line_of(location: Location, beside: Location | None) -> str:
    if beside is None or location.path == beside.path:
        elsewhere = location.cell is not None and (beside is None or beside.cell != location.cell)
        return f"{location.line} of cell {location.cell}" if elsewhere else str(location.line)
    name, other = PurePath(location.path).name, PurePath(beside.path).name
    cell = "" if location.cell is None else f" of cell {location.cell}"
    return f"{location.line}{cell} of {location.path if name == other else name}"


def size(count: float) -> str:
    """A number of bytes for reading: `512 B`, `3.4 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration(seconds: float) -> str:
    """A time for reading: `380 µs`, `42.1 ms`, `3.40 s`."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def saved(measurement: Measurement) -> str:
    """What corrections save: time, where all rounds agree that they do, and peak memory."""
    before, after = measurement.seconds_before, measurement.seconds_after
    times = f"{duration(before)} → {duration(after)}"
    low, high = min(measurement.savings), max(measurement.savings)
    if measurement.faster is None:
        time = f"makes no measurable difference to a step's time ({times})"
    else:
        rounds = f"{_percent(low)} to {_percent(high)} in {plural(len(measurement.savings), 'round')}"
        verb, share = ("saves", 1 - after / before) if measurement.faster else ("costs", after / before - 1)
        more = "of a step's time" if measurement.faster else "more time a step"
        time = f"{verb} {_percent(share)} {more} ({times}; {rounds})"
    less = measurement.bytes_before - measurement.bytes_after
    sizes = f"{size(measurement.bytes_before)} → {size(measurement.bytes_after)}"
    if not less:
        memory = f"leaves its peak memory at {size(measurement.bytes_before)}"
    elif less < 0:
        memory = f"takes {size(-less)} more peak memory ({sizes})"
    else:
        memory = f"{'' if measurement.faster else 'saves '}{size(less)} of its peak memory ({sizes})"
    return f"{time} and {memory}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _ranges(names: Sequence[str]) -> list[str]:
    """Backquoted names; three or more consecutive numbers under one stem become one item."""
    items: list[str] = []
    position = 0
    while position < len(names):
        end = _run(names, position)
        if end - position >= 3:
            items.append(f"`{names[position]}`…`{names[end - 1]}`")
        else:
            items.extend(f"`{name}`" for name in names[position:end])
        position = end
    return list(dict.fromkeys(items))


def _run(names: Sequence[str], start: int) -> int:
    """The end of the run of consecutively numbered names that begins at `start`."""
    end = start + 1
    while end < len(names):
        before, after = _NUMBERED.match(names[end - 1]), _NUMBERED.match(names[end])
        if not (before and after and before[1] == after[1] and int(after[2]) == int(before[2]) + 1):
            break
        end += 1
    return end
