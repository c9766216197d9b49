"""What a script saves with `save_pretrained` in a folder, and loads from there with `from_pretrained`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Instance, Module, Unknown, Value

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_SAVED = "transformers.saved"


@dataclass(frozen=True, eq=False)
class Saved:
    """A saved model: its configuration, and the parameters that it had, with their shapes. `prefix` is the
    name of the bare model in it, "" where it is the bare model itself.
    """

    config: Instance | None
    shapes: dict[str, tuple[int | None, ...]]
    prefix: str
    whole: bool  # whether all of its parameters are known

    def holds(self, path: str, shape: tuple[int | None, ...], prefix: str) -> bool | None:
        """Whether it brings the parameter of a model whose bare model is at `prefix`; None: unknown."""
        names = [path]
        if prefix and path.startswith(f"{prefix}."):
            names.append(path.removeprefix(f"{prefix}."))
        if self.prefix:
            names.append(f"{self.prefix}.{path}")
        found = next((self.shapes[name] for name in names if name in self.shapes), None)
        if found is None:
            return False if self.whole else None
        alike = all(None in (one, other) or one == other for one, other in zip(found, shape, strict=False))
        return alike and len(found) == len(shape)


def save(machine: Machine, module: Module, folder: Value) -> None:
    """`module.save_pretrained(folder)`."""
    config = module.attributes.get("config")
    copied = (
        Instance(config.cls, dict(config.attributes), config.kind) if isinstance(config, Instance) else None
    )
    shapes = {path: parameter.dims for path, parameter in module.every_place()}
    kept = Saved(copied, shapes, prefix_of(module), not module.is_open)
    machine.libraries.setdefault(_SAVED, []).append((folder, kept))


def find(machine: Machine, folder: Value) -> Saved | None:
    """What this run has saved last in the folder."""
    places: list[tuple[Value, Saved]] = machine.libraries.get(_SAVED, [])
    same = [saved for place, saved in places if place is folder]
    if same:
        return same[-1]
    named = [(place, saved) for place, saved in places if _name(place) and _name(place) == _name(folder)]
    told_apart = isinstance(known(folder), str) or len({id(place) for place, _ in named}) == 1
    return named[-1][1] if named and told_apart else None


def _name(folder: Value) -> str:
    name = known(folder)
    if isinstance(name, str):
        return name.rstrip("/")
    return f"<{folder.text}>" if isinstance(folder, Unknown) and folder.text else ""


def prefix_of(module: Module) -> str:
    """The name under which a model for a task holds the bare model."""
    own = module.cls.find("base_model_prefix") if module.cls is not None else None
    if own is not None and isinstance(own[0], str):
        return own[0] if own[0] in module.children else ""
    for name, child in module.children.items():
        if child is not None and child.library == "transformers" and child.class_name.endswith("Model"):
            return name
    return ""
