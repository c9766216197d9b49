"""Whatever a script hands to a function that the reader knows: it never raises, and never hangs."""

from __future__ import annotations

import ast
import pkgutil
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from freezelint.source import vocabulary
from freezelint.source.interpreter.iteration import Repeat
from freezelint.source.interpreter.machine import Machine
from freezelint.source.interpreter.signals import BudgetError, Signal
from freezelint.source.interpreter.values import Call, Instance, Items, Library, Tensor, Unknown, Value
from tests.source.reading import read_source, variables

SCRIPT = """
import torch
from torch import nn
class Config:
    lr = 0.1
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
def function(*args, **kwargs):
    return args
net = Net()
config = Config()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
"""


def odd_values(machine: Machine) -> list[Value]:
    scope = variables(machine)
    script = [scope[name] for name in ("net", "config", "optimizer", "function", "Config", "Net")]
    plain: list[Value] = [
        None,
        True,
        -1,
        10**15,
        1.5,
        float("nan"),
        "",
        "a.b",
        "(",
        [],
        [1, "a"],
        {},
        {"a": [1]},
        (),
        {1},
    ]
    unknown = [
        Unknown("x"),
        Unknown("x", 3),
        Unknown("x", "a"),
        Unknown("x", [1]),
        Unknown("x", scope["config"]),
    ]
    others = [Tensor(), next(iter(scope["net"].own_and_below()))[1], Items(iter([1, 2])), Repeat(lambda i: i)]
    return [
        *plain,
        *unknown,
        *others,
        *script,
        Library("torch.nn.Linear"),
        Library("x.y"),
        Instance(None),
        range(3),
        ...,
    ]


def calls_of(values: list[Value]) -> list[Call]:
    node = ast.parse("f(x)").body[0].value  # type: ignore[attr-defined]
    found = [Call(node), Call(node, complete=False)]
    for position, value in enumerate(values):
        other = values[(position * 7 + 3) % len(values)]
        third = values[(position * 5 + 11) % len(values)]
        found += [Call(node, [value]), Call(node, [value, other]), Call(node, [value, other, third])]
        found += [
            Call(node, [value], {"key": other, "default": third, "type": other}),
            Call(node, [other, value], complete=False),
        ]
    return found


def functions_by_file() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, run in vocabulary.vocabulary().functions.items():
        found[run.__module__.rpartition(".")[2]].append(name)
    return found


@pytest.mark.parametrize("file", [found.name for found in pkgutil.iter_modules(vocabulary.__path__)])
def test_functions_take_anything(file: str) -> None:
    for name in functions_by_file().get(file, ()):
        machine = read_source(SCRIPT)
        with_frame(machine, lambda machine=machine, name=name: tried(machine, name))


def with_frame(machine: Machine, work: Callable[[], None]) -> None:
    from freezelint.source.interpreter.machine import Frame

    scope = variables(machine)
    frame = Frame(machine.file, scope, scope)
    frame.statement = frame.node = ast.parse("x = f(x)").body[0]
    machine.frames.append(frame)
    try:
        work()
    finally:
        machine.frames.clear()


def tried(machine: Machine, name: str) -> None:
    for call in calls_of(odd_values(machine)):
        machine.ticks = 0
        depth = len(machine.frames)
        try:
            machine.call_with(Library(name.replace("*", "anything")), call)
        except (Signal, BudgetError):
            del machine.frames[depth:]


def test_no_two_files_answer_the_same_name() -> None:
    answered: dict[Any, list[str]] = defaultdict(list)
    for found in pkgutil.iter_modules(vocabulary.__path__):
        module = import_module(f"{vocabulary.__name__}.{found.name}")
        for value in vars(module).values():
            if getattr(value, "__module__", None) == module.__name__:
                for key in getattr(value, "__dict__", {}).get("__freezelint__", ()):
                    answered[key].append(found.name)
    assert {key: files for key, files in answered.items() if len(files) > 1} == {}
