"""The state of one run as evidence: which models there are, and what one step did to each parameter and
module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from freezelint import evidence
from freezelint.evidence import (
    GradientLeaf,
    Group,
    Model,
    ModuleState,
    Norm,
    OptimizerState,
    ParameterState,
    Step,
)
from freezelint.inferring import infer_containers
from freezelint.source.interpreter.values import Module, Optimizer, Parameter, Tensor, Value
from freezelint.source.semantics import stepping
from freezelint.source.semantics.rates import number
from freezelint.source.semantics.tensors import graph, leaves

if TYPE_CHECKING:
    from freezelint.source.recording.recorder import Recorder

_MOST_MODELS = 40


class Stock:
    """Which modules are models, and the places of their parameters. Indices never change once given."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.trees: list[Module] = []
        self.names: list[str] = []
        self._passed_over: set[int] = set()  # ids of modules that are no models
        self.described: list[Model] = []
        self.parameters: list[Tensor] = []
        self.ids: dict[int, int] = {}
        self.places: dict[int, tuple[int, str]] = {}  # id of a module -> (model, path)
        self.paths: dict[int, tuple[int, tuple[str, ...]]] = {}  # id of a parameter -> model and paths
        self.leaves: dict[int, tuple[Module, Tensor]] = {}
        self.leaves_of_steps: list[list[Tensor]] = []
        self._moment = (-1, -1)
        self._roots: list[Module] = []
        self._walks: dict[int, list[tuple[str, Module]]] = {}  # of this moment, by id of the root
        self._placed: list[object] = []  # the trees as they were when the places were noted
        self.loss_reaches_nothing: bool | None = None

    # -- which models there are ---------------------------------------------------------------------------

    def roots(self) -> list[Module]:
        """The modules that lie in no other, wrappers looked through. Worked out once a moment of the run."""
        moment = (self._recorder.machine.ticks, len(self._recorder.made))
        if moment != self._moment:
            self._moment, self._roots = moment, self._outermost()
            self._walks = {}
        return self._roots

    def walk(self, root: Module) -> list[tuple[str, Module]]:
        """All modules of a tree with their paths, as they are at this moment of the run."""
        self.roots()
        known = self._walks.get(id(root))
        if known is None:
            known = self._walks[id(root)] = root.walk()
        return known

    def _outermost(self) -> list[Module]:
        made = [unwrapped(module) for module in self._recorder.made]
        inside: set[int] = set()
        met: set[int] = set()
        pending = list(made)
        while pending:
            module = pending.pop()
            if module.children and id(module) not in met:
                met.add(id(module))
                children = [child for child in module.children.values() if child is not None]
                inside.update(map(id, children))
                pending += children
        return list({id(module): module for module in made if id(module) not in inside}.values())

    def take(self, *, everything: bool = False, last: bool = False) -> None:
        """Find the models that ran, that an optimizer holds, or that something happened to, and note where
        their parts are; the last time, describe them.
        """
        wanted = {id(p) for optimizer in self._recorder.optimizers for p in held_by(optimizer)}
        concerned = {id(m) for record in self._recorder.records for m in record.modules.values()}
        concerned |= {id(p) for record in self._recorder.records for p in record.parameters.values()}
        roots = self.roots()
        self._pass_over(roots)
        for root in roots:
            if any(tree is root for tree in self.trees) or len(self.trees) >= _MOST_MODELS:
                continue
            if id(root) in self._passed_over:
                continue
            parameters = [parameter for _, parameter in root.own_and_below()]
            modules = [module for _, module in self.walk(root)]
            if not parameters and not any(module.norm for module in modules):
                continue
            met = any(id(p) in wanted or id(p) in concerned for p in parameters)
            if (
                everything
                or met
                or any(module.ran is not None or id(module) in concerned for module in modules)
            ):
                self._adopt(root)
        if last:
            self._describe()
        else:
            self._place()

    def _place(self) -> None:
        """Note where everything is, unless nothing has moved since that was done."""
        trees: list[object] = []
        for root in self.trees:
            walk = self.walk(root)
            trees += (walk, [p for _, module in walk for p in module.parameters.values()])
        if trees != self._placed:
            self._placed = trees
            self._describe()

    def _pass_over(self, roots: list[Module]) -> None:
        """Of several modules around the same layers those that run are models: an architecture whose layers
        went into another module is none.
        """
        running = {id(inner) for root in roots if root.ran is not None for _, inner in self.walk(root)}
        for root in roots:
            inside = [inner for _, inner in self.walk(root)]
            if root.ran is not None:
                self._passed_over.discard(id(root))
            elif any(id(inner) in running for inner in inside) and all(
                inner.ran is None or id(inner) in running for inner in inside
            ):
                self._passed_over.add(id(root))

    def _adopt(self, root: Module) -> None:
        name = unique = root.name or root.class_name.lower()
        if unique in self.names:
            unique = f"{name} ({root.class_name})"
        while unique in self.names:
            unique += "'"
        self.trees.append(root)
        self.names.append(unique)

    def identify(self, parameter: Tensor) -> int:
        """The id of a parameter in the trace, or of another tensor that an optimizer holds."""
        known = self.ids.get(id(parameter))
        if known is None:
            known = self.ids[id(parameter)] = len(self.parameters)
            self.parameters.append(parameter)
        return known

    def _describe(self) -> None:
        self.described = []
        placed: dict[int, tuple[int, list[str]]] = {}
        for index, root in enumerate(self.trees):
            modules = list(self._modules(index, root))
            for path, parameter in root.every_place():
                model, paths = placed.setdefault(id(parameter), (index, []))
                if model == index:
                    paths.append(path)
            ids = tuple(dict.fromkeys(p for module in modules for p in module.parameters))
            members = [parameter for _, parameter in root.own_and_below()]
            built = next((parameter.built for parameter in members if parameter.built), root.built)
            self.described.append(
                Model(index, self.names[index], root.class_name, root.library, tuple(modules), ids, built)
            )
        self.paths.update({key: (model, tuple(paths)) for key, (model, paths) in placed.items()})
        self.attached = set(placed)

    def _modules(self, index: int, root: Module) -> Iterator[evidence.Module]:
        overriding: list[str] = []
        for path, module in self.walk(root):
            self.places[id(module)] = (index, path)
            if module.overrides_train:
                overriding.append(path)
            own: list[int] = []
            for parameter in module.parameters.values():
                if parameter is not None:
                    own.append(self.identify(parameter))
            overridden = any(
                not outer or path == outer or path.startswith(f"{outer}.") for outer in overriding
            )
            yield evidence.Module(
                path,
                module.class_name,
                module.library,
                module.role,
                tuple(own),
                norm_of(module),
                module.dropout,
                overridden,
                module.assigned,
            )

    def all_parameters(self) -> tuple[evidence.Parameter, ...]:
        """Every parameter that the trace mentions."""
        return tuple(self._parameter(index, parameter) for index, parameter in enumerate(self.parameters))

    def _parameter(self, index: int, parameter: Tensor) -> evidence.Parameter:
        if not isinstance(parameter, Parameter):
            return evidence.Parameter(
                id=index, model=None, paths=(), shape=(), dtype="float32", bytes=0, attached=False
            )
        model, paths = self.paths.get(id(parameter), (None, ()))
        known = all(size is not None for size in parameter.dims)
        shape = tuple(size for size in parameter.dims if size is not None) if known else ()
        count = 1
        for size in shape:
            count *= size
        return evidence.Parameter(
            id=index,
            model=model,
            paths=paths,
            shape=shape,
            dtype="float32",
            bytes=4 * count if known and shape else 0,
            origin=parameter.origin,
            attached=id(parameter) in self.attached,
            built=parameter.built,
        )

    def fingerprint(self, optimizer: Optimizer, moved: dict[int, bool | None]) -> int:
        """Changes when a step leaves another state: flags, gradients, modes, what ran, groups."""
        facts: list[object] = [optimizer.index, self.loss_reaches_nothing]
        for root in self.roots():
            for _, module in self.walk(root):
                ran = module.ran
                facts.append(module.training)
                if ran is not None:
                    facts += (ran.training, ran.with_gradient, ran.without_gradient, ran.cut_by_checkpoint)
                for parameter in module.parameters.values():
                    if parameter is not None:
                        facts += (id(parameter), parameter.requires_grad, parameter.gradient)
                        facts += (parameter.moved_by_hand, moved.get(id(parameter)))
        for one in self._recorder.optimizers:
            facts.append(one.index)
            for group in one.groups:
                members = group.get("params")
                facts += (len(members) if isinstance(members, list) else -1, number(group.get("lr")))
        return hash(tuple(facts))

    # -- one step -----------------------------------------------------------------------------------------

    def backward(self, loss: Value) -> None:
        """Backward started from this loss."""
        if isinstance(loss, Tensor):
            reached = [leaf for leaf in leaves(loss) if isinstance(leaf, Parameter)]
            forced = loss.leaf and loss.requires_grad is True and not loss.parents
            self.loss_reaches_nothing = True if forced else (False if reached else None)
            behind = {id(one) for one in graph(loss)}
            for module in (module for root in self.roots() for _, module in self.walk(root)):
                if module.ran is not None and any(id(one) in behind for one in module.ran.outputs):
                    module.ran.reached_by_backward = True
        else:
            self.loss_reaches_nothing = None

    def step(
        self,
        phase: Literal["step", "backward", "optimizer-built"],
        event: int | None,
        optimizer: Optimizer | None,
        moved: dict[int, bool | None],
    ) -> Step:
        """The state right after a step; `moved` says of parameters (by Python id) whether the step
        moved them.
        """
        recorder = self._recorder
        return Step(
            index=len(recorder.steps),
            phase=phase,
            event=event,
            parameters=dict(self._parameter_states(moved)),
            modules={index: self._module_states(root) for index, root in enumerate(self.trees)},
            optimizers=tuple(self._optimizer_state(one, one is optimizer) for one in recorder.optimizers),
            leaves=tuple(self._leaves()),
            loss_reaches_nothing=self.loss_reaches_nothing,
        )

    def _parameter_states(self, moved: dict[int, bool | None]) -> Iterator[tuple[int, ParameterState]]:
        held = {id(p) for optimizer in self._recorder.optimizers for p in held_by(optimizer)}
        for index, parameter in enumerate(self.parameters):
            trainable = None if parameter.text == "*" else parameter.requires_grad
            cause = parameter.cause if isinstance(parameter, Parameter) else None
            if id(parameter) in moved:
                movement = moved[id(parameter)]
            elif id(parameter) in held:
                movement = None
            else:
                # Nothing but code of the script's moves what no optimizer holds, and that is read.
                movement = bool(parameter.moved_by_hand)
            yield index, ParameterState(trainable, cause, parameter.gradient, movement)
            parameter.moved_by_hand = False

    def _module_states(self, root: Module) -> dict[str, ModuleState]:
        states: dict[str, ModuleState] = {}
        uncertain = self._recorder.uncertain_forward
        for path, module in self.walk(root):
            ran = module.ran
            if ran is None:
                did = None if uncertain or module.open else False
                states[path] = ModuleState(module.training, module.training_cause, ran=did)
                continue
            same = ran.training == module.training
            states[path] = ModuleState(
                training=ran.training,
                cause=module.training_cause if same else None,
                ran=True,
                order=ran.order,
                with_gradient=ran.with_gradient,
                without_gradient=ran.without_gradient,
                input_requires_grad=ran.input_requires_grad,
                output_requires_grad=ran.output_requires_grad,
                statistics_moved=_statistics_moved(module),
                conditional_cut=ran.conditional_cut,
                cut_by_checkpoint=ran.cut_by_checkpoint,
                reached_by_backward=True if ran.reached_by_backward else None,
            )
        infer_containers(states)
        return states

    def _optimizer_state(self, optimizer: Optimizer, is_stepping: bool) -> OptimizerState:
        state = tuple(map(self.identify, stepping.with_state(optimizer))) if is_stepping else None
        return OptimizerState(
            optimizer.index, is_stepping, self.groups(optimizer), complete=optimizer.complete, state=state
        )

    def groups(self, optimizer: Optimizer) -> tuple[Group, ...]:
        """The parameter groups as they are now."""
        found = []
        for group in optimizer.groups:
            members = group.get("params", [])
            members = members if isinstance(members, list) else []
            found.append(
                Group(
                    tuple(self.identify(p) for p in members if isinstance(p, Tensor)),
                    number(group.get("lr")),
                    number(group.get("initial_lr")),
                    number(group.get("weight_decay")),
                    number(group.get("momentum")),
                    name if isinstance(name := group.get("name", ""), str) else "",
                )
            )
        return tuple(found)

    def _leaves(self) -> Iterator[GradientLeaf]:
        self.leaves_of_steps.append([tensor for _, tensor in self.leaves.values()])
        for module, tensor in self.leaves.values():
            model, path = self.places.get(id(module), (None, ""))
            forced = tensor.attributes.get("forced")
            yield GradientLeaf(model, path, (), None, forced if isinstance(forced, int) else None)

    def steps(self) -> Iterator[Step]:
        """The steps, with what has become known since of the inputs that required grad."""
        held = {id(p) for optimizer in self._recorder.optimizers for p in held_by(optimizer)}
        for step, tensors in zip(self._recorder.steps, self.leaves_of_steps, strict=True):
            used = [id(one) in held or bool(one.attributes.get("gradient read")) for one in tensors]
            leaves = [replace(leaf, used=read) for leaf, read in zip(step.leaves, used, strict=True)]
            yield replace(step, leaves=tuple(leaves))


