"""What `torch.cuda` and its neighbours answer while everything for a GPU runs on the CPU."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed
from torch import nn
from torch.utils._device import DeviceContext, _device_constructors

from freezelint.live.devices.gpu_demands import refuses_without_gpu
from freezelint.live.patching import Patches

Says = Callable[[str, str], None]
Elsewhere = Callable[[Any], bool]

_NOTHING = (
    "set_device",
    "synchronize",
    "empty_cache",
    "init",
    "ipc_collect",
    "manual_seed",
    "manual_seed_all",
    "seed",
    "seed_all",
    "set_rng_state",
    "set_rng_state_all",
    "reset_peak_memory_stats",
    "reset_max_memory_allocated",
    "reset_max_memory_cached",
    "reset_accumulated_memory_stats",
    "set_per_process_memory_fraction",
    "set_stream",
)
_ZERO = (
    "current_device",
    "device_count",
    "memory_allocated",
    "max_memory_allocated",
    "memory_reserved",
    "max_memory_reserved",
    "memory_cached",
    "max_memory_cached",
    "utilization",
    "temperature",
    "power_draw",
    "clock_rate",
    "initial_seed",
)
_NO = ("is_bf16_supported", "is_initialized")
_TENSOR_TYPES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")


def replace_cuda(patches: Patches, elsewhere: Elsewhere, says: Says) -> None:
    """Let scripts that address a GPU run without one. `elsewhere` tells which devices are to be the CPU."""
    _replace_questions(patches, says)
    _replace_streams(patches)
    _replace_constructors(patches, elsewhere)
    _replace_loading(patches, says)
    _replace_distributed(patches, says)


def _replace_questions(patches: Patches, says: Says) -> None:
    cuda = torch.cuda
    for names, answer in ((_NOTHING, None), (_ZERO, 0), (_NO, False)):
        for name in names:
            if hasattr(cuda, name):
                patches.replace(cuda, name, _always(getattr(cuda, name), answer))
    patches.replace(cuda, "is_available", wraps(cuda.is_available)(_only_where_demanded(says)))
    memory = _memory_of_the_host()
    name = f"CPU ({platform.machine()})"
    properties = SimpleNamespace(
        name=name, major=0, minor=0, total_memory=memory, multi_processor_count=os.cpu_count() or 1
    )
    answers: dict[str, Any] = {
        "get_device_name": name,
        "get_device_properties": properties,
        "get_device_capability": (0, 0),
        "mem_get_info": (memory, memory),
        "memory_summary": "",
        "memory_stats": {},
        "get_arch_list": [],
        "get_rng_state_all": [],
    }
    for name, answer in answers.items():
        patches.replace(cuda, name, _always(getattr(cuda, name), answer))
    patches.replace(cuda, "get_rng_state", lambda *_: torch.get_rng_state())
    for kind in _TENSOR_TYPES:
        if hasattr(cuda, f"{kind}Tensor"):
            patches.replace(cuda, f"{kind}Tensor", getattr(torch, f"{kind}Tensor"))
    accelerator = getattr(torch, "accelerator", None)
    if accelerator is not None:
        patches.replace(accelerator, "is_available", _always(accelerator.is_available, False))
        patches.replace(accelerator, "device_count", _always(accelerator.device_count, 0))


def _replace_streams(patches: Patches) -> None:
    cuda = torch.cuda
    patches.replace(cuda, "Stream", _Stream)
    patches.replace(cuda, "Event", _Event)
    patches.replace(cuda, "current_stream", _Stream)
    patches.replace(cuda, "default_stream", _Stream)
    patches.replace(cuda, "stream", lambda stream: nullcontext(stream))
    patches.replace(torch.Tensor, "record_stream", lambda *_: None)
    patches.replace(cuda, "device", _device_context)
    patches.replace(cuda, "device_of", _device_context)


def _replace_constructors(patches: Patches, elsewhere: Elsewhere) -> None:
    _device_constructors()  # remembered now, while all are torch's own
    enter = DeviceContext.__init__

    def default_device(context: DeviceContext, device: Any) -> None:
        enter(context, torch.device("cpu") if elsewhere(device) else device)

    patches.replace(DeviceContext, "__init__", default_device)
    patches.replace(torch, "Generator", _generators(torch.Generator, elsewhere))

    def set_default_tensor_type(kind: Any) -> None:
        set_type(kind.replace("torch.cuda.", "torch.") if isinstance(kind, str) else kind)

    set_type = patches.replace(torch, "set_default_tensor_type", set_default_tensor_type)


def _replace_loading(patches: Patches, says: Says) -> None:
    def load(f: Any, map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        if map_location is not None and "cpu" not in str(map_location):
            says("cuda", "")
        return original(f, "cpu", *args, **kwargs)

    original = patches.replace(torch, "load", wraps(torch.load)(load))

    def jit_load(f: Any, _map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("map_location", None)
        return original_jit(f, "cpu", *args, **kwargs)

    original_jit = patches.replace(torch.jit, "load", wraps(torch.jit.load)(jit_load))


def _replace_distributed(patches: Patches, says: Says) -> None:
    if not torch.distributed.is_available():
        return
    import torch.distributed.distributed_c10d as c10d

    def init_process_group(backend: Any = None, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("device_id", None)
        if backend != "gloo":
            says("nccl", "a process group needs GPUs for it: gloo took its place")
        return original("gloo", *args, **kwargs)

    original = patches.replace(c10d, "init_process_group", wraps(c10d.init_process_group)(init_process_group))
    patches.replace(torch.distributed, "init_process_group", c10d.init_process_group)

    def data_parallel(wrapper: Any, module: nn.Module, *positional: Any, **named: Any) -> None:
        named.pop("device_ids", None)
        named.pop("output_device", None)
        original_wrap(wrapper, module, None, None, *positional[2:], **named)

    wrap = nn.parallel.DistributedDataParallel
    original_wrap = patches.replace(wrap, "__init__", wraps(wrap.__init__)(data_parallel))
    # Synchronised batch statistics exist on GPUs only; with one process they are those of the batch anyway.
    patches.replace(nn.SyncBatchNorm, "forward", nn.BatchNorm1d.forward)
    patches.replace(wrap, "_passing_sync_batchnorm_handle", lambda *_: None)


def _always(original: Any, answer: Any) -> Callable[..., Any]:
    @wraps(original)
    def stand_in(*_: Any, **__: Any) -> Any:
        return answer

    return stand_in


def _only_where_demanded(says: Says) -> Callable[[], bool]:
    """No GPU, so that scripts take their own way to the CPU; but one where they would refuse to go on."""

    def is_available() -> bool:
        demanded = refuses_without_gpu(sys._getframe(1))
        if demanded:
            says("cuda", "the script refuses to go on without a GPU: it was told that there is one")
        return demanded

    return is_available


def _memory_of_the_host() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _device_context(_device: Any) -> AbstractContextManager[None]:
    return nullcontext()


class _Stream:
    """A queue of work that is never behind."""

    cuda_stream = 0
    device = torch.device("cpu")

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def query(self) -> bool:
        return True

    def record_event(self, event: Any = None) -> Any:
        event = event or _Event()
        event.record()
        return event

    def synchronize(self, *_: Any) -> None:
        pass

    wait_stream = wait_event = synchronize

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Event:
    """A moment on the clock."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._time = time.perf_counter()

    def record(self, *_: Any) -> None:
        self._time = time.perf_counter()

    def elapsed_time(self, end: _Event) -> float:
        return (end._time - self._time) * 1e3

    def query(self) -> bool:
        return True

    def synchronize(self, *_: Any) -> None:
        pass

    wait = synchronize


def _generators(original: type[torch.Generator], elsewhere: Elsewhere) -> type:
    """A class in place of `torch.Generator` that makes, and recognises, torch's own."""

    class Like(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, original)

    class Generator(metaclass=Like):
        def __new__(cls, device: Any = "cpu") -> Any:
            return original("cpu" if elsewhere(device) else device)

    return Generator
