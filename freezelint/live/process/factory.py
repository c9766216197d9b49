"""Running a factory: code of the user's that returns a model, its optimizer, and one step of training."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from freezelint.errors import BadInputError
from freezelint.evidence import Failure, Location
from freezelint.live.reading.places import shown_path
from freezelint.live.stepping import optimizers_in, take_steps

_WANTED = "it must return `(model, optimizer, step)`, or an object with these attributes"


@dataclass(frozen=True)
class Built:
    """What a factory returned."""

    model: nn.Module
    optimizer: Any
    step: Callable[[], Any]


def run_factory(target: str, recorder: Any, steps: int) -> Failure | None:
    """Build and train for some steps. A failure where the factory does not return what it should; the user's
    exceptions pass through.

    Where `step()` leaves `optimizer.step()` to its caller, it is called, and gradients are cleared before the
    next one.
    """
    built = build(target)
    if isinstance(built, Failure):
        return built
    train(built, recorder, steps)
    return None


def train(built: Built, recorder: Any, steps: int) -> None:
    """Take some steps under observation."""
    for each in optimizers_in(built.optimizer):
        recorder.watch(built.model, each)
    take_steps(recorder, built.optimizer, built.step, steps)


def call(target: str) -> tuple[Callable[[], Any], Any] | Failure:
    """The factory, and what it returns; a failure where it cannot be called."""
    place, _, name = target.rpartition(":")
    factory = _find(_load(place), name, target)
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        return _refused(f"`{target}` must be callable without arguments: {error}", factory)
    return factory, factory()


def build(target: str) -> Built | Failure:
    """Call the factory; a failure where it does not return what it should."""
    called = call(target)
    if isinstance(called, Failure):
        return called
    factory, built = called
    parts = built if isinstance(built, (tuple, list)) else _attributes(built)
    if len(parts) != 3:
        return _refused(f"`{target}` returned {told(built)}; {_WANTED}", factory)
    model, optimizer, step = parts
    if not isinstance(model, nn.Module):
        return _refused(f"`{target}` returned {told(model)} as its model; {_WANTED}", factory)
    if not (callable(getattr(optimizer, "step", None)) and callable(getattr(optimizer, "zero_grad", None))):
        return _refused(f"`{target}` returned {told(optimizer)} as its optimizer; {_WANTED}", factory)
    if not callable(step):
        return _refused(
            f"`{target}` returned {told(step)} as its step, which cannot be called; {_WANTED}", factory
        )
    if not optimizers_in(optimizer):
        return _refused(
            f"`{target}` returned {told(optimizer)} as its optimizer, which neither is nor holds a "
            f"torch.optim.Optimizer: return the one that steps; {_WANTED}",
            factory,
        )
    return Built(model, optimizer, step)


def _load(place: str) -> types.ModuleType:
    """The module at a path or under a dotted name."""
    if not Path(place).is_file():
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name and f"{place}.".startswith(f"{error.name}."):
                raise BadInputError(
                    f"there is no module {error.name!r} in {sys.path[0] or '.'} nor among what is installed"
                ) from error
            raise
    path = str(Path(place).absolute())
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInputError(f"{place} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Registered like any import: pickling and multiprocessing look for it there.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _find(module: types.ModuleType, name: str, target: str) -> Callable[[], Any]:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    if found is not None:
        raise BadInputError(f"{target}: `{name}` is {told(found)}, not a function that builds a model")
    functions = [key for key, value in vars(module).items() if inspect.isfunction(value)]
    near = difflib.get_close_matches(name, functions, n=1, cutoff=0.4)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    raise BadInputError(f"{target}: there is no `{name}` in {target.rpartition(':')[0]}{hint}")


def _attributes(built: Any) -> tuple[Any, ...]:
    names = ("model", "optimizer", "step")
    return tuple(getattr(built, name) for name in names if hasattr(built, name))


def _refused(message: str, build: Callable[[], Any]) -> Failure:
    code = getattr(inspect.unwrap(build), "__code__", None)
    where = (
        Location(shown_path(code.co_filename), code.co_firstlineno, function=code.co_name) if code else None
    )
    return Failure("bad-factory", message, where)


def told(value: object) -> str:
    """What a value is, in a few words."""
    if value is None:
        return "None"
    if isinstance(value, (tuple, list)):
        kinds = ", ".join(type(item).__name__ for item in value[:5])
        return f"a {type(value).__name__} of {len(value)} ({kinds})"
    return f"an object of class {type(value).__name__}"
