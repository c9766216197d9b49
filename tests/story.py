"""Traces written by hand: a `Story` keeps the state of a training script and turns it into evidence, one call
a statement.

    story = Story()
    story.model({"conv": plain(), "bn": norm(), "fc": plain()}, pretrained=["conv", "bn"])
    story.freeze("conv", "bn", line=3)
    story.optimizer("fc", line=4)
    story.train(line=5)
    story.step()
    faults = list(check(story.trace()))

Each call appends one event at the given line of `train.py`; `step()` derives what a real step would show from
the state so far, and takes overrides where a test needs something unusual.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from freezelint.evidence import (
    Event,
    EventKind,
    Failure,
    GradientLeaf,
    Group,
    Limit,
    Location,
    Model,
    Module,
    ModuleState,
    Norm,
    Optimizer,
    OptimizerState,
    Parameter,
    ParameterState,
    RateChange,
    Schedule,
    Step,
    Trace,
)


def plain(*shapes: tuple[int, ...], **fields: Any) -> dict[str, Any]:
    """A layer with a weight and a bias (or parameters of the given shapes)."""
    return {"class_name": "Linear", "role": "plain", "shapes": shapes or ((4, 4), (4,)), **fields}


def norm(
    momentum: float | None = 0.1, tracks: bool = True, has_statistics: bool = True, **fields: Any
) -> dict[str, Any]:
    """A BatchNorm layer."""
    settings = Norm(has_statistics, tracks, momentum, **fields.pop("settings", {}))
    return {"class_name": "BatchNorm2d", "role": "norm", "shapes": ((4,), (4,)), "norm": settings, **fields}


def dropout(probability: float = 0.5) -> dict[str, Any]:
    """A dropout layer."""
    return {"class_name": "Dropout", "role": "dropout", "shapes": (), "dropout": probability}


def at(line: int | None, function: str = "", path: str = "train.py") -> Location | None:
    """A place in the script."""
    return None if line is None else Location(path, line, function=function)


class Story:
    """Builds one trace. Dotted names address modules ("layer1") or parameters ("layer1.weight") of the latest
    model.
    """

    def __init__(self) -> None:
        self.models: list[Model] = []
        self.parameters: list[Parameter] = []
        self.events: list[Event] = []
        self.optimizers: list[Optimizer] = []
        self.groups: list[list[Group]] = []
        self.schedules: list[Schedule] = []
        self.rate_changes: list[RateChange] = []
        self.stateful: set[int] = set()  # optimizers that keep momentum or moments
        self.steps: list[Step] = []
        self.limits: list[Limit] = []
        self.failure: Failure | None = None
        self.pending: list[Location] = []
        self.trainable: dict[int, tuple[bool, int | None]] = {}
        self.training: dict[tuple[int, str], tuple[bool, int | None]] = {}
        self.forwarded = False

    def model(
        self,
        layers: dict[str, dict[str, Any]],
        name: str = "model",
        *,
        pretrained: Sequence[str] | bool = (),
        fresh: Sequence[str] | bool = (),
        class_name: str = "Net",
        library: str = "__main__",
        training: bool = True,
        tied: dict[str, str] | None = None,
        line: int = 1,
    ) -> Model:
        """Add a model with these layers, in order. `pretrained` and `fresh` name the layers of that origin
        (True: all); the rest is unknown. `tied` maps a parameter path to the earlier path whose parameter it
        shares.
        """
        index, ids = len(self.models), {}
        modules = [Module("", class_name, library, "container")]
        for path, layer in _with_containers(layers).items():
            own = []
            for position, shape in enumerate(layer.get("shapes", ())):
                full = f"{path}.{('weight', 'bias')[position] if position < 2 else f'p{position}'}"
                own.append(
                    ids[full]
                    if full in ids
                    else self._parameter(index, full, shape, _origin(path, pretrained, fresh), ids, tied)
                )
            fields = {k: v for k, v in layer.items() if k != "shapes"}
            modules.append(
                Module(path=path, library=fields.pop("library", "torch"), parameters=tuple(own), **fields)
            )
        built = Model(
            index, name, class_name, library, tuple(modules), tuple(dict.fromkeys(ids.values())), at(line)
        )
        self.models.append(built)
        for module in modules:
            self.training[index, module.path] = (training, None)
        return built

    def event(
        self,
        kind: EventKind,
        line: int | None,
        function: str = "",
        *,
        end_line: int | None = None,
        calls: Sequence[Location] = (),
        **fields: Any,
    ) -> Event:
        """Append an event of any kind, at a statement that goes on to `end_line`, reached through `calls`."""
        place = at(line, function)
        happened = Event(
            len(self.events),
            kind,
            None if place is None else replace(place, end_line=end_line, calls=tuple(calls)),
            steps_before=len(self.steps),
            before_forward=not self.forwarded,
            **fields,
        )
        self.events.append(happened)
        return happened

    def freeze(self, *names: str, line: int = 2, **fields: Any) -> Event:
        """Set requires_grad False on everything under these names (the whole model when there is none)."""
        return self._flag("frozen", False, names, line, fields)

    def unfreeze(self, *names: str, line: int = 3, **fields: Any) -> Event:
        """Set requires_grad True on everything under these names (the whole model when there is none)."""
        return self._flag("unfrozen", True, names, line, fields)

    def train(self, *names: str, line: int = 6, **fields: Any) -> Event:
        """Call `.train()` on each named module (the model itself when there is none)."""
        return self._mode("to-train", True, names, line, fields)

    def eval(self, *names: str, line: int = 5, **fields: Any) -> Event:
        """Call `.eval()` on each named module (the model itself when there is none)."""
        return self._mode("to-eval", False, names, line, fields)

    def optimizer(
        self,
        *names: str,
        lr: float | None = 0.1,
        line: int = 4,
        class_name: str = "SGD",
        groups: Iterable[Group] | None = None,
        stateful: bool = False,
        state_at_start: Sequence[str] = (),
        **fields: Any,
    ) -> Optimizer:
        """Build an optimizer over one group with everything under these names (all of the model when there is
        none), or these groups. A `stateful` one keeps moments; it may begin with some for these names.
        """
        made = tuple(groups) if groups is not None else (Group(tuple(self.ids(*names)), lr=lr, **fields),)
        index = len(self.optimizers)
        held = tuple(p for group in made for p in group.parameters)
        event = self.event("optimizer-built", line, optimizer=index, parameters=held, name=class_name)
        built = Optimizer(index, "optimizer", class_name, made, event.index)
        if stateful:
            self.stateful.add(index)
            inherited = tuple(self.ids(*state_at_start)) if state_at_start else ()
            built = replace(built, state_at_start=inherited)
        self.optimizers.append(built)
        self.groups.append(list(made))
        return built

    def group(self, *names: str, lr: float | None = 0.1, **fields: Any) -> Group:
        """A parameter group with everything under these names."""
        return Group(tuple(self.ids(*names)), lr=lr, **fields)

    def add_group(self, *names: str, lr: float = 0.1, line: int = 8, optimizer: int = 0) -> Event:
        """`optimizer.add_param_group` with everything under these names."""
        group = self.group(*names, lr=lr)
        self.groups[optimizer].append(group)
        event = self.event("group-added", line, optimizer=optimizer, parameters=group.parameters)
        built = self.optimizers[optimizer]
        self.optimizers[optimizer] = replace(built, added=(*built.added, event.index))
        return event

    def schedule(
        self,
        *rates: float,
        class_name: str = "StepLR",
        line: int = 10,
        optimizer: int = 0,
        steps: int | None = None,
        can_step: bool | None = None,
    ) -> Schedule:
        """Build a schedule, which gives the groups these rates (none: leaves them as they are)."""
        event = self.event("schedule-built", line, optimizer=optimizer, name=class_name)
        made = Schedule(class_name, optimizer, event.index, steps, can_step)
        self.schedules.append(made)
        self._give_rates(event, rates, optimizer, len(self.schedules) - 1)
        return made

    def schedule_step(self, *rates: float, line: int = 21, schedule: int = -1, value: str = "") -> Event:
        """Step the latest schedule (or another one), which gives the groups these rates."""
        index = range(len(self.schedules))[schedule]
        stepped = self.schedules[index]
        self.schedules[index] = replace(stepped, steps=(stepped.steps or 0) + 1)
        event = self.event(
            "schedule-stepped", line, optimizer=stepped.optimizer, name=stepped.class_name, value=value
        )
        self._give_rates(event, rates, stepped.optimizer, index)
        return event

    def set_rates(self, *rates: float, line: int = 12, optimizer: int = 0, function: str = "") -> Event:
        """Give the groups these rates by hand."""
        event = self.event("rates-set", line, function, optimizer=optimizer)
        self._give_rates(event, rates, optimizer, None)
        return event

    def _give_rates(self, event: Event, rates: Sequence[float], optimizer: int, schedule: int | None) -> None:
        before = [group.lr for group in self.groups[optimizer]]
        after = list(rates) or before
        pairs = zip(self.groups[optimizer], after, strict=True)
        self.groups[optimizer] = [replace(group, lr=rate) for group, rate in pairs]
        changed = tuple(old != new for old, new in zip(before, after, strict=True))
        equal = len(after) > 1 and len(set(after)) == 1 and bool(after[0])
        self.rate_changes.append(RateChange(event.index, optimizer, changed, tuple(after), equal, schedule))

    def exchange(self, path: str, *shapes: tuple[int, ...], line: int = 9, inner: str = "") -> Event:
        """`model.path = nn.Linear(…)` on the latest model: the old parameters become orphans. With `inner`,
        the new layer is a Sequential whose only parameters lie under that name.
        """
        model = self.models[-1]
        old = model.parameters_within(path)
        for p in old:
            self.parameters[p] = replace(self.parameters[p], attached=False)
        ids: dict[str, int] = {}
        owner = f"{path}.{inner}" if inner else path
        for position, shape in enumerate(shapes or ((4, 4), (4,))):
            full = f"{owner}.{('weight', 'bias')[position]}"
            self._parameter(model.index, full, shape, "fresh", ids, None)
        event = self.event(
            "replaced", line, name=path, modules=((model.index, path),), parameters=tuple(ids.values())
        )
        kept = [m for m in model.modules if m not in model.within(path)]
        added = [Module(path, "Linear", "torch", "plain", tuple(ids.values()), assigned=event.index)]
        if inner:
            added = [
                replace(added[0], class_name="Sequential", role="container", parameters=()),
                replace(added[0], path=owner, assigned=None),
            ]
        parameters = [p for p in model.parameters if p not in old] + list(ids.values())
        self.models[-1] = replace(model, modules=(*kept, *added), parameters=tuple(parameters))
        for module in added:
            self.training[model.index, module.path] = (True, None)
        return event

    def tensor(self, shape: tuple[int, ...] = (3, 8, 8), trainable: bool = True) -> int:
        """A tensor outside every model, e.g. an image that is optimised. Its id."""
        made = Parameter(len(self.parameters), None, (), shape, "float32", 4, attached=False)
        self.parameters.append(made)
        self.trainable[made.id] = (trainable, None)
        return made.id

    def step(
        self,
        *,
        optimizer: int = 0,
        parameters: dict[str, dict[str, Any]] | None = None,
        modules: dict[str, dict[str, Any]] | None = None,
        skipped: Sequence[str] = (),
        leaves: Sequence[GradientLeaf] = (),
        phase: Any = "step",
        **fields: Any,
    ) -> Step:
        """One training step of `optimizer`. `parameters` and `modules` override fields of the states of
        everything under a name (of the latest model); `skipped` modules do not run.
        """
        event = self.event("stepped", 20, optimizer=optimizer) if phase == "step" else None
        self.forwarded = True
        states = {p.id: self._parameter_state(p.id) for p in self.parameters}
        for name, override in (parameters or {}).items():
            for p in self.ids(name):
                states[p] = replace(states[p], **override)
        held = tuple(
            OptimizerState(
                i, i == optimizer, tuple(groups), state=self._state_of(i) if i == optimizer else None
            )
            for i, groups in enumerate(self.groups)
        )
        taken = Step(
            len(self.steps),
            phase,
            event.index if event else None,
            states,
            self._module_states(modules or {}, skipped),
            held,
            tuple(leaves),
            **fields,
        )
        self.steps.append(taken)
        return taken

    def trace(self, witness: Any = "live") -> Trace:
        """Everything so far as evidence."""
        return Trace(
            witness,
            "train.py",
            tuple(self.models),
            tuple(self.parameters),
            tuple(self.optimizers),
            tuple(self.schedules),
            tuple(self.events),
            tuple(self.steps),
            tuple(self.limits),
            self.failure,
            tuple(self.pending),
            steps_done=len(self.steps),
            rate_changes=tuple(self.rate_changes),
        )

    def ids(self, *names: str) -> list[int]:
        """Ids of the parameters under these names, in the latest model that has them."""
        found: list[int] = []
        for name in names or ("",):
            for model in reversed(self.models):
                under = [
                    p
                    for p in model.parameters
                    if any(
                        not name or path == name or path.startswith(f"{name}.")
                        for path in self.parameters[p].paths
                    )
                ]
                if under:
                    found.extend(under)
                    break
            else:
                raise KeyError(f"no parameter under {name!r}")
        return list(dict.fromkeys(found))

    def _parameter(
        self,
        model: int,
        path: str,
        shape: tuple[int, ...],
        origin: Any,
        ids: dict[str, int],
        tied: dict[str, str] | None,
    ) -> int:
        if tied and path in tied:
            shared = ids[tied[path]]
            self.parameters[shared] = replace(
                self.parameters[shared], paths=(*self.parameters[shared].paths, path)
            )
            ids[path] = shared
            return shared
        numel = 1
        for length in shape:
            numel *= length
        made = Parameter(len(self.parameters), model, (path,), shape, "float32", 4 * numel, origin)
        self.parameters.append(made)
        self.trainable[made.id] = (True, None)
        ids[path] = made.id
        return made.id

    def _flag(
        self, kind: Any, value: bool, names: tuple[str, ...], line: int, fields: dict[str, Any]
    ) -> Event:
        ids = self.ids(*names)
        event = self.event(kind, line, parameters=tuple(ids), value=str(value), **fields)
        for p in ids:
            self.trainable[p] = (value, event.index)
        return event

    def _mode(
        self, kind: Any, value: bool, names: tuple[str, ...], line: int, fields: dict[str, Any]
    ) -> Event:
        model = self.models[-1]
        receivers = tuple((model.index, name) for name in names or ("",))
        inside = [p for _, name in receivers for p in model.parameters_within(name)]
        frozen = bool(inside) and not any(self.trainable[p][0] for p in inside)
        event = self.event(kind, line, modules=receivers, wholly_frozen=frozen, **fields)
        for _, name in receivers:
            for module in model.within(name):
                if not module.overrides_train or not value:
                    self.training[model.index, module.path] = (value, event.index)
        return event

    def _state_of(self, optimizer: int) -> tuple[int, ...]:
        held = (p for group in self.groups[optimizer] for p in group.parameters)
        return tuple(p for p in held if optimizer in self.stateful and self.trainable[p][0])

    def _parameter_state(self, p: int) -> ParameterState:
        trainable, cause = self.trainable[p]
        if self.parameters[p].paths and not self.parameters[p].attached:
            return ParameterState(trainable, cause, "none", False)
        held = any(p in group.parameters for groups in self.groups for group in groups)
        return ParameterState(trainable, cause, "nonzero" if trainable else "none", trainable and held)

    def _module_states(
        self, overrides: dict[str, dict[str, Any]], skipped: Sequence[str]
    ) -> dict[int, dict[str, ModuleState]]:
        found: dict[int, dict[str, ModuleState]] = {}
        for model in self.models:
            reached = False
            for order, module in enumerate(model.modules):
                training, cause = self.training[model.index, module.path]
                if any(module.path == name or module.path.startswith(f"{name}.") for name in skipped):
                    state = ModuleState(training, cause, ran=False)
                else:
                    before = reached
                    reached = reached or any(self.trainable[p][0] for p in module.parameters)
                    moved = bool(
                        training
                        and module.norm
                        and module.norm.has_statistics
                        and module.norm.tracks
                        and module.norm.momentum != 0
                    )
                    state = ModuleState(
                        training,
                        cause,
                        True,
                        order,
                        True,
                        False,
                        before,
                        reached,
                        moved if module.norm else None,
                        0,
                        False,
                    )
                for name, override in overrides.items():
                    if model is self.models[-1] and (
                        module.path == name or (name and module.path.startswith(f"{name}."))
                    ):
                        state = replace(state, **override)
                found.setdefault(model.index, {})[module.path] = state
        return found


def _origin(path: str, pretrained: Sequence[str] | bool, fresh: Sequence[str] | bool) -> str:
    for origin, names in (("pretrained", pretrained), ("fresh", fresh)):
        if names is True or (
            not isinstance(names, bool) and any(path == name or path.startswith(f"{name}.") for name in names)
        ):
            return origin
    return "unknown"


def _with_containers(layers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The layers, each preceded by the containers that its dotted path implies."""
    found: dict[str, dict[str, Any]] = {}
    for path, layer in layers.items():
        parts = path.split(".")
        for depth in range(1, len(parts)):
            found.setdefault(".".join(parts[:depth]), {"class_name": "Sequential", "role": "container"})
        found[path] = layer
    return found
