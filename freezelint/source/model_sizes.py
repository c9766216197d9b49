"""Models of transformers of other sizes than those that are stored: fewer or more layers, other widths."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.source import trees
from freezelint.source.architectures import Node
from freezelint.source.operators import known
from freezelint.source.values import Module, Parameter, Unknown, Value

if TYPE_CHECKING:
    from freezelint.source.machine import Machine

_DEPTHS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
# Models with two towers count the layers of each, and not all of them in the same way.
_TWO_TOWERS = ("num_decoder_layers", "decoder_layers", "encoder_layers")
_MOST_LAYERS = 200
# What an argument of a configuration with such a name changes are numbers that nothing here depends on.
_PLAIN = re.compile(
    r"(_token_id|_range|_eps|_epsilon|_factor|_std|_act|activation(_function)?|_cache|n_ctx|return_dict|output_\w+|"
    r"(num|n)(_attention|_key_value)?_heads?|num_labels|id2label|label2id|problem_type|torch_dtype|dtype|"
    r"_attn_implementation|attn_implementation|initializer_\w+|gradient_checkpointing|name_or_path|architectures)$"
)
_DROPOUT = re.compile(r"(dropout|_drop|pdrop|dropout_prob|drop_path_rate|dropout_rate)$")


def is_understood(name: str, defaults: Node) -> bool:
    """Whether it is known what this argument of a configuration does to the model."""
    return defaults.attribute(name) is not None or bool(_PLAIN.search(name) or _DROPOUT.search(name))


def fit(machine: Machine, root: Module, defaults: Node, settings: dict[str, Value]) -> bool:
    """Give a model with the sizes of `defaults` those of a configuration; False where it has a structure that
    nobody knows.
    """
    changed = {
        name: known(value)
        for name, value in settings.items()
        if (default := defaults.attribute(name)) is not None and known(value) != default and name != "num_labels"
    }
    if any(_DROPOUT.search(name) for name in settings):
        for _, module in root.walk():
            module.dropout = None  # which of them a rate is for nobody knows
    depths = [name for name in changed if name in _DEPTHS]
    if depths:
        default, wanted = defaults.attribute(depths[0]), changed[depths[0]]
        towers = any(defaults.attribute(name) is not None for name in _TWO_TOWERS)
        if towers or default is None or type(wanted) is not int or not 0 < wanted <= _MOST_LAYERS:
            return False
        if not _deepen(machine, root, defaults, default, wanted):
            return False
    widths = {name: value for name, value in changed.items() if name not in _DEPTHS and "heads" not in name}
    if widths:
        _widen(root, defaults, widths)
    return True


def _deepen(machine: Machine, root: Module, defaults: Node, default: int, wanted: int) -> bool:
    """Give the one list of layers another length."""
    stacks = [
        (path, module)
        for path, module in root.walk()
        if module.class_name == "ModuleList" and len(module.children) == default
    ]
    if len(stacks) != 1:
        return False
    path, stack = stacks[0]
    node = defaults.at(path)
    last = None if node is None else node.child(str(default - 1))
    if last is None:
        return False
    origin = next((p.origin for _, p in stack.own_and_below()), "unknown")
    for number in range(wanted, default):
        del stack.children[str(number)]
    for number in range(default, wanted):
        stack.children[str(number)] = trees.module_of(machine, last, origin)
    root.calls = tuple(_called(root.calls, path, default, wanted))
    root.unused = frozenset(one for one in root.unused if trees.at(root, one) is not None)
    return True


def _called(calls: tuple[str, ...], path: str, default: int, wanted: int) -> list[str]:
    """The order of calls with so many layers; those that are new run after the last one."""
    below = f"{path}."
    numbers = [_number(one, below) for one in calls]
    last = [one for one, number in zip(calls, numbers, strict=True) if number == default - 1]
    found: list[str] = []
    for position, (one, number) in enumerate(zip(calls, numbers, strict=True)):
        if number < wanted:
            found.append(one)
        if number == default - 1 and default - 1 not in numbers[position + 1 :]:
            for extra in range(default, wanted):
                found += [f"{below}{extra}{name.removeprefix(f'{below}{number}')}" for name in last]
    return found


def _number(path: str, below: str) -> int:
    """The number of the layer that a path lies in; -1 where it lies in none."""
    number = path.removeprefix(below).partition(".")[0]
    return int(number) if path.startswith(below) and number.isdigit() else -1


def _widen(root: Module, defaults: Node, widths: dict[str, Value]) -> None:
    """Sizes that follow from the widths that were given; all others are unknown from now on."""
    sizes: dict[int, int | None] = {}
    for name, value in widths.items():
        default = defaults.attribute(name)
        if default is not None:
            size = value if type(value) is int else None
            sizes[default] = size if sizes.get(default, size) == size else None
    for name, default in defaults.attributes:
        if name not in widths and default in sizes:
            sizes[default] = None  # another width that happens to be as large
    seen: set[int] = set()
    for _, module in root.walk():
        for parameter in module.parameters.values():
            if isinstance(parameter, Parameter) and id(parameter) not in seen:
                seen.add(id(parameter))
                parameter.dims = tuple(None if size is None else sizes.get(size) for size in parameter.dims)
        for name, value in list(module.attributes.items()):
            if type(value) is int:
                size = sizes.get(value)
                module.attributes[name] = Unknown(name) if size is None else size
