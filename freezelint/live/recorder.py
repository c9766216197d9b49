"""The live witness: watches a training run and turns what it sees into a trace. Disturbs nothing, copies no
model.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import ClassVar, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from freezelint.errors import BadInputError
from freezelint.evidence import Event, Failure, Limit, Location, Origin, Step, Trace
from freezelint.evidence import Optimizer as OptimizerEvidence
from freezelint.live.inventory import Causes, Inventory
from freezelint.live.journal import UNRECORDED, Journal, Record
from freezelint.live.ledger import Ledger
from freezelint.live.patching import Patches
from freezelint.live.reading.pending import freezes_ahead, pending_unfreezes
from freezelint.live.reading.places import user_location
from freezelint.live.settings import LiveSettings
from freezelint.live.stepper import Stepper
from freezelint.live.watchers.flags import FlagWatcher
from freezelint.live.watchers.forwards import ForwardWatcher
from freezelint.live.watchers.graph import GraphWatcher, Suspect
from freezelint.live.watchers.hub import HubWatcher
from freezelint.live.watchers.loads import LoadWatcher
from freezelint.live.watchers.modes import ModeWatcher
from freezelint.live.watchers.optimizers import OptimizerWatcher

# The first steps are watched; a later one when flags, modes or groups changed before it.
_RECORDED = 2
# One optimizer may step more often than another (a critic, a generator): wait for the slow one, within
# reason.
_PATIENCE = 5


class Recorder:
    """Context manager around a training run.

    Recorders may nest; the innermost one counts steps. torch is patched as a whole, so there is one
    thread at a time.

    `on_progress` hears what is going on, `on_trace` gets the evidence so far after each construction of an
    optimizer and each recorded step (a run may die at any moment), `on_done` is called when enough steps were
    seen.
    """

    _open: ClassVar[list[Recorder]] = []

    def __init__(
        self,
        target: str,
        settings: LiveSettings,
        on_progress: Callable[[str], None] = lambda _: None,
        on_trace: Callable[[Trace], None] | None = None,
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        self._target = target
        self._settings = settings
        self._on_progress, self._on_trace, self._on_done = on_progress, on_trace, on_done
        self._limits: dict[tuple[str, str], Limit] = {}
        self._steps: list[Step] = []
        self._suspects: list[list[Suspect]] = []  # those of each recorded step, in the order of its leaves
        self._pid = os.getpid()
        self._patches = Patches()
        self._closed = False
        self.thread = 0
        self.finished = False  # the script has come to its end by itself
        self.ledger = Ledger()
        self.journal = Journal()
        self.inventory = Inventory(self.ledger)
        self.flags = FlagWatcher(self.ledger, self.journal)
        self.modes = ModeWatcher(self.journal)
        self.loads = LoadWatcher(self.ledger, self.journal)
        self.hub = HubWatcher(self.ledger, self.loads)
        self.graph = GraphWatcher(
            self.ledger, self.journal, self.flags, on_no_graph=lambda: self._snapshot("backward")
        )
        self.forwards = ForwardWatcher(self.graph, on_first_gradient=self._first_gradient)
        self.optimizers = OptimizerWatcher(
            self.ledger,
            self.journal,
            on_built=self._built,
            on_failed=lambda: self._snapshot("optimizer-built"),
            before_step=self._before_step,
            after_step=self._after_step,
        )
        self._stepper = Stepper(
            self.ledger,
            self.inventory,
            self.flags,
            self.modes,
            self.graph,
            self.forwards,
            self.optimizers,
        )
        # How often a state of flags, modes and groups has been watched, and whether the next step must show a
        # new one.
        self._watched: Counter[int] = Counter()
        self._tentative = False
        self.journal.on_change = self._changed

    def __enter__(self) -> Recorder:
        if self._open and self._open[-1].thread != threading.get_ident():
            raise BadInputError(
                "another thread is being watched: torch can be watched from one thread at a time"
            )
        self.thread = threading.get_ident()
        self._open.append(self)
        for watcher in (
            self.flags,
            self.modes,
            self.loads,
            self.hub,
            self.graph,
            self.forwards,
            self.optimizers,
        ):
            watcher.install(self._patches)
        self._run_eagerly(self._patches)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was replaced is put back in reverse order, also where recorders end in another order
        than they began.
        """
        self.recording = False
        self._closed = True
        self.forwards.begin_step()
        self.graph.release()
        self._stepper.release()
        while self._open and self._open[-1]._closed:
            self._open.pop()._patches.undo()

    def _run_eagerly(self, patches: Patches) -> None:
        """Compiled code calls no Python: under observation `torch.compile` falls back to eager."""
        stance = torch.compiler.set_stance("force_eager")
        stance.__enter__()
        patches.afterwards(lambda: stance.__exit__(None, None, None))

    def watch(self, model: nn.Module, optimizer: Optimizer | None = None, name: str = "model") -> None:
        """Take this model under the given name, and this optimizer, which may be older than the audit."""
        self.inventory.give(model, name)
        if optimizer is not None:
            self.optimizers.known(optimizer)

    def note(self, what: str, why: str) -> None:
        """Put something under `limits`, once."""
        self._limits.setdefault((what, why), Limit(what, why))

    def mark(self, parameters: Iterable[torch.Tensor], origin: Origin) -> None:
        """Say where the values of these parameters come from."""
        tensors = list(parameters)
        self.ledger.mark(tensors, origin)
        if origin == "pretrained":
            self.loads.loaded(tensors)

    def trace(self, failure: Failure | None = None) -> Trace:
        """The evidence so far. Where models stand is as of the last recorded step: they may be gone by
        now.
        """
        if not self._steps:
            self._take_stock()
        events = self._events()
        return Trace(
            witness="live",
            target=self._target,
            models=self.inventory.models(),
            parameters=tuple(entry.evidence() for entry in self.ledger.entries),
            optimizers=tuple(
                OptimizerEvidence(
                    built.index,
                    "optimizer",
                    built.class_name,
                    built.groups,
                    built.event,
                    tuple(built.added),
                    built.state_at_start,
                )
                for built in self.optimizers.built
            ),
            schedules=tuple(
                self.optimizers.schedules.schedules(self.finished, _statements_that_step(events))
            ),
            events=events,
            steps=tuple(self._with_leaves()),
            limits=tuple(self._all_limits(events)),
            failure=failure,
            pending_unfreezes=self._unfreezes_ahead(events),
            steps_done=self.journal.steps,
            rate_changes=self.optimizers.schedules.changes(),
        )

    def _publish(self) -> None:
        if self._on_trace is None:
            self._events()  # modules that events concern may be gone by the end: their places are taken now
        else:
            self._on_trace(self.trace())

    def _events(self) -> tuple[Event, ...]:
        for record in self.journal.records:
            for reference in record.receivers:
                module = reference()
                place = None if module is None else self.inventory.places.get(module)
                if place is not None:
                    record.paths[place] = None
            self._name_place(record)
        return tuple(record.evidence() for record in self.journal.records)

    def _unfreezes_ahead(self, events: tuple[Event, ...]) -> tuple[Location, ...]:
        """Statements seen at work on tensors that are no parameters (inputs, hidden states) unfreeze
        nothing.
        """
        at_work = {
            kind: {event.location.at() for event in events if event.kind == kind and event.location}
            for kind in ("gradient-forced", "unfrozen")
        }
        others = at_work["gradient-forced"] - at_work["unfrozen"]
        ahead = pending_unfreezes(self._position(events))
        return tuple(location for location in ahead if location.at() not in others)

    def _position(self, events: tuple[Event, ...]) -> Location | None:
        """Where the script is: at its latest optimizer step."""
        return next((event.location for event in reversed(events) if event.kind == "stepped"), None)

    def _name_place(self, record: Record) -> None:
        """A replacement is named by the path of what was put in place, once its parent's place is known."""
        if record.index not in self.loads.places:
            return
        reference, attribute = self.loads.places[record.index]
        parent = reference()
        place = None if parent is None else self.inventory.places.get(parent)
        if place is not None:
            record.details["name"] = ".".join(part for part in (place[1], attribute) if part)
            record.paths[place[0], record.details["name"]] = None

    def _all_limits(self, events: tuple[Event, ...]) -> list[Limit]:
        why = "it comes after the steps that were watched: watch more with --steps, or that stage alone"
        limits = [
            Limit(f"the freeze on line {freeze.line}", why, freeze.path, freeze.line)
            for freeze in freezes_ahead(self._position(events))
        ]
        limits += self._limits.values()
        if self.journal.overflow:
            limits.append(Limit("events", "more happened than is kept: only what came first was looked at"))
        return limits

    def _take_stock(self) -> None:
        held = [
            p
            for _, optimizer in self.optimizers.alive()
            for group in optimizer.param_groups
            for p in group["params"]
        ]
        causes = Causes(self.loads.assigned, self.modes.resets, self.flags.settings)
        self.inventory.take(self.forwards.roots.values(), held, causes)

    def _first_gradient(self, module: nn.Module) -> None:
        """A step begins: what ran without gradients before the first one was preparation (a calibration, a
        sanity check).
        """
        if self._tentative:
            self._tentative = False
            if self._watched[self._stepper.fingerprint()] >= _RECORDED:
                self.recording = False
                return
        if not self.journal.steps:
            self.forwards.begin_step()
        self.journal.forwarded = True
        held = {
            id(p)
            for _, optimizer in self.optimizers.alive()
            for group in optimizer.param_groups
            for p in group["params"]
        }
        self.forwards.measure_saved = self.graph.suspected or any(
            p.requires_grad and id(p) not in held for p in module.parameters()
        )

    def _built(self) -> None:
        if self._observing:
            self._take_stock()
            self._publish()

    def _snapshot(self, phase: Literal["backward", "optimizer-built"]) -> None:
        """The state of a script that failed before it reached a step."""
        if self._observing:
            self.inventory.adopt_all()
            self._take_stock()
            self._append(self._stepper.step(len(self._steps), phase, None, None))
            self._publish()

    def _append(self, step: Step) -> None:
        self._steps.append(step)
        self._suspects.append(list(self.graph.suspects.values()))

    def _with_leaves(self) -> Iterator[Step]:
        """The steps, with what has become known since of the inputs that required grad."""
        for step, suspects in zip(self._steps, self._suspects, strict=True):
            leaves = (replace(leaf, used=s.used) for leaf, s in zip(step.leaves, suspects, strict=True))
            yield replace(step, leaves=tuple(leaves))

    def _before_step(self, optimizer: Optimizer) -> None:
        if self._observing and self.recording:
            self._stepper.before(optimizer)

    def _after_step(self, optimizer: Optimizer) -> None:
        if not self._observing:
            return
        built = self.optimizers.known(optimizer)
        built.steps += 1
        event = self.journal.add("stepped", user_location(), optimizer=built.index)
        if self.recording:
            self._take_stock()
            index = None if event.index == UNRECORDED else event.index
            self._append(self._stepper.step(len(self._steps), "step", index, optimizer))
            self._watched[self._stepper.fingerprint()] += 1
        self.journal.steps += 1
        self._on_progress(f"step {built.steps} of {self._settings.steps}")
        self._continue()

    def _continue(self) -> None:
        """Decide whether to watch the next step, and whether to stop."""
        recorded = self.recording
        counts = [built.steps for built, _ in self.optimizers.alive()]
        self.recording = min(counts, default=0) < _RECORDED and max(counts, default=0) < _RECORDED * _PATIENCE
        self._tentative = False
        self.forwards.begin_step()
        self.graph.begin_step()
        if recorded:
            self._publish()
        wanted = self._settings.steps
        if min(counts, default=0) >= wanted or max(counts, default=0) >= wanted * _PATIENCE:
            self._on_done()

    def _changed(self) -> None:
        """A flag, a mode or a group was set: the next step is watched, if it shows a state not seen
        before.
        """
        if not self.recording:
            self.recording = self._tentative = True

    @property
    def _observing(self) -> bool:
        """False in a process forked from the one that is audited (a data loader's worker), and while another
        recorder watches inside this one.
        """
        return os.getpid() == self._pid and self._open[-1:] == [self]

    @property
    def recording(self) -> bool:
        return self.forwards.recording

    @recording.setter
    def recording(self, value: bool) -> None:
        self.forwards.recording = self.graph.recording = value


def _statements_that_step(events: Iterable[Event]) -> frozenset[tuple[str, int]]:
    """The lines that were seen to step an optimizer or a schedule."""
    stepping = (event for event in events if event.kind in ("stepped", "schedule-stepped"))
    return frozenset(event.location.at() for event in stepping if event.location)
