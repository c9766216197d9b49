"""The methods of `nn.Module`: what is below it, flags, modes, and putting things in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from freezelint.evidence import EventKind
from freezelint.source.interpreter import conditions
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    Call,
    Function,
    Items,
    Library,
    Method,
    Module,
    Parameter,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.recording.snapshot import unwrapped
from freezelint.source.semantics import filling, forwards, modules, open_ends, staying
from freezelint.source.vocabulary import attribute, method

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_NAME = "name"


# -- what is below ---------------------------------------------------------------------------------


def _items(machine: Machine, source: Iterator[Value], call: Call) -> Items:
    return Items(source, of_parameters=True, made=machine.location(), name=call.name)


@method(Module, "parameters")
def parameters(machine: Machine, module: Module, call: Call) -> Value:
    """Every parameter once; of an open module one more, which stands for those nobody knows."""
    recurse = machine.truth(call.get(0, "recurse", True)) is not False
    return _items(machine, (parameter for _, parameter in _named(machine, module, "", recurse)), call)


@method(Module, "named_parameters")
def named_parameters(machine: Machine, module: Module, call: Call) -> Value:
    """Parameters with their dotted names."""
    prefix = known(call.get(0, "prefix", ""))
    recurse = machine.truth(call.get(1, "recurse", True)) is not False
    once = machine.truth(call.get(2, "remove_duplicate", True)) is not False
    return _items(
        machine, _named(machine, module, prefix if isinstance(prefix, str) else "", recurse, once), call
    )


def _named(
    machine: Machine, module: Module, prefix: str, recurse: bool, once: bool = True
) -> Iterator[tuple[Value, Parameter]]:
    met: set[int] = set()
    walked = _walk(module, prefix, once) if recurse else iter([(prefix, module)])
    opened: list[Module] = []
    for path, inner in walked:
        if inner.open:
            opened.append(inner)
        for name, parameter in list(inner.parameters.items()):
            if parameter is not None and not (once and id(parameter) in met):
                met.add(id(parameter))
                yield _dotted(path, name), parameter
    for inner in opened:
        rest = open_ends.rest_of(inner)
        if id(rest) not in met:
            met.add(id(rest))
            yield Unknown(_NAME), open_ends.listed(machine, rest)


def _walk(module: Module, prefix: str, once: bool) -> Iterable[tuple[str, Module]]:
    return module.walk(prefix) if once else _walk_all(module, prefix, 60)


def _walk_all(module: Module, prefix: str, depth: int) -> Iterator[tuple[str, Module]]:
    """Modules in all their places."""
    yield prefix, module
    for name, child in list(module.children.items()) if depth else ():
        if child is not None:
            yield from _walk_all(child, _dotted(prefix, name), depth - 1)


def _dotted(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@method(Module, "children", "named_children", "modules", "named_modules")
def below(machine: Machine, module: Module, call: Call) -> Value:
    """Modules below, with or without names; of an open module one more, for those nobody knows."""
    named = call.name.startswith("named")
    if call.name.endswith("children"):
        pairs = _named_children(machine, module)
    else:
        prefix = known(call.get(1, "prefix", "")) if named else ""
        pairs = _named_modules(machine, module, prefix if isinstance(prefix, str) else "")
    found = _items(machine, (pair if named else pair[1] for pair in pairs), call)
    found.of_parameters = False
    return found


def _named_children(machine: Machine, module: Module) -> Iterator[tuple[Value, Module]]:
    met: set[int] = set()
    for name, child in list(module.children.items()):
        if child is not None and id(child) not in met:
            met.add(id(child))
            yield name, child
    if module.open:
        yield Unknown(_NAME), open_ends.listed(machine, open_ends.rest_module(module))


def _named_modules(machine: Machine, module: Module, prefix: str) -> Iterator[tuple[Value, Module]]:
    opened = []
    for path, inner in module.walk(prefix):
        if inner.open:
            opened.append(inner)
        yield path, inner
    for inner in opened:
        yield Unknown(_NAME), open_ends.listed(machine, open_ends.rest_module(inner))


@method(Module, "buffers", "named_buffers")
def buffers(machine: Machine, module: Module, call: Call) -> Value:
    """Buffers below, with or without names."""
    pairs = [
        (_dotted(path, name), value)
        for path, inner in module.walk()
        for name, value in inner.buffers.items()
        if value is not None
    ]
    return Items(
        iter(pairs if call.name == "named_buffers" else [value for _, value in pairs]), name=call.name
    )


@method(Module, "get_submodule", "get_parameter", "get_buffer")
def by_path(machine: Machine, module: Module, call: Call) -> Value:
    """What stands at a dotted path."""
    path = known(call.get(0, "target", None))
    if not isinstance(path, str):
        return Unknown(f"{call.name}(…)")
    value: Value = module
    for part in path.split(".") if path else ():
        value = (
            value.children.get(part)
            if isinstance(value, Module) and part in value.children
            else machine.get(value, part)
        )
    return value


@attribute(Module, "_modules")
def own_children(machine: Machine, module: Module) -> Value:
    """The dict of children itself."""
    return module.children


@attribute(Module, "_parameters")
def own_parameters(machine: Machine, module: Module) -> Value:
    """The dict of parameters itself."""
    return module.parameters


@attribute(Module, "_buffers")
def own_buffers(machine: Machine, module: Module) -> Value:
    """The dict of buffers itself."""
    return module.buffers


@attribute(Module, "__dict__")
def own_attributes(machine: Machine, module: Module) -> Value:
    """The plain attributes."""
    return module.attributes


@attribute(Module, "training")
def training(machine: Machine, module: Module) -> Value:
    """The mode, where it is known."""
    return Unknown(f"{module.name or 'module'}.training") if module.training is None else module.training


# -- putting in place ------------------------------------------------------------------------------


@method(Module, "add_module", "register_module")
def add_module(machine: Machine, module: Module, call: Call) -> Value:
    """A child under a name."""
    _register(machine, module, call.get(0, "name", None), call.get(1, "module", None))
    return None


@method(Module, "register_parameter")
def register_parameter(machine: Machine, module: Module, call: Call) -> Value:
    """A parameter under a name."""
    name, value = known(call.get(0, "name", None)), call.get(1, "param", None)
    if value is None and isinstance(name, str):
        module.parameters[name] = None
    else:
        _register(machine, module, name, value)
    return None


def _register(machine: Machine, module: Module, name: Value, value: Value) -> None:
    name = known(name)
    if isinstance(name, str):
        modules.write(machine, module, name, value)
    else:
        module.open = True


@method(Module, "register_buffer")
def register_buffer(machine: Machine, module: Module, call: Call) -> Value:
    """A tensor that is no parameter."""
    name = known(call.get(0, "name", None))
    if isinstance(name, str):
        value = call.get(1, "tensor", None)
        module.buffers[name] = value if value is None or isinstance(value, Tensor) else Tensor(text=name)
    return None


@method(Module, "set_submodule")
def set_submodule(machine: Machine, module: Module, call: Call) -> Value:
    """A module at a dotted path."""
    path, value = known(call.get(0, "target", None)), call.get(1, "module", None)
    if not isinstance(path, str):
        module.open = True
        return None
    owner, _, name = path.rpartition(".")
    parent = by_path(machine, module, Call(call.node, [owner], name=call.name))
    if isinstance(parent, Module):
        modules.write(machine, parent, name, value)
    return None


@method(Module, "apply")
def apply(machine: Machine, module: Module, call: Call) -> Value:
    """A function for every module, children first."""
    function = call.get(0, "fn", None)
    if filling.is_vain(machine, function.function if isinstance(function, Method) else function, module):
        return module
    for inner in _from_below(machine, module, set()):
        machine.call(function, inner)
    return module


def _from_below(machine: Machine, module: Module, met: set[int]) -> Iterator[Module]:
    if id(module) in met:
        return
    met.add(id(module))
    for child in list(module.children.values()):
        if child is not None:
            yield from _from_below(machine, child, met)
    if module.open:
        yield open_ends.listed(machine, open_ends.rest_module(module))
    yield module


# -- flags and gradients ---------------------------------------------------------------------------


@method(Module, "requires_grad_")
def requires_grad_(machine: Machine, module: Module, call: Call) -> Value:
    """The flag of everything below."""
    below = modules.parameters_below(module)
    if below:
        truth = conditions.flag(machine, call.get(0, "requires_grad", True))
        machine.recorder.flag(below, truth, receiver=unwrapped(module))
    return module


@method(Module, "zero_grad")
def zero_grad(machine: Machine, module: Module, call: Call) -> Value:
    """No gradients any more, or gradients of zero."""
    to_none = machine.truth(call.get(0, "set_to_none", True))
    for parameter in modules.parameters_below(module):
        if to_none or parameter.gradient == "none":
            parameter.gradient = "none"
        else:
            parameter.gradient = "unknown" if to_none is None or parameter.gradient == "unknown" else "zero"
    return None


# -- modes -----------------------------------------------------------------------------------------


@method(Module, "train")
def train(machine: Machine, module: Module, call: Call) -> Value:
    """`Module.train`: the mode of everything below, through the overrides of the script's classes."""
    if staying.stays(module):
        staying.put(module, False, module.training_cause)
    else:
        _set_mode(machine, module, machine.truth(call.get(0, "mode", True)))
    return module


