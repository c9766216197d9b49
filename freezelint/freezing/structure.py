"""The blocks of a model, from input to output: found by how it is built, or by how it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from freezelint.freezing.execution import run_order
from freezelint.freezing.layers import has_parameters, is_embedding, is_norm, is_part, own_parameters
from freezelint.freezing.patterns import Selection, unwrapped

_STACKS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

# A part that holds fewer of a model's layers than this is one block, whatever lists there are inside it.
SMALLEST_SHARE = 0.2


@dataclass(frozen=True)
class Block:
    """A part of a model that is frozen, unfrozen and rated as one.

    `name` is the dotted name of its main module; `modules` are the names of all of them (`conv1` and `bn1` of
    a ResNet are one block); `parameters` maps names to parameters, those included that a wrapper around
    the block holds itself (class tokens, positions). A parameter belongs to one block: the first where it
    is tied.
    """

    name: str
    modules: tuple[str, ...]
    parameters: dict[str, nn.Parameter] = field(compare=False, repr=False)

    def selection(self, model: nn.Module) -> Selection:
        """The parameters and modules of the block in the model that it was found in."""
        modules = {
            name: module
            for part in self.modules
            for name, module in model.get_submodule(part).named_modules(prefix=part)
        }
        return Selection(dict(self.parameters), modules)


@dataclass
class Unit:
    """Modules that belong together."""

    names: list[str]
    modules: list[nn.Module]

    @property
    def name(self) -> str:
        """The first that is more than a norm layer."""
        main = [n for n, m in zip(self.names, self.modules, strict=True) if not _trails(m)]
        return (main or self.names)[0]


def blocks(model: nn.Module, sample: Any = None) -> list[Block]:
    """The blocks of a model, ordered from input to output; together they hold every parameter once.

    A block is a stage (`layer1` of a ResNet), a layer of a stack (`encoder.layer.0` inside any wrapper), the
    stem or embeddings before, or the head after it. Norm layers go with what they normalise, and parameters
    that a wrapper holds itself with the first block, single numbers (a temperature) with the last one.

    `sample`, if given, is one batch: a tensor, a tuple of positional arguments, or a dict of keyword
    arguments, as the model's `forward` takes it, on any device (meta tensors do). The blocks are then in the
    order in which they first run; else in the order in which they are defined. The model is left as it was.
    Raises `ValueError` where the model has no parameters, or does not run on the sample.
    """
    model = unwrapped(model)
    return _as_blocks(model, _ordered(model, _units(model), sample))


def layers(model: nn.Module, sample: Any = None) -> list[Block]:
    """The single layers with weights, ordered as `blocks` are: each with the norm layers that follow it."""
    model = unwrapped(model)
    units = [Unit([name], [module]) for name, module in _single("", model) if name]
    return _as_blocks(model, _ordered(model, units, sample), own=True)


def _single(prefix: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that hold parameters themselves; a parametrised one (weight norm) is one of them."""
    if own_parameters(module) or is_parametrized(module):
        yield prefix, module
    for name, child in module.named_children():
        if not (is_parametrized(module) and name == "parametrizations"):
            yield from _single(f"{prefix}.{name}" if prefix else name, child)


def _ordered(model: nn.Module, units: list[Unit], sample: Any) -> list[Unit]:
    if not has_parameters(model):
        raise ValueError(f"{type(model).__name__} has no parameters")
    return _merged(units if sample is None else _by_execution(model, units, sample))


def _by_execution(model: nn.Module, units: list[Unit], sample: Any) -> list[Unit]:
    """Units in the order of their first run; one that does not run stays behind its predecessor."""
    first = {name: position for position, name in enumerate(run_order(model, sample))}
    keyed: list[tuple[int, int, Unit]] = []
    key = -1
    for index, unit in enumerate(units):
        name = unit.names[0]
        inside = [f"{name}.{n}" if n else name for n, _ in unit.modules[0].named_modules()]
        key = min((first[n] for n in inside if n in first), default=key)
        keyed.append((key, index, unit))
    return [unit for _, _, unit in sorted(keyed, key=lambda item: item[:2])]


def _merged(units: list[Unit]) -> list[Unit]:
    """Norm layers (and activations with weights) join what they follow, embeddings join each other."""
    merged: list[Unit] = []
    for unit in units:
        module = unit.modules[0]
        before = merged[-1] if merged else None
        if before is not None and (
            _trails(module)
            or all(map(_trails, before.modules))
            or (is_embedding(module) and all(map(is_embedding, before.modules)))
        ):
            before.names += unit.names
            before.modules += unit.modules
        else:
            merged.append(Unit(list(unit.names), list(unit.modules)))
    return merged


