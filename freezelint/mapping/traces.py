"""Maps of the models that a witness saw, at the first training step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from freezelint.evidence import Model, Module, Parameter, Step, Trace
from freezelint.freezing.levels import parts_at
from freezelint.freezing.partition import Part, block_units, merged, parts
from freezelint.freezing.tables import Row, Summary, lowest_and_highest, mode_of
from freezelint.freezing.trees import Node, Stack, dotted
from freezelint.mapping.maps import Map

_STACKS: dict[str, Stack] = {"Sequential": "sequence", "ModuleList": "list", "ModuleDict": "dict"}
_UNKNOWN_REST = "*"
_BYTES = 4  # of a 32-bit number
_COUNTER = 8  # of `num_batches_tracked`


def maps_of(trace: Trace, depth: int | None, notes: Iterable[str] = ()) -> list[Map]:
    """A map of each model that takes part in the first step; none where no step was seen."""
    step = next(iter(trace.completed), None)
    if step is None:
        return []
    models = [model for model in trace.models if _takes_part(model, step)]
    return [_map(trace, model, step, depth, tuple(notes)) for model in models]


def _takes_part(model: Model, step: Step) -> bool:
    if not model.parameters:
        return False
    ran = any(state.ran for state in step.modules.get(model.index, {}).values())
    return ran or any(step.held_by(parameter) for parameter in model.parameters)


def _map(trace: Trace, model: Model, step: Step, depth: int | None, notes: tuple[str, ...]) -> Map:
    tree = tree_of(model, _held(trace, model, step))
    found = parts_at(tree, depth) if depth is not None else _blocks(tree)
    rates = {
        number: group.lr for state in step.optimizers for group in state.groups for number in group.parameters
    }
    event = trace.location(step.event)
    line = f" ({event.path}:{event.line})" if event is not None else ""
    if any(_UNKNOWN_REST in trace.parameters[number].path for number in model.parameters):
        notes = (*notes, "Not all of this model is known from the source.")
    rows = tuple(_row(model, part, step, rates) for part in found)
    return Map(model.name, model.class_name, f"at the first optimizer step{line}", Summary(rows), notes)


def _held(trace: Trace, model: Model, step: Step) -> dict[int, Parameter]:
    """The parameters of a model, by number: in the place of what was put in later, what was there then."""
    gone = {
        path: p
        for p in trace.parameters
        if p.model == model.index and not p.attached and p.id in step.parameters
        for path in p.paths
    }
    own = (trace.parameters[number] for number in model.parameters)
    return {p.id: p if p.id in step.parameters else gone.get(p.path, p) for p in own}


def tree_of(model: Model, held: Mapping[int, Parameter]) -> Node:
    """The modules of a model as nodes."""
    nodes: dict[str, Node] = {}
    for module in model.modules:
        parent, _, own = module.path.rpartition(".")
        node = nodes[module.path] = _node(model, module, held)
        if module.path and parent in nodes:
            nodes[parent].children.append((own, node))
    return nodes[""]


def _node(model: Model, module: Module, held: Mapping[int, Parameter]) -> Node:
    own: dict[str, Parameter] = {}
    for number in module.parameters:
        parameter = held[number]
        inside = f"{module.path}." if module.path else ""
        name = next((p for p in parameter.paths if p.rpartition(".")[0] == module.path), parameter.path)
        own[name.removeprefix(inside)] = parameter
    statistics = module.norm is not None and module.norm.has_statistics
    return Node(
        kind=(module.library, module.class_name),
        stack=_stack(model, module),
        norm=module.role == "norm",
        trails=module.class_name == "PReLU",
        embedding=module.class_name in ("Embedding", "EmbeddingBag"),
        statistics=statistics,
        parametrized=dotted(module.path, "parametrizations") in model.by_path,
        parameters=own,
    )


def _stack(model: Model, module: Module) -> Stack:
    """What stack a module is; a class of somebody's own whose parts are numbers is a sequence."""
    if module.class_name in _STACKS:
        return _STACKS[module.class_name]
    prefix = f"{module.path}." if module.path else ""
    below = [m.path[len(prefix) :] for m in model.modules if m.path.startswith(prefix) and m.path != prefix]
    children = [name for name in below if name and "." not in name]
    listed = module.class_name == "ParametrizationList"
    return "sequence" if children and not listed and all(name.isdigit() for name in children) else ""


def _blocks(tree: Node) -> list[Part]:
    return parts(tree, merged(block_units(tree)), lambda parameter: parameter.numel == 1)


def _row(model: Model, part: Part, step: Step, rates: dict[int, float | None]) -> Row:
    parameters: list[Parameter] = list(part.parameters.values())
    states = [(p, step.parameters.get(p.id)) for p in parameters]
    held = [rates[p.id] for p in parameters if p.id in rates]
    modules = {module.path: module for name in part.modules for module in model.within(name)}
    seen = step.modules.get(model.index, {})
    return Row(
        block=part.name,
        parameters=sum(p.numel for p in parameters),
        trainable=sum(p.numel for p, state in states if state is not None and state.trainable),
        mode=mode_of(state.training for path in modules if (state := seen.get(path)) is not None),
        rates=lowest_and_highest(rate for rate in held if rate is not None),
        memory=sum(p.bytes for p in parameters) + sum(map(_statistics, _norms(modules.values(), part))),
        unknown=sum(p.numel for p, state in states if state is None or state.trainable is None),
        more_rates=None in held,
    )


def _norms(modules: Iterable[Module], part: Part) -> list[int]:
    """How many channels each norm layer with running statistics has."""
    sizes = {p.id: p.shape[0] for p in part.parameters.values() if p.shape}
    norms = [m for m in modules if m.norm is not None and m.norm.has_statistics]
    return [sizes.get(m.parameters[0], 0) if m.parameters else 0 for m in norms]


def _statistics(channels: int) -> int:
    return 2 * channels * _BYTES + _COUNTER
