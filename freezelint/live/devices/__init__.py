"""Where the watched step runs: as the script says, on the CPU for a GPU, or on tensors without values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from types import FunctionType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

from freezelint.errors import BadInputError
from freezelint.live.devices.cuda_stand_ins import replace_cuda
from freezelint.live.patching import Patches, is_pass_through, passes_through

_ASK_DRIVER = "PYTORCH_NVML_BASED_CUDA_CHECK"

Note = Callable[[str, str], None]
Handler = Callable[[Any, Any, Any], Any]


class DeviceError(BadInputError):
    """The device asked for is not there."""


def placed(device: str, note: Note) -> AbstractContextManager[None]:
    """Run what is inside on `device`: auto, cpu, cuda or fake. `note` is told what differs, once.

    `auto` leaves everything alone where there is a GPU; elsewhere, and with `cpu`, what the script places on
    cuda is placed on the CPU. `fake` runs on tensors that have shapes and gradients but no values, no memory.
    Raises `DeviceError` for `cuda` without a GPU, and for any other word.
    """
    if device not in ("auto", "cpu", "cuda", "fake"):
        raise DeviceError(f"unknown device `{device}`: give auto, cpu, cuda or fake")
    present = _has_gpu()
    if device == "cuda" and not present:
        raise DeviceError("`--device cuda`: torch finds no GPU here; use auto, cpu or fake")
    if device == "cuda" or (device == "auto" and present):
        return nullcontext()
    return _on_cpu(note, fake=device == "fake")


def _has_gpu() -> bool:
    """Whether torch can use a GPU, without starting CUDA: a script may still pick its devices."""
    asked = os.environ.get(_ASK_DRIVER)
    os.environ[_ASK_DRIVER] = "1"
    try:
        return torch.cuda.is_available()
    finally:
        os.environ.pop(_ASK_DRIVER)
        if asked is not None:
            os.environ[_ASK_DRIVER] = asked


@contextmanager
def _on_cpu(note: Note, *, fake: bool) -> Iterator[None]:
    told: set[str] = set()

    def says(what: str, why: str) -> None:
        if what not in told:
            told.add(what)
            note(what, why or "the script places tensors on a GPU: they were placed on the CPU")

    patches = Patches()
    placement = _Placement("cuda", says)
    default = _default_device()
    try:
        with ExitStack() as stack:
            replace_cuda(patches, placement.moves, says)
            placement.stay_on_in_backward(patches)
            if fake:
                from freezelint.live.devices.fake import faked

                placement.also_move("meta")
                placement.handlers.update(stack.enter_context(faked(patches, says)))
            stack.enter_context(placement)
            yield
    finally:
        patches.undo()
        if _default_device() != default:
            torch.set_default_device(default)


def _default_device() -> torch.device | None:
    context = getattr(getattr(torch, "_GLOBAL_DEVICE_CONTEXT", None), "device_context", None)
    return None if context is None else context.device


class _Placement(TorchFunctionMode):
    """Puts on the CPU what is meant for another device.

    Every function of torch passes here while it is on, so it does as little as it can. It also sees functions
    that other modules imported by name before, or compare by identity; replaced attributes would miss those.
    """

    def __init__(self, kind: str, says: Note) -> None:
        super().__init__()
        self._kinds: tuple[str, ...] = (kind,)
        self._says = says
        tensor = torch.Tensor
        self.handlers: dict[Any, Handler] = {
            tensor.to: self._to,
            tensor.cuda: self._cuda,
            tensor.pin_memory: _unchanged,
            tensor.type: _type,
        }
        self._of_autograd = {"backward": torch.autograd.backward, "grad": torch.autograd.grad}
        self._handled: dict[Any, Handler | None] = {}

    def also_move(self, kind: str) -> None:
        """Put another kind of device on the CPU too."""
        self._kinds = (*self._kinds, kind)

    def stay_on_in_backward(self, patches: Patches) -> None:
        """A mode is off inside the functions that it handles; but the user's hooks run inside a backward."""

        def run_engine(*args: Any, **kwargs: Any) -> Any:
            if self in _get_current_function_mode_stack():  # type: ignore[no-untyped-call]
                return original(*args, **kwargs)
            with self:
                return original(*args, **kwargs)

        original = patches.replace(torch.autograd, "_engine_run_backward", run_engine)

    @passes_through
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        try:
            handler = self._handled[func]
        except KeyError:
            handler = self._handled[func] = passes_through(self._handler(func))
        if handler is not None:
            return handler(func, args, kwargs or {})
        if not kwargs:
            return func(*args)
        if "device" in kwargs and self.moves(kwargs["device"]):
            kwargs = {**kwargs, "device": "cpu"}
        return func(*args, **kwargs)

    def moves(self, device: Any) -> bool:
        """Whether the device is one that becomes the CPU; a bare number is an ordinal of a GPU."""
        if isinstance(device, torch.device):
            kind = device.type
        elif isinstance(device, str):
            kind = device.partition(":")[0]
        else:
            kind = "cuda" if isinstance(device, int) and not isinstance(device, bool) else ""
        if kind == "cuda":
            self._says("cuda", "")
        return kind in self._kinds

    def _handler(self, func: Any) -> Handler | None:
        """What to do with a function; None for the usual.

        torch looks its functions up by name to hand them to a mode. Where the audit has replaced one, the
        call has been through the replacement already: what was there before is called.
        """
        original = self._replaced(func)
        if original is None:
            return self.handlers.get(func)
        handler = self.handlers.get(original)
        if handler is None:
            return lambda _func, args, kwargs: original(*args, **kwargs)
        return lambda _func, args, kwargs: handler(original, args, kwargs)

    def _replaced(self, func: Any) -> Any:
        own = vars(torch._C.TensorBase)
        if _is_replacement(func):
            return self._of_autograd.get(func.__name__, own.get(func.__name__))
        owner = getattr(func, "__self__", None)
        if isinstance(owner, property) and _is_replacement(owner.fget):
            names = [name for name, value in vars(torch.Tensor).items() if value is owner and name in own]
            return getattr(own[names[0]], func.__name__) if names else None
        return None

    def _to(self, func: Any, args: Any, kwargs: Any) -> Any:
        if len(args) > 1 and self.moves(args[1]):
            args = (args[0], "cpu", *args[2:])
        if self.moves(kwargs.get("device")):
            kwargs = {**kwargs, "device": "cpu"}
        return func(*args, **kwargs)

    def _cuda(self, _func: Any, args: Any, _kwargs: Any) -> Any:
        self._says("cuda", "")
        return args[0]


def _is_replacement(func: Any) -> bool:
    return isinstance(func, FunctionType) and is_pass_through(func.__code__)


def _type(func: Any, args: Any, kwargs: Any) -> Any:
    if len(args) > 1 and isinstance(args[1], str):
        args = (args[0], args[1].replace("torch.cuda.", "torch."), *args[2:])
    return func(*args, **kwargs)


def _unchanged(_func: Any, args: Any, _kwargs: Any) -> Any:
    return args[0]
