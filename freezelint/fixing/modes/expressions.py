"""How code reaches a module of a model: `model.backbone`, `self.net.features[:6]`, `model["body"]`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from freezelint.evidence import Model
from freezelint.fixing.script import Script

_LISTS = ("Sequential", "ModuleList")


def expression(script: Script, model: Model, text: str, outer: str, path: str) -> str | None:
    """The module at `path`, from that at `outer`, which the code calls `text`; None where no plain
    expression reaches it.
    """
    if not inside(path, outer):
        return None
    where = outer
    for part in path[len(outer) :].strip(".").split(".") if path != outer else ():
        around = model.by_path.get(where)
        if around is None:
            return None
        if part.isdigit():
            if around.class_name not in _LISTS:
                return None
            text += f"[{part}]"
        elif around.class_name == "ModuleDict":
            text += f"[{script.quote}{part}{script.quote}]"
        elif part.isidentifier():
            text += f".{part}"
        else:
            return None
        where = f"{where}.{part}" if where else part
    return text


def expressions(script: Script, model: Model, text: str, outer: str, paths: Sequence[str]) -> list[str]:
    """As `expression` for each; neighbours in a Sequential are one slice. Empty where one is out of reach."""
    found: list[str] = []
    for container, members in groupby(paths, key=_container):
        run = [path.rpartition(".")[2] for path in members]
        around = model.by_path.get(container)
        numbers = [int(part) for part in run if part.isdigit()]
        if len(run) > 1 and len(numbers) == len(run) and around and around.class_name in _LISTS:
            base = expression(script, model, text, outer, container)
            if base is None or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                return []
            found.append(f"{base}[{numbers[0] or ''}:{numbers[-1] + 1}]")
            continue
        for part in run:
            one = expression(script, model, text, outer, f"{container}.{part}" if container else part)
            if one is None:
                return []
            found.append(one)
    return found


def is_known(script: Script, outer: str, path: str) -> bool:
    """Whether the file itself speaks of every step on the way: what it never names may be another one with
    another model.
    """
    steps = path[len(outer) :].strip(".").split(".") if path != outer else []
    return all(f"[{step}]" in script.file.text if step.isdigit() else step in script.names for step in steps)


def inside(path: str, outer: str) -> bool:
    """Whether `path` is `outer` or lies in it."""
    return not outer or path == outer or path.startswith(f"{outer}.")


def _container(path: str) -> str:
    return path.rpartition(".")[0]
