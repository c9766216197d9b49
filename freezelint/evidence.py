"""What a witness saw of one training script: plain data, no torch, no syntax nodes, serialisable.

Both witnesses (the source reader and the live audit) fill the same `Trace`; the checks read nothing else.
Facts are three-valued: a field typed `bool | None` is yes, no, or unknown, and a check may fire only on what
is established. Things refer to each other by their index in the trace, so that a trace survives JSON (see
`freezelint.serialise`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from freezelint.costs import Measurement as Measurement
from freezelint.event_kinds import EventKind as EventKind
from freezelint.event_kinds import FreezeMiss as FreezeMiss

Witness = Literal["source", "live"]
Origin = Literal["pretrained", "fresh", "unknown"]
Role = Literal["norm", "dropout", "embedding", "plain", "container"]
Gradient = Literal["none", "zero", "nonzero", "unknown"]
Intent = Literal["freeze", "unfreeze"]


@dataclass(frozen=True)
class Location:
    """A span of source text; lines and columns count from 1. `calls` are the call sites that led there,
    innermost first. In a notebook `cell` counts all cells from 1, and lines are those of the cell.
    """

    path: str
    line: int
    column: int = 1
    end_line: int | None = None
    end_column: int | None = None
    function: str = ""
    calls: tuple[Location, ...] = ()
    cell: int | None = None

    def at(self) -> tuple[str, int]:
        """The path (with the cell) and the line: two events with the same `at` come from one statement."""
        return (self.path if self.cell is None else f"{self.path}:cell {self.cell}", self.line)


@dataclass(frozen=True)
class Parameter:
    """A tensor that can be trained. `paths` has several entries when it is tied, and none for a tensor
    outside every module.

    `attached` is False for an orphan: a parameter that an optimizer or an event still refers to, but that no
    living module holds (`paths` then tells where it was when it was last seen).
    """

    id: int
    model: int | None
    paths: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    origin: Origin = "unknown"
    attached: bool = True
    built: Location | None = None

    @property
    def path(self) -> str:
        return self.paths[0] if self.paths else ""

    @property
    def numel(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True)
class Norm:
    """How a normalisation layer is set up. `tracks` is `track_running_stats`; `momentum` None means
    cumulative averaging.
    """

    has_statistics: bool
    tracks: bool
    momentum: float | None
    affine: bool = True
    reset: int | None = None  # the event that reset the running statistics
    batches_since_reset: int | None = None
    set_by: int | None = None  # the "norm-set" event that last gave it its momentum or track_running_stats


@dataclass(frozen=True)
class Module:
    """One module of a model. `path` is dotted and empty for the model itself; `parameters` are its own, not
    its children's.
    """

    path: str
    class_name: str
    library: str  # top-level package that defines the class: "torch", "torchvision", "__main__", …
    role: Role
    parameters: tuple[int, ...] = ()
    norm: Norm | None = None
    dropout: float | None = None  # probability, for dropout and stochastic depth
    # its class (or an ancestor module's class in the model) defines its own `train()`
    overrides_train: bool = False
    assigned: int | None = None  # the "replaced" event that put it where it is


@dataclass(frozen=True)
class Model:
    """A tree of modules, in definition order; the first is the model itself. `parameters` are ids into
    `Trace.parameters`.
    """

    index: int
    name: str  # the variable that holds it in the user's code, "model" where none is known
    class_name: str
    library: str
    modules: tuple[Module, ...]
    parameters: tuple[int, ...]
    built: Location | None = None

    @cached_property
    def by_path(self) -> dict[str, Module]:
        return {module.path: module for module in self.modules}

    def within(self, path: str) -> list[Module]:
        """The module at `path` and everything below it."""
        return list(self._within.get(path, ()))

    @cached_property
    def _within(self) -> dict[str, list[Module]]:
        # The checks ask for every module of every step: a search each time is most of what they cost.
        found: dict[str, list[Module]] = {"": list(self.modules)}
        for module in self.modules:
            path = module.path
            while path:
                found.setdefault(path, []).append(module)
                path = path.rpartition(".")[0]
        return found

    def parameters_within(self, path: str) -> list[int]:
        """Ids of all parameters of the module at `path` and below, each once, in definition order."""
        known = self._parameters_within.get(path)
        if known is None:
            ids = dict.fromkeys(p for module in self._within.get(path, ()) for p in module.parameters)
            known = self._parameters_within[path] = tuple(ids)
        return list(known)

    @cached_property
    def _parameters_within(self) -> dict[str, tuple[int, ...]]:
        return {}

    def ancestors(self, path: str) -> list[Module]:
        """The modules that contain the one at `path`, from its parent up to the model itself."""
        known = self._ancestors.get(path)
        if known is None:
            found = []
            outer = path
            while outer:
                outer = outer.rpartition(".")[0]
                if outer in self.by_path:
                    found.append(self.by_path[outer])
            known = self._ancestors[path] = tuple(found)
        return list(known)

    @cached_property
    def _ancestors(self) -> dict[str, tuple[Module, ...]]:
        return {}


@dataclass(frozen=True)
class Group:
    """One parameter group. `lr` is the rate in force; `initial_lr` what a schedule remembers; both None when
    unknown.
    """

    parameters: tuple[int, ...]
    lr: float | None = None
    initial_lr: float | None = None
    weight_decay: float | None = None
    momentum: float | None = None
    name: str = ""


@dataclass(frozen=True)
class Optimizer:
    """An optimizer as it was built: its groups then, and the events that built it and extended it."""

    index: int
    name: str
    class_name: str
    groups: tuple[Group, ...]
    built: int | None = None  # event
    added: tuple[int, ...] = ()  # "group-added" events
    # the parameters that it had state for (momentum, moments) before its first step: loaded or copied
    state_at_start: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Schedule:
    """A learning rate schedule over one optimizer. `steps` counts the "schedule-stepped" events, also those
    that are not kept. `can_step` is False where nothing that can still happen steps it.
    """

    class_name: str
    optimizer: int
    built: int | None = None  # event
    steps: int | None = None
    can_step: bool | None = None


@dataclass(frozen=True)
class RateChange:
    """What one "schedule-built", "schedule-stepped" or "rates-set" event did to the rates of an optimizer's
    groups: for each group, by position, whether its rate changed, and what it is then (None: unknown).
    """

    event: int
    optimizer: int
    changed: tuple[bool | None, ...]
    rates: tuple[float | None, ...]
    equal: bool | None = None  # there are several groups, and all have one rate then, which is above zero
    schedule: int | None = None  # index into `Trace.schedules`


@dataclass(frozen=True)
class Event:
    """Something that happened, in order (`index`). `steps_before` counts the optimizer steps that were
    complete by then.
    """

    index: int
    kind: EventKind
    location: Location | None
    parameters: tuple[int, ...] = ()
    # (model, path): for modes the receiver of the call, e.g. (0, "") for `model.train()`
    modules: tuple[tuple[int, str], ...] = ()
    optimizer: int | None = None
    name: str = ""  # see `EventKind`; for modes and flags the library that sets them, empty for user code
    value: str = ""
    steps_before: int = 0
    # substrings or prefixes that the enclosing condition compares parameter names with
    patterns: tuple[str, ...] = ()
    zipped: bool = False  # the enclosing loop pairs modules with parameters by `zip`
    # what the surrounding code claims to do (function name or comment); for flags and "to-eval"
    says: Intent | None = None
    says_where: str = ""  # the words that claim it, e.g. "function `freeze_backbone`"
    # the one constant that this function ever writes to requires_grad, if there is just one
    only_writes: bool | None = None
    wholly_frozen: bool | None = None  # for modes: every parameter of the receiver was frozen at that moment
    before_forward: bool = False  # no module had run yet
    # for "detached": a condition decides whether the cut is made, as far as the code tells
    conditional: bool = False
    reason: FreezeMiss = ""  # for "froze-nothing"
    # for "froze-nothing"; for "no-effect": True where the receiver is not known, so that `modules` and
    # `parameters` are empty, but can only be a module or a parameter
    certain: bool | None = None
    class_name: str = ""  # for "discarded"
    # for "compared", "discarded" and "froze-nothing": what the statement gives or raises is looked at. It is
    # the last statement of a notebook's cell, stands in a `with` of `raises`, `assertRaises`, `warns` or
    # `suppress`, or is itself one of the statements of a `try` that has handlers.
    observed: bool = False
    # for "to-eval" with `says` "freeze" (which it has only where no `isinstance` chooses the receiver): the
    # code that says so also freezes by other means, as its text shows. Looked for are any write of a
    # `requires_grad`, no_grad, inference_mode, set_grad_enabled, detach, `torch.jit`, `onnx` and `export`: in
    # the function that says so, in what it calls and, for a method, in the whole class and its bases; for a
    # claim outside of functions in the whole file. None where some of that could not be read (an unknown
    # base, `super().freeze()` of one, a call of a function that was not read).
    freezes_otherwise: bool | None = None
    # nothing that was read calls this code: it was run on its own, with unknown arguments
    fragment: bool = False


@dataclass(frozen=True)
class ParameterState:
    """What one step did to one parameter. `cause` is the event that last set `trainable`."""

    trainable: bool | None
    cause: int | None = None
    gradient: Gradient = "unknown"
    # by `optimizer.step()` where an optimizer holds it; else by anything between two steps
    moved: bool | None = None


@dataclass(frozen=True)
class ModuleState:
    """What one step did to one module. Flags are those of its calls in this step; `order` counts first calls
    from 0, None = did not run.
    """

    training: bool | None
    cause: int | None = None  # the event that last set `training`
    ran: bool | None = None
    order: int | None = None
    with_gradient: bool | None = None  # some call ran with grad mode on
    without_gradient: bool | None = None  # some call ran with grad mode off
    input_requires_grad: bool | None = None
    output_requires_grad: bool | None = None
    statistics_moved: bool | None = None
    saved_bytes: int | None = None  # memory that autograd kept for this module's own operations
    # a condition decides whether it runs with grad mode off, or it cannot be told what turned it off
    conditional_cut: bool = False
    cut_by_checkpoint: bool | None = None  # ran in a reentrant checkpoint none of whose inputs required grad
    reached_by_backward: bool | None = (
        # backward came through its output; watched only for layers all of whose own parameters are frozen
        None
    )


@dataclass(frozen=True)
class OptimizerState:
    """An optimizer as it stands at one step; `stepping` marks the one whose step this is.

    Where an optimizer calls another one inside its own `step()` (SAM, Lookahead), only the outer one steps.
    """

    optimizer: int
    stepping: bool
    groups: tuple[Group, ...]
    complete: bool = True  # False where it may hold parameters that the witness does not know
    # the parameters that it holds state for (momentum, moments) when its step is done; for the stepping one
    state: tuple[int, ...] | None = None


@dataclass(frozen=True)
class GradientLeaf:
    """A tensor that is no parameter, fed to a model while requiring grad. `used`: optimised, or its gradient
    is read (None: unknown).
    """

    model: int | None
    module: str
    shape: tuple[int, ...]
    used: bool | None
    forced: int | None = None  # the "gradient-forced" event


@dataclass(frozen=True)
class Step:
    """The state at one optimizer step. `parameters` and `modules` are keyed by parameter id and by (model,
    path).
    """

    index: int
    phase: Literal[
        "step", "backward", "optimizer-built"
    ]  # a completed step, or how far a script got that failed before one
    event: int | None
    parameters: dict[int, ParameterState]
    modules: dict[int, dict[str, ModuleState]]  # model -> path -> state
    optimizers: tuple[OptimizerState, ...] = ()
    leaves: tuple[GradientLeaf, ...] = ()
    # backward started from a leaf: the loss is not connected to any parameter
    loss_reaches_nothing: bool | None = None

    def module(self, model: int, path: str) -> ModuleState | None:
        return self.modules.get(model, {}).get(path)

    @cached_property
    def holders(self) -> dict[int, list[tuple[int, int]]]:
        """For each parameter the (optimizer, position of the group) pairs that hold it."""
        found: dict[int, list[tuple[int, int]]] = {}
        for state in self.optimizers:
            for position, group in enumerate(state.groups):
                for parameter in group.parameters:
                    found.setdefault(parameter, []).append((state.optimizer, position))
        return found

    def held_by(self, parameter: int) -> list[tuple[int, int]]:
        return self.holders.get(parameter, [])

    @cached_property
    def stepping(self) -> OptimizerState | None:
        return next((state for state in self.optimizers if state.stepping), None)

    @cached_property
    def held_by_stepping(self) -> frozenset[int]:
        """The parameters that the stepping optimizer holds."""
        groups = self.stepping.groups if self.stepping else ()
        return frozenset(parameter for group in groups for parameter in group.parameters)


@dataclass(frozen=True)
class Limit:
    """Something that could not be established, and why. `path` is empty where it concerns the whole run."""

    what: str
    why: str
    path: str = ""
    line: int | None = None
    cell: int | None = None


@dataclass(frozen=True)
class Failure:
    """Why the witness did not get as far as a training step (or not as far as was asked)."""

    kind: Literal[
        "crash",
        "exit",
        "timeout",
        "killed",
        "no-step",
        "no-weights",
        "no-graph",
        "empty-optimizer",
        "bad-factory",
        "unreadable",  # the source reader: the file is no Python source
    ]
    message: str
    location: Location | None = None
    advice: str = ""


@dataclass(frozen=True)
class IdleSuppression:
    """A code in a comment (`# noqa: FRZ101`) that suppresses no finding. `comment` are the comment's words;
    `known` is False where there is no such rule.
    """

    location: Location
    comment: str
    code: str
    known: bool = True


@dataclass(frozen=True)
class Trace:
    """All evidence of one script by one witness."""

    witness: Witness
    target: str  # path of the script, as the user wrote it
    models: tuple[Model, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    optimizers: tuple[Optimizer, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    events: tuple[Event, ...] = ()
    steps: tuple[Step, ...] = ()
    limits: tuple[Limit, ...] = ()
    failure: Failure | None = None
    # statements that unfreeze something and that have not run yet
    pending_unfreezes: tuple[Location, ...] = ()
    steps_done: int = 0
    rate_changes: tuple[RateChange, ...] = ()  # in order
    # found when the findings of all witnesses are known, in a trace that holds nothing else
    idle_suppressions: tuple[IdleSuppression, ...] = ()
    measurements: tuple[Measurement, ...] = ()  # where they were asked for: all corrections, then single ones

    def event(self, index: int | None) -> Event | None:
        return None if index is None else self.events[index]

    def location(self, index: int | None) -> Location | None:
        """Where the event with this index happened."""
        return None if index is None else self.events[index].location

    def events_of(self, *kinds: EventKind) -> list[Event]:
        return [event for event in self.events if event.kind in kinds]

    def model_of(self, parameter: int) -> Model | None:
        model = self.parameters[parameter].model
        return None if model is None else self.models[model]

    @cached_property
    def owners(self) -> dict[int, tuple[int, str]]:
        """For each parameter the (model, path) of the module that owns it (the first one, when it is
        tied).
        """
        found: dict[int, tuple[int, str]] = {}
        for model in self.models:
            for module in model.modules:
                for parameter in module.parameters:
                    found.setdefault(parameter, (model.index, module.path))
        return found

    @cached_property
    def held(self) -> frozenset[int]:
        """The parameters that an optimizer holds in some step."""
        return frozenset(parameter for step in self.steps for parameter in step.holders)

    @cached_property
    def twins(self) -> dict[int, list[Model]]:
        """For each model the others whose parameters have the same names and shapes."""
        alike: dict[tuple[object, ...], list[Model]] = {}
        for model in self.models:
            make = tuple((self.parameters[p].path, self.parameters[p].shape) for p in model.parameters)
            alike.setdefault(make, []).append(model)
        return {one.index: [m for m in same if m is not one] for same in alike.values() for one in same}

    @cached_property
    def completed(self) -> list[Step]:
        """The steps that really were optimizer steps."""
        return [step for step in self.steps if step.phase == "step"]
