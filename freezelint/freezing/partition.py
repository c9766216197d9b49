"""How a model falls into blocks, by how it is built. No torch here: the source reader imports it too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from freezelint.freezing.trees import Node, dotted

# A part that holds fewer of a model's layers than this is one block, whatever lists there are inside it.
SMALLEST_SHARE = 0.2


@dataclass
class Unit:
    """Modules that belong together."""

    names: list[str]
    nodes: list[Node]

    @property
    def name(self) -> str:
        """The first that is more than a norm layer."""
        main = [n for n, node in zip(self.names, self.nodes, strict=True) if not _trails(node)]
        return (main or self.names)[0]


@dataclass
class Part:
    """A block in the making: its name, its modules, and the parameters that are its own."""

    name: str
    modules: tuple[str, ...]
    parameters: dict[str, Any]


def block_units(model: Node) -> list[Unit]:
    """What a model is taken apart into, in definition order."""
    total = sum(1 for _ in _layers_in(model))
    return [Unit([name], [node]) for name, node in _expanded("", model, total)]


def layer_units(model: Node) -> list[Unit]:
    """The single layers with weights, in definition order."""
    return [Unit([name], [node]) for name, node in _single("", model) if name]


def merged(units: Iterable[Unit]) -> list[Unit]:
    """Norm layers (and activations with weights) join what they follow, embeddings join each other."""
    found: list[Unit] = []
    for unit in units:
        node = unit.nodes[0]
        before = found[-1] if found else None
        if before is not None and (
            _trails(node)
            or all(map(_trails, before.nodes))
            or (node.embedding and all(each.embedding for each in before.nodes))
        ):
            before.names += unit.names
            before.nodes += unit.nodes
        else:
            found.append(Unit(list(unit.names), list(unit.nodes)))
    return found


def by_first_run(units: Iterable[Unit], first: Mapping[str, int]) -> list[Unit]:
    """Units in the order in which something in them first runs; one that does not run stays behind its
    predecessor. `first` has the positions of modules by name.
    """
    keyed: list[tuple[int, int, Unit]] = []
    key = -1
    for index, unit in enumerate(units):
        inside = (name for name, _ in unit.nodes[0].walk(unit.names[0]))
        key = min((first[name] for name in inside if name in first), default=key)
        keyed.append((key, index, unit))
    return [unit for _, _, unit in sorted(keyed, key=lambda item: item[:2])]


def parts(
    model: Node, units: Iterable[Unit], is_number: Callable[[Any], bool], own: bool = False
) -> list[Part]:
    """The units with every parameter of the model once; those that a wrapper around them holds go to the
    first, single numbers (`is_number`) to the last. `own`: nodes hold only what is theirs directly.
    """
    found: list[Part] = []
    seen: set[int] = set()
    for unit in units:
        parameters: dict[str, Any] = {}
        for name, node in zip(unit.names, unit.nodes, strict=True):
            for path, parameter in node.named_parameters(name, recurse=not own or node.parametrized):
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    parameters[path] = parameter
        if parameters:
            found.append(Part(unit.name, tuple(unit.names), parameters))
    loose = {name: p for name, p in model.named_parameters() if id(p) not in seen}
    if loose and not found:
        return [Part(next(iter(loose)), (), loose)]
    for name, parameter in loose.items():
        found[-1 if is_number(parameter) else 0].parameters[name] = parameter
    return found


def _single(prefix: str, node: Node) -> Iterator[tuple[str, Node]]:
    """The modules that hold parameters themselves; a parametrised one (weight norm) is one of them."""
    if node.parameters or node.parametrized:
        yield prefix, node
    for name, child in node.children:
        if not (node.parametrized and name == "parametrizations"):
            yield from _single(dotted(prefix, name), child)


def _trails(node: Node) -> bool:
    return node.trails or (node.norm and not any(child.has_parameters for _, child in node.children))


def _expanded(prefix: str, node: Node, total: int) -> Iterator[tuple[str, Node]]:
    """The parts that a module is taken apart into."""
    children = [(name, child) for name, child in node.children if child.is_part]
    kinds = Counter(_kind(child) for _, child in children if any(c.has_parameters for _, c in child.children))
    for name, child in children:
        path = dotted(prefix, name)
        if _is_whole(node, child, kinds[_kind(child)], _share(child, total)):
            yield path, child
        else:
            yield from _expanded(path, child, total)


def _is_whole(parent: Node, child: Node, alike: int, share: float) -> bool:
    """Whether a part is a block, rather than something around blocks."""
    if not _holds_stack(child):
        return True
    if parent.stack:
        # An element of a stack is a block, unless it is the body of which the other elements are the tail.
        return alike > 1 or share <= 0.5
    if alike > 1:
        # Stages of one kind side by side. Encoder and decoder are two of a kind too, each around a stack.
        return alike > 2 or not any(n.stack == "list" and len(n.children) > 1 for _, n in child.walk())
    return False if child.stack else share < SMALLEST_SHARE


def _holds_stack(node: Node) -> bool:
    return any(_is_stack(each) or _has_stages(each) for _, each in node.walk())


def _has_stages(node: Node) -> bool:
    """Whether there are sequences of one kind side by side, however short each is."""
    kinds = Counter(_kind(child) for _, child in node.children if child.stack == "sequence")
    return max(kinds.values(), default=0) > 2


def _is_stack(node: Node) -> bool:
    """A list of layers, or a sequence of at least two: a convolution with its norm layer is one layer, as is
    one with `parametrizations` (a dictionary of one).
    """
    if not node.stack:
        return False
    weighty = sum(child.has_parameters and not _trails(child) for _, child in node.children)
    return weighty >= (1 if node.stack == "list" else 2)


def _kind(node: Node) -> tuple[object, ...]:
    """What makes two parts alike: their class, and for a stack what it mostly consists of."""
    if not node.stack:
        return (node.kind,)
    inside = Counter(child.kind for _, child in node.children if child.has_parameters)
    return (node.kind, inside.most_common(1)[0][0] if inside else None)


def _share(node: Node, total: int) -> float:
    return sum(1 for _ in _layers_in(node)) / max(total, 1)


def _layers_in(node: Node) -> Iterator[Node]:
    return (each for _, each in node.walk() if each.parameters)
