"""One optimizer step as evidence: flags, gradients and movements of every parameter, modes and flow of every
module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

from freezelint.evidence import GradientLeaf, ModuleState, OptimizerState, ParameterState, Step
from freezelint.inferring import infer_containers
from freezelint.live.gradients import gradients_of
from freezelint.live.inventory import Inventory
from freezelint.live.ledger import Ledger
from freezelint.live.moved import Digests
from freezelint.live.watchers.flags import FlagWatcher
from freezelint.live.watchers.forwards import Call, ForwardWatcher
from freezelint.live.watchers.graph import GraphWatcher
from freezelint.live.watchers.modes import ModeWatcher
from freezelint.live.watchers.optimizers import OptimizerWatcher
from freezelint.live.watchers.running_statistics import Statistics, moved_since


class Stepper:
    """Builds `Step`s from what the watchers have collected."""

    def __init__(
        self,
        ledger: Ledger,
        inventory: Inventory,
        flags: FlagWatcher,
        modes: ModeWatcher,
        graph: GraphWatcher,
        forwards: ForwardWatcher,
        optimizers: OptimizerWatcher,
    ) -> None:
        self._ledger, self._inventory = ledger, inventory
        self._flags, self._modes = flags, modes
        self._graph, self._forwards, self._optimizers = graph, forwards, optimizers
        self._frozen = (
            Digests()
        )  # of frozen parameters that the stepping optimizer holds, from before its step
        # Of parameters that no optimizer holds and that are trainable, or may be those of a teacher, from
        # after the step before: what moves between steps is updated by hand.
        self._unheld = Digests()
        self._had_gradient: set[int] = set()

    def before(self, optimizer: Optimizer) -> None:
        """Look at what must not move, right before `optimizer.step()`."""
        held = [p for group in optimizer.param_groups for p in group["params"]]
        self._frozen = Digests(p for p in held if not p.requires_grad)
        self._had_gradient = {id(p) for p in held if p.grad is not None}

    def step(
        self,
        index: int,
        phase: Literal["step", "backward", "optimizer-built"],
        event: int | None,
        optimizer: Optimizer | None,
    ) -> Step:
        """The state right after `optimizer.step()`, or at a failure before it."""
        states = tuple(
            OptimizerState(
                built.index,
                candidate is optimizer,
                self._optimizers.groups_of(candidate),
                state=self._optimizers.state_of(candidate) if candidate is optimizer else None,
            )
            for built, candidate in self._optimizers.alive()
        )
        held = {p for state in states for group in state.groups for p in group.parameters}
        return Step(
            index=index,
            phase=phase,
            event=event,
            parameters=self._parameters(held),
            modules=self._modules(),
            optimizers=states,
            leaves=tuple(self._leaves(held)),
            loss_reaches_nothing=self._graph.loss_reaches_nothing,
        )

    def release(self) -> None:
        """Let go of every tensor."""
        self._frozen = self._unheld = Digests()

    def fingerprint(self) -> int:
        """Changes when the trainable set, a mode or a group changes."""
        flags: list[int] = []
        for _, _, module in self._inventory.modules():
            flags.append(module.training)
            flags.extend(p.requires_grad for p in module._parameters.values() if p is not None)
        for _, optimizer in self._optimizers.alive():
            flags.append(id(optimizer))
            flags.extend(len(group["params"]) for group in optimizer.param_groups)
        return hash(tuple(flags))

    def _parameters(self, held: set[int]) -> dict[int, ParameterState]:
        living = [
            (entry, tensor) for entry in self._ledger.entries if (tensor := entry.reference()) is not None
        ]
        living = [(entry, tensor) for entry, tensor in living if entry.attached or entry.id in held]
        within = self._run_with_gradients()
        unheld = Digests(
            t for entry, t in living if entry.id not in held and (t.requires_grad or id(t) not in within)
        )
        moved = self._frozen.compare() | self._unheld.compare(unheld)
        self._frozen, self._unheld = Digests(), unheld
        gradients = gradients_of((tensor for _, tensor in living), self._had_gradient)
        self._had_gradient = set()
        return {
            entry.id: ParameterState(
                trainable=tensor.requires_grad,
                cause=self._flags.causes.get(entry.id),
                gradient=gradients[id(tensor)],
                moved=moved.get(id(tensor)),
            )
            for entry, tensor in living
        }

    def _run_with_gradients(self) -> set[int]:
        """Ids of the parameter tensors of modules that ran in this step with gradients.

        All others may be a teacher's: what runs before the first gradient is not watched yet, so that in the
        first step a teacher that answers first is not seen to run.
        """
        modules = [call.module for call in self._forwards.calls.values() if call.with_gradient]
        return {id(p) for module in modules for p in module._parameters.values() if p is not None}

    def _modules(self) -> dict[int, dict[str, ModuleState]]:
        found: dict[int, dict[str, ModuleState]] = {}
        moved = statistics_moved(self._forwards.calls.values())
        for model, path, module in self._inventory.modules():
            call = self._forwards.calls.get(id(module))
            cause = self._modes.cause(module)
            state = (
                ModuleState(module.training, cause, ran=False)
                if call is None
                else self._state(call, cause, moved)
            )
            found.setdefault(model, {})[path] = state
        for states in found.values():
            infer_containers(states)
        return found

    def _state(self, call: Call, cause: int | None, moved: dict[int, bool | None]) -> ModuleState:
        training = call.trained
        return ModuleState(
            training=training,
            cause=cause if training == call.module.training else None,
            ran=True,
            order=call.order,
            with_gradient=call.with_gradient,
            without_gradient=call.without_gradient,
            input_requires_grad=call.input_requires_grad,
            output_requires_grad=call.output_requires_grad,
            statistics_moved=moved.get(id(call.module)),
            saved_bytes=call.saved_bytes if self._forwards.measure_saved else None,
            conditional_cut=call.conditional_cut,
            cut_by_checkpoint=call.cut,
            reached_by_backward=call.reached,
        )

    def _leaves(self, held: set[int]) -> Iterator[GradientLeaf]:
        for suspect in self._graph.suspects.values():
            if suspect.tensor is None:
                continue
            entry = self._ledger.find(suspect.tensor)
            if entry is not None and entry.id in held:
                suspect.used = True
            place = self._inventory.places.get(suspect.module, (None, ""))
            forced = self._flags.forced_by(suspect.tensor)
            yield GradientLeaf(place[0], place[1], suspect.shape, suspect.used, forced)


def statistics_moved(calls: Iterable[Call]) -> dict[int, bool | None]:
    """Whether the running statistics of each norm layer changed in this step; layers without any are left
    out.
    """
    found: dict[int, bool | None] = {}
    kept: list[tuple[_NormBase, Statistics]] = []
    for call in calls:
        module = call.module
        if isinstance(module, _NormBase) and module.running_mean is not None:
            found[id(module)] = None if call.trained else False
            if call.statistics is not None:
                kept.append((module, call.statistics))
    for identity, moved in moved_since(kept).items():
        found[identity] = found[identity] if moved is None else moved
    return found