@method(Module, "eval")
def evaluate(machine: Machine, module: Module, call: Call) -> Value:
    """`Module.eval`: `self.train(False)`."""
    return machine.call(machine.get(module, "train"), False)


def _set_mode(machine: Machine, module: Module, mode: bool | None) -> None:
    outermost = not machine.mode_events
    if outermost:
        machine.mode_events.append(-1 if mode is None else _mode_event(machine, module, mode))
    event = machine.mode_events[-1]
    try:
        _change(machine, module, mode, event if event >= 0 and mode is not None else None, set())
    finally:
        if outermost:
            machine.mode_events.pop()


def _mode_event(machine: Machine, module: Module, mode: bool) -> int:
    wholly, library = modules.wholly_frozen(module), machine.recorder.calling
    kind: EventKind = "to-train" if mode else "to-eval"
    index = machine.recorder.event(
        kind, modules=[unwrapped(module)], key=library, name=library, wholly_frozen=wholly
    )
    if index >= 0:
        details = machine.recorder.records[index].details
        details["wholly_frozen"] = wholly if details["wholly_frozen"] else details["wholly_frozen"]
    return index


def _change(machine: Machine, module: Module, mode: bool | None, cause: int | None, met: set[int]) -> None:
    if id(module) in met:
        return
    met.add(id(module))
    if staying.stays(module) is not False:
        known = staying.stays(module) or mode is False
        staying.put(module, False if known else None, module.training_cause)
        return
    module.training, module.training_cause = mode, cause
    for child in list(module.children.values()):
        if child is None:
            continue
        own = child.cls is not None and staying.stays(child) is False
        overridden = child.cls.find("train") if child.cls is not None and own else None
        if overridden is not None and isinstance(overridden[0], Function):
            machine.call(Method(overridden[0], child), Unknown("mode") if mode is None else mode)
        else:
            _change(machine, child, mode, cause, met)
    rest = module.attributes.get("*module")
    if isinstance(rest, Module):
        _change(machine, rest, mode, cause, met)
    if mode and staying.keeps(module):
        staying.put_frozen_in_eval(module)


