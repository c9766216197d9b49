"""One look at a forward pass: in which order modules run, and how far from the output each parameter is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from freezelint.freezing.modes import set_mode

# What combines tensors without weights of its own: a position or a class token added there is no layer.
_COMBINES = frozenset(["Add", "Sub", "Mul", "Div", "Cat", "Stack", "Where", "CopySlices", "IndexPut"])
# What only gives a weight another shape or type on its way to where it is used.
_RESHAPES = frozenset(
    [
        *("T", "Transpose", "Permute", "View", "UnsafeView", "ReshapeAlias", "Unsqueeze", "Squeeze"),
        *("Expand", "Slice", "Select", "ToCopy", "Split", "SplitWithSizes", "Clone"),
    ]
)


def run_order(model: nn.Module, sample: Any) -> list[str]:
    """The names of the modules that run on the sample, in the order of their first call.

    Runs on meta tensors if the model can, else for real; in eval mode, without gradients, leaving modes,
    statistics and random numbers as they were. `ValueError` where the model does not run on the sample.
    """
    order: dict[str, None] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda *_: order.setdefault(name)

    hooks = [module.register_forward_pre_hook(note(name)) for name, module in model.named_modules()]
    try:
        with torch.no_grad():
            _forward(model, sample, order.clear)
    finally:
        for hook in hooks:
            hook.remove()
    return list(order)


def depths(model: nn.Module, sample: Any) -> dict[str, int]:
    """How many layers with weights lie between each parameter and the output, on the longest path.

    The layers nearest to the output have depth 0. Worked out on the graph that autograd records: branches
    that run side by side (query, key and value; the shortcut of a residual block) are equally deep wherever
    they are written. Norm layers and biases are as deep as what they belong to, and are not counted. A
    parameter that the output does not depend on is left out. Runs as `run_order` does.
    """
    with torch.enable_grad():
        output, parameters = _forward(model, sample, lambda: None)
    names = {id(tensor): name for name, tensor in parameters.items()}
    counted = {id(tensor) for tensor in parameters.values() if tensor.ndim >= 2}
    found: dict[str, int] = {}
    depth_at: dict[Any, int] = {}
    for node in _from_output(tensor.grad_fn for tensor in _tensors(output) if tensor.grad_fn is not None):
        depth = depth_at.setdefault(node, 0)
        below = depth + _is_layer(node, counted)
        for source in _sources(node):
            if (variable := getattr(source, "variable", None)) is not None and id(variable) in names:
                name = names[id(variable)]
                found[name] = max(found.get(name, 0), depth)
            reached = depth if _weight(source, set(names)) is not None else below
            depth_at[source] = max(depth_at.get(source, 0), reached)
    return found


def _is_layer(node: Any, counted: set[int]) -> bool:
    """Whether this is where a layer uses its weight."""
    if _stem(node) in _COMBINES or _stem(node) in _RESHAPES:
        return False
    return any(_weight(source, counted) is not None for source in _sources(node))


def _weight(node: Any, wanted: set[int]) -> Tensor | None:
    """The parameter that a node passes on, if it does nothing but give it another shape."""
    while True:
        variable = getattr(node, "variable", None)
        if variable is not None:
            return variable if id(variable) in wanted else None
        sources = _sources(node)
        if len(sources) != 1 or _stem(node) not in _RESHAPES:
            return None
        node = sources[0]


def _stem(node: Any) -> str:
    return str(node.name()).partition("Backward")[0]


def _sources(node: Any) -> list[Any]:
    return [source for source, _ in node.next_functions if source is not None]


def _from_output(roots: Iterator[Any]) -> list[Any]:
    """The nodes of a graph, each after all that use its result."""
    order: list[Any] = []
    seen: set[Any] = set()
    stack = [(root, False) for root in roots]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((source, False) for source in _sources(node))
    return order[::-1]


def _forward(model: nn.Module, sample: Any, restart: Callable[[], object]) -> tuple[Any, dict[str, Tensor]]:
    """The output on the sample, and the tensors that stood for the parameters."""
    arguments, keywords = _arguments(sample)
    with _undisturbed(model):
        try:
            state = _state(model, lambda tensor: torch.empty_like(tensor, device="meta"))
            output = functional_call(
                model, state, _to_meta(arguments), _to_meta(keywords), tie_weights=True, strict=False
            )
        except Exception:  # values are needed, or something lives outside the model: run for real
            restart()
            state = _state(model, Tensor.detach)
            state.update((name, buffer.clone()) for name, buffer in model.named_buffers())
            try:
                output = functional_call(model, state, arguments, keywords, tie_weights=True, strict=False)
            except Exception as error:
                raise ValueError(
                    f"{type(model).__name__} does not run on the sample: {error} (give one batch: a "
                    "tensor, a tuple of arguments or a dict of keyword arguments)"
                ) from error
    return output, {name: tensor for name, tensor in state.items() if tensor.requires_grad}


def _state(model: nn.Module, stand_in: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Tensors in the place of parameters and buffers: every parameter that can wants a gradient."""
    state = {
        name: stand_in(p.detach()).requires_grad_(p.is_floating_point() or p.is_complex())
        for name, p in model.named_parameters()
    }
    state.update((name, stand_in(buffer)) for name, buffer in model.named_buffers())
    return state


def _arguments(sample: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(sample, Mapping):
        return (), dict(sample)
    return tuple(sample) if isinstance(sample, (tuple, list)) else (sample,), {}


def _to_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to("meta")
    if isinstance(value, dict):
        return {key: _to_meta(each) for key, each in value.items()}
    if type(value) in (tuple, list):
        return type(value)(map(_to_meta, value))
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in an output: itself, or in tuples, lists, dicts and objects with attributes."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _tensors(each)
    elif hasattr(value, "__dict__") and not isinstance(value, nn.Module):
        for each in vars(value).values():
            yield from _tensors(each)


@contextmanager
def _undisturbed(model: nn.Module) -> Iterator[None]:
    """Everything that modules hold is as before at the end: what they remember of a pass on meta tensors
    (masks, positions) would be of no use to them.
    """
    kept = [(module, vars(module).copy()) for module in model.modules()]
    held = [(each, each.copy()) for _, own in kept for each in own.values() if type(each) in (dict, list)]
    set_mode(model, False)
    try:
        with torch.random.fork_rng(devices=()):
            yield
    finally:
        for module, own in kept:
            vars(module).clear()
            vars(module).update(own)
        for each, before in held:
            each.clear()
            each.update(before) if isinstance(each, dict) else each.extend(before)
