"""`isinstance` for what is no plain value of Python: modules, parameters, tensors, optimizers, objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.operators import is_flat
from freezelint.source.interpreter.values import (
    Class,
    Function,
    Instance,
    Intrinsic,
    Items,
    Library,
    Method,
    Module,
    Namespace,
    Native,
    Optimizer,
    Parameter,
    Schedule,
    Tensor,
    Unknown,
    Value,
)
from freezelint.source.semantics.torch_classes import bases_of

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_TENSORS = frozenset(
    {"torch.Tensor", "torch.FloatTensor", "torch.cuda.FloatTensor", "torch.autograd.Variable"}
)
_PARAMETERS = frozenset({"torch.nn.Parameter", "torch.nn.UninitializedParameter"})
_ITERATORS = frozenset(f"collections.abc.{name}" for name in ("Iterator", "Iterable", "Generator"))
_SCHEDULES = frozenset({"LRScheduler", "_LRScheduler"})
# What an object that can be iterated over or called may be: its class says no more.
_ABSTRACT = ("collections.", "typing.", "abc.", "numbers.", "types.", "dataclasses.")


def is_instance(machine: Machine, value: Value, cls: Value) -> bool | None:
    """Whether a value is of a class (or of one of several); None where nobody knows."""
    if isinstance(cls, (tuple, list)):
        if not is_flat(cls):
            return None
        results = [is_instance(machine, value, one) for one in cls]
        return True if True in results else None if None in results else False
    if cls is None:
        return value is None
    if isinstance(value, Unknown) or not isinstance(cls, (Class, Library)):
        return None
    if isinstance(cls, Class):
        return _of_script(value, cls)
    name = machine.vocabulary.canonical(cls.name)
    if name == "builtins.object":
        return True
    if isinstance(value, Module):
        return _module(machine, value, name)
    if isinstance(value, Tensor):
        return _tensor(value, name)
    if isinstance(value, (Optimizer, Schedule)):
        return _optimizer(value, name)
    if isinstance(value, Instance):
        return _instance(machine, value, name)
    if isinstance(value, Items):
        return True if name in _ITERATORS else None if name.startswith(_ABSTRACT) else False
    return None if name.startswith(_ABSTRACT) or not isinstance(value, _CALLABLE) else False


_CALLABLE = (Function, Method, Intrinsic, Native, Class, Namespace)


def _of_script(value: Value, cls: Class) -> bool | None:
    own = getattr(value, "cls", None)
    if isinstance(own, Class):
        return True if cls in own.mro() else None if own.is_open else False
    if isinstance(value, Module) and (value.open or value.library in ("", "__main__")):
        return None
    if isinstance(value, Instance) and value.kind == "":
        return None
    return False


def _module(machine: Machine, module: Module, name: str) -> bool | None:
    package, _, last = name.rpartition(".")
    of_torch = package.partition(".")[0] == "torch"
    if module.cls is not None:
        names = {machine.vocabulary.canonical(library.name) for library in module.cls.libraries()}
        if name in names or (of_torch and any(last in bases_of(one.rpartition(".")[2]) for one in names)):
            return True
    elif module.class_name == last and package.partition(".")[0] == module.library:
        return True
    if of_torch and last in module.bases | _own(module):
        return True
    if name.startswith(_ABSTRACT):
        return None
    if name.startswith("builtins."):
        return False
    # Of a class that nobody knows, ancestors other than those that were seen are not known.
    known = not module.open and module.library != "" and not (module.cls is not None and module.cls.is_open)
    if of_torch:
        return False if known else None
    foreign = module.library not in ("torch", "__main__") or module.open
    return None if foreign and package.partition(".")[0] == module.library else False if known else None


def _own(module: Module) -> frozenset[str]:
    return (
        bases_of(module.class_name)
        if module.cls is None and module.library == "torch"
        else frozenset({"Module"})
    )


def _tensor(tensor: Tensor, name: str) -> bool | None:
    if isinstance(tensor, Parameter):
        return name in _TENSORS or name in _PARAMETERS
    if name in _TENSORS:
        return None if _may_be_compound(tensor) else True
    if name in _PARAMETERS or name.startswith("torch."):
        return False
    # What a model of a library returns may be a tuple, a dict or an object.
    return None if _may_be_compound(tensor) else False


def _may_be_compound(tensor: Tensor) -> bool:
    module = tensor.module
    return bool(tensor.parents) and (module is None or module.open or module.library != "torch")


def _optimizer(value: Optimizer | Schedule, name: str) -> bool | None:
    last = name.rpartition(".")[2]
    if last == value.class_name:
        return True
    cls = getattr(value, "cls", None)
    if isinstance(cls, Class) and any(library.name.rpartition(".")[2] == last for library in cls.libraries()):
        return True
    if isinstance(value, Schedule):
        return last in _SCHEDULES or None
    if last == "Optimizer":
        return True
    return False if name.startswith(("torch.optim.", "builtins.")) else None


def _instance(machine: Machine, value: Instance, name: str) -> bool | None:
    if value.kind and machine.vocabulary.canonical(value.kind) == name:
        return True
    if value.cls is None:
        return False if name.startswith(("torch.nn.", "torch.Tensor", "builtins.")) and value.kind else None
    libraries = {machine.vocabulary.canonical(library.name) for library in value.cls.libraries()}
    if name in libraries:
        return True
    if value.cls.is_open or libraries - {"builtins.object", "abc.ABC", "enum.Enum"}:
        return None
    return None if name.startswith(_ABSTRACT) else False
