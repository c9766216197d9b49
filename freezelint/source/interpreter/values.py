"""What variables hold while a script is read: plain Python values, and the kinds below.

Numbers, strings, lists, tuples, dicts and sets of the script are those of Python, so that methods, slices and
aliasing work by themselves. What a script would get from torch is imitated by the classes here. Whatever
nobody can know is `Unknown`. Values compare by identity, as modules and parameters do. None is written out
with what it holds, which may be without end: Python does so for the message of an exception.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from freezelint.evidence import Location, Origin, Role

if TYPE_CHECKING:
    from freezelint.source.files.source_file import SourceFile
    from freezelint.source.interpreter.machine import Machine
    from freezelint.source.interpreter.outlines import Outline

Value: TypeAlias = Any
Scope: TypeAlias = "dict[str, Value]"

# The places below a module that are looked at, and how deep they may lie.
_MOST_PLACES = 20_000
_DEEPEST = 60


class _Missing:
    """The absence of a value, where None is one."""

    def __repr__(self) -> str:
        return "<missing>"


MISSING = _Missing()


class Unknown:
    """A value that the source does not tell.

    `text` is how the script calls it (`args.freeze`). `hint` is the value it has unless somebody says
    otherwise (the default of a command line option). `late` marks the counter of a loop in the
    iterations that stand for all later ones. Attributes and items are kept, so that the same expression
    is the same value.
    """

    __slots__ = ("allowed", "attributes", "choices", "equals", "falling", "hint", "late", "measures",
        "opposite", "returned", "text")  # fmt: skip

    def __init__(self, text: str = "", hint: Value = MISSING, *, late: bool = False) -> None:
        self.text = text[:120]
        self.hint = hint
        self.late = late
        # Of a comparison with the counter of a loop: once it is false it stays so.
        self.falling = False
        self.attributes: dict[Any, Value] = {}
        # Of a comparison: the text of what is compared, with which constant, and whether for equality.
        self.equals: tuple[str, Value, bool | None] | None = None
        # Of a comparison by size with a number: the text of what is compared.
        self.measures = ""
        # Of `not value`: the value.
        self.opposite: Unknown | None = None
        # Of an option that takes several words: what each of them may be.
        self.choices: tuple[Value, ...] = ()
        # Of an option that takes one of some words: these.
        self.allowed: tuple[Value, ...] = ()
        # What something unknown returned, or what is computed from that: it may have a graph that nobody
        # sees.
        self.returned = False

    def __repr__(self) -> str:
        return f"<{self.text}>"


@dataclass(eq=False, repr=False)
class Library:
    """Something of an installed library, by its dotted name: a module, a class or a function."""

    name: str

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    def __repr__(self) -> str:
        return f"<{self.name}>"


@dataclass(eq=False, repr=False)
class Namespace:
    """A module of the checked project."""

    name: str
    file: SourceFile | None
    scope: Scope = field(default_factory=dict)
    pending: Pending | None = None


@dataclass(eq=False, repr=False)
class Deferred:
    """An imported name whose module is read when somebody looks at it: most of what is imported never is."""

    load: Callable[[Machine], Value]


@dataclass(eq=False, repr=False)
class Pending:
    """Stands for the names of an imported module whose statements nobody has needed so far; `done` are those
    that ran, `missing` names that no `from … import *` of it binds.
    """

    namespace: Namespace
    outline: Outline
    done: set[int] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)


@dataclass(eq=False, repr=False)
class Function:
    """A function or lambda of the script. `closure` are the scopes around it, innermost first."""

    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    file: SourceFile
    globals: Scope
    closure: tuple[Scope, ...] = ()
    defaults: dict[str, Value] = field(default_factory=dict)
    owner: Class | None = None
    grad_mode: bool | None = None  # what a decorator such as `torch.no_grad()` sets for each call
    attributes: dict[str, Value] = field(default_factory=dict)
    called: bool = False
    remembered: dict[tuple[Value, ...], Value] | None = None  # results by arguments, where it keeps them


@dataclass(eq=False, repr=False)
class Method:
    """A function bound to the object it was looked up on."""

    function: Value
    owner: Value


@dataclass(eq=False, repr=False)
class Descriptor:
    """A function in a class body under `property`, `staticmethod` or `classmethod`."""

    kind: Literal["property", "staticmethod", "classmethod"]
    function: Value
    setter: Value = None


@dataclass(eq=False, repr=False)
class Class:
    """A class of the script. `bases` may be classes, `Library` names or unknown."""

    name: str
    node: ast.ClassDef
    file: SourceFile
    bases: tuple[Value, ...] = ()
    namespace: Scope = field(default_factory=dict)
    instantiated: bool = False
    is_dataclass: bool = False

    def mro(self) -> list[Value]:
        """The class and its ancestors, in the order in which attributes are looked up."""
        return list(self._ancestry)

    @cached_property
    def _ancestry(self) -> tuple[Value, ...]:
        found: list[Value] = [self]
        for base in self.bases:
            found.extend(base._ancestry if isinstance(base, Class) else [base])
        # Of a class met twice the last place counts, as in a diamond. By identity: a base may be any value.
        met: dict[int, Value] = {id(base): base for base in reversed(found)}
        return tuple(reversed(met.values()))

    def find(self, name: str, after: Class | None = None) -> tuple[Value, Class] | None:
        """The attribute of this name and the class that defines it; `after` starts behind that class."""
        classes = self._ancestry
        start = classes.index(after) + 1 if after in classes else 0
        for cls in classes[start:]:
            if isinstance(cls, Class) and name in cls.namespace:
                return cls.namespace[name], cls
        return None

    def libraries(self) -> list[Library]:
        """The classes of installed libraries among its ancestors."""
        return [cls for cls in self._ancestry if isinstance(cls, Library)]

    @property
    def is_open(self) -> bool:
        """Whether some ancestor is not known at all."""
        return any(not isinstance(cls, (Class, Library)) for cls in self._ancestry)


@dataclass(eq=False, repr=False)
class Super:
    """What `super()` returns: attributes of `owner` behind `cls`."""

    cls: Class
    owner: Value


@dataclass(eq=False, repr=False)
class Instance:
    """An object of a class of the script (or of a library class that is subclassed) that is no module."""

    cls: Class | None
    attributes: dict[str, Value] = field(default_factory=dict)
    kind: str = ""  # a dotted library name, for objects of libraries that are imitated


@dataclass(eq=False, repr=False)
class Intrinsic:
    """A function that the reader itself provides: `run(machine, call)`."""

    name: str
    run: Callable[[Machine, Call], Value]


@dataclass(eq=False, repr=False)
class Native:
    """A method of a plain Python value."""

    owner: Value
    name: str


@dataclass(eq=False, repr=False)
class Call:
    """One call: the arguments, and the expression that makes it."""

    node: ast.AST
    args: list[Value] = field(default_factory=list)
    kwargs: dict[str, Value] = field(default_factory=dict)
    name: str = ""  # dotted name of the library function, or of the method
    complete: bool = True  # False where `*unknown` or `**unknown` may hold more

    def get(self, position: int | None, keyword: str, default: Value = MISSING) -> Value:
        """The argument by position or keyword; an unknown one where it may hide in `**kwargs`."""
        if keyword in self.kwargs:
            return self.kwargs[keyword]
        if position is not None and position < len(self.args):
            return self.args[position]
        return default if self.complete else Unknown(keyword)

    @property
    def owner(self) -> Value:
        """The first argument: the object, where the vocabulary has a method as a function of the library."""
        return self.args[0] if self.args else None


@dataclass(eq=False, repr=False)
class Items:
    """An iterator. `exhausted` tells the place where it was used up; `of_parameters` that it gives
    parameters.
    """

    source: Iterator[Value]
    of_parameters: bool = False
    made: Location | None = None
    name: str = ""
    exhausted: Location | None = None
    consumer: str = ""  # what used it up
    yielded: bool = False
    more: list[bool] = field(default_factory=list)  # not empty where there may be elements that nobody knows


@dataclass(eq=False, repr=False)
class Context:
    """A context manager (or decorator) of torch that sets grad mode, or one that does nothing we follow."""

    kind: str  # "no_grad", "enable_grad", "inference_mode", "set_grad_enabled", or another library name
    mode: bool | None = None
    value: Value = None  # what `with … as` binds
    before: list[Value] = field(default_factory=list)


@dataclass(eq=False, repr=False)
class Tensor:
    """Anything computed from tensors. `parents` lead back through the graph as autograd would.

    `requires_grad` is None where it is unknown. `module` is the module whose call returned it. `cut`
    tells how it was separated from `behind`, the tensor that it was computed from: "no_grad", "detach",
    "data", "item". `gradient` is what `.grad` holds, "zero" is a tensor of zeros.
    """

    parents: tuple[Tensor, ...] = ()
    requires_grad: bool | None = False
    module: Module | None = None
    cut: str = ""
    behind: Tensor | None = None
    text: str = ""
    attributes: dict[str, Value] = field(default_factory=dict)
    leaf: bool = False  # made by the script, no result of a computation: it can hold a gradient itself
    shape: tuple[int | None, ...] | None = None
    made: Location | None = None
    gradient: Literal["none", "zero", "nonzero", "unknown"] = "none"
    moved_by_hand: bool = False
    trained: bool = False  # an optimizer has stepped with its gradient: its origin is settled


@dataclass(eq=False, repr=False)
class Parameter(Tensor):
    """An `nn.Parameter`. `dims` has None where a size is unknown; `cause` is the event that last set
    the flag.
    """

    requires_grad: bool | None = True
    dims: tuple[int | None, ...] = ()
    origin: Origin = "unknown"
    built: Location | None = None
    cause: int | None = None
    leaf: bool = True


@dataclass(eq=False, repr=False)
class NormSettings:
    """How a normalisation layer is set up; None where an argument is unknown."""

    has_statistics: bool
    tracks: bool | None
    momentum: float | None
    momentum_known: bool = True
    affine: bool | None = True
    reset: int | None = None  # events
    set_by: int | None = None
    batches_since_reset: int | None = None


@dataclass
class Ran:
    """What a module did since the last optimizer step."""

    order: int
    training: bool | None
    with_gradient: bool = False
    without_gradient: bool = False
    input_requires_grad: bool | None = None
    output_requires_grad: bool | None = None
    conditional_cut: bool = False
    cut_by_checkpoint: bool | None = None
    outputs: list[Tensor] = field(default_factory=list)  # of calls with gradients
    reached_by_backward: bool = False


@dataclass(eq=False, repr=False)
class Module:
    """An `nn.Module`: of torch, of a known architecture, or of a class of the script (`cls`).

    `open` means that it has children or parameters that nobody knows (an architecture that is not
    known): they appear when they are touched, and nothing definite is said of them. `bases` are the
    names of the classes of libraries that it is an instance of.
    """

    class_name: str
    library: str
    cls: Class | None = None
    role: Role = "plain"
    bases: frozenset[str] = frozenset()
    children: dict[str, Module | None] = field(default_factory=dict)
    parameters: dict[str, Parameter | None] = field(default_factory=dict)
    buffers: dict[str, Value] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict)
    norm: NormSettings | None = None
    dropout: float | None = None
    overrides_train: bool = False
    open: bool = False
    training: bool | None = True
    training_cause: int | None = None
    assigned: int | None = None  # the "replaced" event that put it where it is
    built: Location | None = None
    ran: Ran | None = None
    name: str = ""  # the variable that holds it
    unused: frozenset[str] = frozenset()  # paths below it that a training forward does not run
    calls: tuple[str, ...] = ()  # modules below it in order of execution, where that is known
    wraps: Module | None = None  # DataParallel, DistributedDataParallel, a compiled model

    def walk(self, prefix: str = "") -> list[tuple[str, Module]]:
        """Every module below and including this one with its dotted path, each once, in definition order."""
        found: list[tuple[str, Module]] = []
        met: set[int] = set()
        pending: list[tuple[str, Module]] = [(prefix, self)]
        while pending:
            path, module = pending.pop()
            if id(module) in met:
                continue
            met.add(id(module))
            found.append((path, module))
            if module.children:
                for name, child in reversed(module.children.items()):
                    if child is not None:
                        pending.append((f"{path}.{name}" if path else name, child))
        return found

    def own_and_below(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its dotted path, each once, in definition order."""
        met: set[int] = set()
        for path, module in self.walk():
            if not module.parameters:
                continue
            for name, parameter in list(module.parameters.items()):
                if parameter is not None and id(parameter) not in met:
                    met.add(id(parameter))
                    yield f"{path}.{name}" if path else name, parameter

    def every_place(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter at all of its places, those in modules that stand at several included: as far as
        there are not more of these than any model has, which modules inside themselves do.
        """
        pending: list[tuple[str, Module, int]] = [("", self, 0)]
        for _ in range(_MOST_PLACES):
            if not pending:
                return
            path, module, depth = pending.pop()
            for name, parameter in list(module.parameters.items()):
                if parameter is not None:
                    yield f"{path}.{name}" if path else name, parameter
            for name, child in reversed(module.children.items()) if depth < _DEEPEST else ():
                if child is not None:
                    pending.append((f"{path}.{name}" if path else name, child, depth + 1))

    @property
    def is_open(self) -> bool:
        """Whether anything below it is unknown."""
        return any(module.open for _, module in self.walk())


@dataclass(eq=False, repr=False)
class Optimizer:
    """An optimizer. `groups` are the dicts of `param_groups`, with "params" a list of parameters.

    `complete` is False where some parameters handed to it are not known. `decays_without_gradient`
    marks custom optimizers. `inner` is the optimizer that a wrapper (SAM, Lookahead, accelerate) steps.
    """

    class_name: str
    held: list[Value]  # the list that the script sees as `param_groups`, and may put anything into
    index: int = -1
    built: int | None = None  # event
    location: Location | None = None
    added: list[int] = field(default_factory=list)
    stepped: int = 0
    complete: bool = True
    stateful: bool = False  # keeps momentum or moments
    moved: set[int] = field(default_factory=set)  # ids of parameters that have state in it
    attributes: dict[str, Value] = field(default_factory=dict)
    cls: Class | None = None
    inner: Optimizer | None = None
    name: str = "optimizer"
    moves: dict[int, bool | None] = field(
        default_factory=dict
    )  # what inner optimizers did in the running step
    state_at_start: tuple[Tensor, ...] | None = None  # had state before the first step; None: unknown
    state_known: bool = True  # nobody loaded or exchanged its state

    @property
    def groups(self) -> list[dict[str, Value]]:
        """The parameter groups; what the script put among them that is none is taken out."""
        if not all(isinstance(group, dict) for group in self.held):
            self.held[:] = [group for group in self.held if isinstance(group, dict)]
            self.complete = False
        return self.held

    @groups.setter
    def groups(self, groups: list[dict[str, Value]]) -> None:
        self.held = groups


@dataclass(eq=False, repr=False)
class Schedule:
    """A learning rate schedule over an optimizer."""

    class_name: str
    optimizer: Optimizer | None
    call: Call
    built: int | None = None
    stepped: int = 0
    holders: tuple[str, ...] | None = None  # the names that it was given when it was built; None: unknown
    attributes: dict[str, Value] = field(default_factory=dict)


def parameters_in(values: Iterable[Value]) -> list[Parameter]:
    """The parameters among these values, each once."""
    return list({id(value): value for value in values if isinstance(value, Parameter)}.values())