# -- running, moving -------------------------------------------------------------------------------


@method(Module, "forward", "__call__")
def forward(machine: Machine, module: Module, call: Call) -> Value:
    """`module.forward(…)`, and `super().forward(…)`."""
    return forwards.forward_of_library(machine, module, call)


_RUNNING = (
    "forward_features",
    "forward_head",
    "forward_pre_logits",
    "extract_features",
    "encode_image",
    "encode_text",
    "features_only",
    "get_image_features",
    "get_text_features",
    "get_intermediate_layers",
    "forward_intermediates",
)


@method(Module, *_RUNNING)
def run(machine: Machine, module: Module, call: Call) -> Value:
    """Methods of library models that run the model, or a part of it."""
    return forwards.run_unread(machine, module, call)


@method(
    Module,
    "to",
    "cuda",
    "cpu",
    "half",
    "float",
    "double",
    "bfloat16",
    "type",
    "share_memory",
    "xpu",
    "ipu",
    "to_empty",
    "cast",
    "compile",
    "__enter__",
)
def moved(machine: Machine, module: Module, call: Call) -> Value:
    """The same module in another place or type."""
    return None if call.name == "compile" else module


@method(
    Module,
    "register_forward_hook",
    "register_forward_pre_hook",
    "register_full_backward_hook",
    "register_backward_hook",
    "register_full_backward_pre_hook",
    "register_state_dict_pre_hook",
    "register_load_state_dict_post_hook",
    "_register_load_state_dict_pre_hook",
)
def hooked(machine: Machine, module: Module, call: Call) -> Value:
    """Hooks are not followed."""
    return Unknown(f"{call.name}(…)")


@method(Module, "extra_repr", "__repr__", "__str__")
def text(machine: Machine, module: Module, call: Call) -> Value:
    """How it prints."""
    return Unknown("repr")


@method(Module, "from_pretrained")
def from_pretrained(machine: Machine, module: Module, call: Call) -> Value:
    """Called on an object it makes a new one all the same."""
    kinds: Callable[[str], bool] = module.bases.__contains__
    for name in ("EmbeddingBag", "Embedding"):
        if kinds(name):
            return machine.call_with(Library(f"torch.nn.{name}.from_pretrained"), call)
    return Unknown(f"{module.name or module.class_name}.from_pretrained(…)")
