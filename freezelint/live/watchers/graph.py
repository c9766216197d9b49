"""Watching the autograd graph: backward calls, cuts by `detach` and `.data`, losses forced to require grad,
checkpointing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.utils import checkpoint

from freezelint.live.journal import Journal
from freezelint.live.ledger import Ledger
from freezelint.live.patching import Patches
from freezelint.live.reading.assignments import assigned_at
from freezelint.live.reading.conditions import cut_on_condition
from freezelint.live.reading.places import called_by_user, is_user_code, user_frame, user_location
from freezelint.live.watchers.flags import FlagWatcher, initialises

# walks of the graph in one step: enough for any cut that matters, cheap where detach is used for logging
_MOST_CUTS = 20
_NO_GRAPH = "does not require grad and does not have a grad_fn"


class Suspect:
    """An input that requires grad and is no parameter. `used` is None until a whole iteration has passed
    without its gradient being read: user code may do that after the optimizer's step.
    """

    def __init__(self, tensor: torch.Tensor, module: nn.Module) -> None:
        self.tensor: torch.Tensor | None = tensor
        self.module = module
        self.shape = tuple(tensor.shape)
        self.used: bool | None = None

    def close(self) -> None:
        if self.used is None and self.tensor is not None:
            self.used = bool(self.tensor._backward_hooks)
        self.tensor = None


class GraphWatcher:
    """Records what happens to the graph between a forward and an optimizer step.

    `in_backward` is true while autograd runs: modules that run then are recomputed for checkpointing and say
    nothing new.
    """

    def __init__(
        self, ledger: Ledger, journal: Journal, flags: FlagWatcher, *, on_no_graph: Callable[[], None]
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._flags = flags
        self._on_no_graph = on_no_graph
        self.in_backward = False
        self.loss_reaches_nothing: bool | None = None
        self.recording = True
        # inside a reentrant checkpoint: whether an input requires grad
        self.checkpoint_gradient: bool | None = None
        self._cuts = 0
        self.suspects: dict[int, Suspect] = {}
        self._earlier: dict[int, Suspect] = {}
        self._patches: Patches | None = None
        self._grad_watched = False

    def install(self, patches: Patches) -> None:
        self._patches = patches
        self._watch_backward(patches)
        self._watch_detach(patches)
        self._watch_data(patches)
        self._watch_checkpoint(patches)

    def release(self) -> None:
        """Let go of every tensor."""
        for suspect in (*self.suspects.values(), *self._earlier.values()):
            suspect.tensor = None
        self.suspects, self._earlier = {}, {}

    def begin_step(self) -> None:
        """Forget what belonged to the step before."""
        self._cuts = 0
        self.loss_reaches_nothing = None
        for suspect in self._earlier.values():
            suspect.close()
        self._earlier, self.suspects = self.suspects, {}

    def _watch_backward(self, patches: Patches) -> None:
        watcher = self

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
            roots = tensors if isinstance(tensors, torch.Tensor) else _listed(tensors)
            with watcher._running_backward(roots):
                original(roots, *args, **kwargs)

        def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            for tensor in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
                watcher._reads(tensor)
            with watcher._running_backward(None):
                return original_grad(outputs, inputs, *args, **kwargs)

        original = patches.replace(torch.autograd, "backward", backward)
        original_grad = patches.replace(torch.autograd, "grad", grad)

    @contextmanager
    def _running_backward(self, tensors: Any) -> Iterator[None]:
        nested = self.in_backward
        if tensors is not None and not nested:
            self._note_roots(tensors if isinstance(tensors, (list, tuple)) else [tensors])
        try:
            self.in_backward = True
            yield
        except RuntimeError as error:
            if _NO_GRAPH in str(error) and not nested:
                self._on_no_graph()
            raise
        finally:
            self.in_backward = nested

    def _note_roots(self, given: Sequence[Any]) -> None:
        """What backward starts from: usually the loss (a graph edge is none of our business)."""
        roots = [root for root in given if isinstance(root, torch.Tensor)]
        self.loss_reaches_nothing = bool(roots) and all(
            root.grad_fn is None and root.requires_grad for root in roots
        )
        if self.loss_reaches_nothing:
            self._note_where_forced(roots[0])
        self._journal.add("backward", user_location())

    def _note_where_forced(self, loss: torch.Tensor) -> None:
        """A loss that was made as a leaf (`torch.tensor(…, requires_grad=True)`): no flag was set, look where
        it was assigned.
        """
        frame = user_frame()
        location = (
            None if frame is None or self._flags.forced_by(loss) is not None else assigned_at(frame, loss)
        )
        if location is not None:
            self._journal.add("gradient-forced", location, value=str(tuple(loss.shape)))

    def _watch_detach(self, patches: Patches) -> None:
        watcher = self

        def detach(tensor: torch.Tensor) -> torch.Tensor:
            if watcher.recording and tensor.grad_fn is not None and called_by_user():
                watcher._cut(tensor)
            cut: torch.Tensor = original(tensor)
            return cut

        original = patches.replace(torch.Tensor, "detach", detach)

    def _watch_data(self, patches: Patches) -> None:
        """`.data` of an activation cuts the graph; `.data` of a parameter is how weights are set by hand."""
        watcher = self
        plain: Any = torch._C.TensorBase.data

        def read(tensor: torch.Tensor) -> torch.Tensor:
            if isinstance(tensor, nn.Parameter):
                watcher._touched(tensor, sys._getframe(1))
            elif watcher.recording and tensor.grad_fn is not None and called_by_user():
                watcher._cut(tensor)
            value: torch.Tensor = plain.__get__(tensor)
            return value

        def write(tensor: torch.Tensor, value: torch.Tensor) -> None:
            if isinstance(tensor, nn.Parameter):
                caller = sys._getframe(1)
                # An assignment arrives through the watched `__setattr__`.
                outer = (
                    caller.f_back if caller.f_globals.get("__name__") == FlagWatcher.__module__ else caller
                )
                watcher._touched(tensor, outer)
            plain.__set__(tensor, value)

        patches.replace(torch.Tensor, "data", property(read, write))

    def _touched(self, parameter: nn.Parameter, caller: FrameType | None) -> None:
        """User code reaches into the values of a parameter: unless it only initialises, their origin is no
        longer known.
        """
        entry = self._ledger.find(parameter)
        if entry is None or entry.origin == "unknown" or caller is None or not is_user_code(caller):
            return
        frame, location = user_frame(), user_location()
        if frame and location and not initialises(frame.f_code.co_filename, location):
            entry.origin = "unknown"

    def _cut(self, tensor: torch.Tensor) -> None:
        if not torch.is_grad_enabled() or self.in_backward or self._cuts >= _MOST_CUTS:
            return
        self._cuts += 1
        behind = [self._ledger.entry(p).id for p in parameters_behind(tensor)]
        if behind:
            record = self._journal.add(
                "detached", user_location(), conditional=cut_on_condition(user_frame())
            )
            record.parameters.update(dict.fromkeys(behind))

    def _watch_checkpoint(self, patches: Patches) -> None:
        watcher = self
        function = checkpoint.CheckpointFunction

        def forward(ctx: Any, run_function: Any, preserve_rng_state: Any, *args: Any) -> Any:
            outer = watcher.checkpoint_gradient
            inner = any(isinstance(a, torch.Tensor) and a.requires_grad for a in args)
            watcher.checkpoint_gradient = inner if outer is None else outer and inner
            if not inner and watcher.recording:
                watcher._journal.add("checkpointed", user_location())
            try:
                return original(ctx, run_function, preserve_rng_state, *args)
            finally:
                watcher.checkpoint_gradient = outer

        original = patches.replace(function, "forward", staticmethod(forward))

    def suspect(self, tensor: torch.Tensor, module: nn.Module) -> None:
        """Watch whether anybody reads the gradient of this input."""
        if self._patches is None or id(tensor) in self.suspects:
            return
        self.suspects[id(tensor)] = Suspect(tensor, module)
        if not self._grad_watched:
            self._grad_watched = True
            self._watch_grad(self._patches)

    def _watch_grad(self, patches: Patches) -> None:
        watcher = self
        plain: Any = torch._C.TensorBase.grad

        def read(tensor: torch.Tensor) -> Any:
            watcher._reads(tensor)
            return plain.__get__(tensor)

        patches.replace(torch.Tensor, "grad", property(read, plain.__set__, plain.__delete__))

    @property
    def suspected(self) -> bool:
        """Whether the step before this one was fed an input that requires grad."""
        return bool(self._earlier)

    def _reads(self, tensor: torch.Tensor) -> None:
        for suspects in (self.suspects, self._earlier):
            if id(tensor) in suspects:
                suspects[id(tensor)].used = True


def _listed(tensors: Any) -> Any:
    """What torch takes besides a tensor: any iterable of them, and a single edge of the graph, which is
    a tuple.
    """
    return (
        tensors if isinstance(tensors, (tuple, list)) or not isinstance(tensors, Iterable) else tuple(tensors)
    )


def parameters_behind(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The leaves that the graph of this tensor leads to."""
    found: list[torch.Tensor] = []
    seen: set[Any] = set()
    pending = [tensor.grad_fn]
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, torch.Tensor):
            found.append(variable)
        pending.extend(following for following, _ in node.next_functions)
    return found