def _trails(module: nn.Module) -> bool:
    return isinstance(module, nn.PReLU) or (
        is_norm(module) and not any(map(has_parameters, module.children()))
    )


def _as_blocks(model: nn.Module, units: list[Unit], own: bool = False) -> list[Block]:
    """Blocks with every parameter once. `own`: a unit's modules hold only what is theirs directly."""
    held: list[dict[str, nn.Parameter]] = []
    seen: set[int] = set()
    for unit in units:
        parameters: dict[str, nn.Parameter] = {}
        for name, module in zip(unit.names, unit.modules, strict=True):
            recurse = not own or is_parametrized(module)
            for parameter_name, p in module.named_parameters(prefix=name, recurse=recurse):
                if id(p) not in seen:
                    seen.add(id(p))
                    parameters[parameter_name] = p
        held.append(parameters)
    found = [
        Block(unit.name, tuple(unit.names), parameters)
        for unit, parameters in zip(units, held, strict=True)
        if parameters
    ]
    loose = {name: p for name, p in model.named_parameters() if id(p) not in seen}
    if loose and not found:
        return [Block(next(iter(loose)), (), loose)]
    for name, p in loose.items():
        found[-1 if p.numel() == 1 else 0].parameters[name] = p
    return found


def _units(model: nn.Module) -> list[Unit]:
    total = sum(1 for _ in _layers_in(model))
    return [Unit([name], [module]) for name, module in _expanded("", model, total)]


def _expanded(prefix: str, module: nn.Module, total: int) -> Iterator[tuple[str, nn.Module]]:
    """The parts that a module is taken apart into."""
    children = [(name, child) for name, child in module.named_children() if is_part(child)]
    kinds = Counter(_kind(child) for _, child in children if any(map(has_parameters, child.children())))
    for name, child in children:
        path = f"{prefix}.{name}" if prefix else name
        if _is_whole(module, child, kinds[_kind(child)], _share(child, total)):
            yield path, child
        else:
            yield from _expanded(path, child, total)


def _is_whole(parent: nn.Module, child: nn.Module, alike: int, share: float) -> bool:
    """Whether a part is a block, rather than something around blocks."""
    if not _holds_stack(child):
        return True
    if isinstance(parent, _STACKS):
        # An element of a stack is a block, unless it is the body of which the other elements are the tail.
        return alike > 1 or share <= 0.5
    if alike > 1:
        # Stages of one kind side by side. Encoder and decoder are two of a kind too, each around a stack.
        return alike > 2 or not any(isinstance(m, nn.ModuleList) and len(m) > 1 for m in child.modules())
    if isinstance(child, _STACKS):
        return False
    return share < SMALLEST_SHARE


def _holds_stack(module: nn.Module) -> bool:
    return any(_is_stack(each) or _has_stages(each) for each in module.modules())


def _has_stages(module: nn.Module) -> bool:
    """Whether there are sequences of one kind side by side, however short each is."""
    kinds = Counter(_kind(child) for child in module.children() if isinstance(child, nn.Sequential))
    return max(kinds.values(), default=0) > 2


def _is_stack(module: nn.Module) -> bool:
    """A list of layers, or a sequence of at least two: a convolution with its norm layer is one layer, as is
    one with `parametrizations` (a dictionary of one).
    """
    if not isinstance(module, _STACKS) or isinstance(module, ParametrizationList):
        return False
    weighty = sum(has_parameters(child) and not _trails(child) for child in module.children())
    return weighty >= (1 if isinstance(module, nn.ModuleList) else 2)


def _kind(module: nn.Module) -> tuple[object, ...]:
    """What makes two parts alike: their class, and for a stack what it mostly consists of."""
    if not isinstance(module, _STACKS):
        return (type(module),)
    inside = Counter(type(child) for child in module.children() if has_parameters(child))
    return (type(module), inside.most_common(1)[0][0] if inside else None)


def _share(module: nn.Module, total: int) -> float:
    return sum(1 for _ in _layers_in(module)) / max(total, 1)


def _layers_in(module: nn.Module) -> Iterator[nn.Module]:
    return (each for each in module.modules() if own_parameters(each))