def unwrapped(module: Module) -> Module:
    """The model inside DataParallel, DistributedDataParallel or a compiled module."""
    while module.wraps is not None and module.wraps is not module:
        module = module.wraps
    return module


def held_by(optimizer: Optimizer) -> Iterator[Value]:
    """Everything in the groups of an optimizer."""
    for group in optimizer.groups:
        members = group.get("params")
        yield from members if isinstance(members, list) else ()


def norm_of(module: Module) -> Norm | None:
    """How a norm layer is set up, as evidence."""
    settings = module.norm
    if settings is None:
        return None
    return Norm(
        # Of a layer of which nobody knows whether it keeps statistics no rule about them may speak.
        has_statistics=settings.has_statistics and settings.tracks is not None,
        tracks=bool(settings.tracks),
        momentum=settings.momentum if settings.momentum_known else None,
        affine=settings.affine is not False,
        reset=settings.reset,
        batches_since_reset=settings.batches_since_reset,
        set_by=settings.set_by,
    )


def _statistics_moved(module: Module) -> bool | None:
    settings, ran = module.norm, module.ran
    if settings is None or not settings.has_statistics or ran is None:
        return None
    if ran.training is None or settings.tracks is None:
        return None
    moves = ran.training and settings.tracks
    return None if moves and not settings.momentum_known else moves and settings.momentum != 0
