"""What observation costs: time and peak memory of training steps, watched against unwatched.

    python -m tests.benchmarks.overhead [--device cuda] [--steps 2] [--repeats 5] [--only resnet50/frozen]

Time: in one process, alternating; the first two steps of a `watch` are the recorded ones, so `--steps 2`
is the worst case. Beside the wall clock stands the processor time of the process: it suffers less from other
processes. Memory: processes of their own, the highest that each of them ever held.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

import freezelint
from tests.benchmarks.workloads import FROZEN, FULL, NAMES, Workload, workload

# The allocator of the C library keeps what is freed, by chance more or less of it (a tenth of the peak): made
# to give large blocks back at once, a process holds what it uses.
_EXACT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
}


def main() -> None:
    asked = _arguments()
    if asked.memory_of:
        _print_peak(asked.memory_of, asked.watched, asked.steps, asked.device)
        return
    cases = [f"{name}/{kind}" for name in NAMES for kind in (FULL, FROZEN)]
    for case in asked.only or cases:
        if asked.what != "memory":
            _report_time(case, asked.steps, asked.repeats, asked.device)
        if asked.what != "time":
            _report_memory(case, asked.steps, asked.device, min(asked.repeats, 3))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", action="append", metavar="MODEL/KIND")
    parser.add_argument("--what", choices=["time", "memory", "both"], default="both")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    parser.add_argument("--watched", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _report_time(case: str, steps: int, repeats: int, device: str) -> None:
    name, kind = case.split("/")
    load = workload(name, kind, torch.device(device))
    _seconds(load, 1, watched=False)
    _seconds(load, 1, watched=True)  # what is imported and compiled once
    plain, watched = [], []
    for _ in range(repeats):
        plain.append(_seconds(load, steps, watched=False))
        watched.append(_seconds(load, steps, watched=True))
    for index, clock in enumerate(("wall", "processor")):
        without, with_ = (statistics.median(each[index] for each in times) for times in (plain, watched))
        paired = statistics.median(w[index] / p[index] for w, p in zip(watched, plain, strict=True))
        print(
            f"{case:18} {steps:3} steps  {clock:9} {without:7.3f} s -> {with_:7.3f} s  "
            f"ratio {with_ / without:.3f}  median of pairs {paired:.3f}",
            flush=True,
        )


def _seconds(load: Workload, steps: int, *, watched: bool) -> tuple[float, float]:
    _synchronise()
    wall, processor = time.perf_counter(), time.process_time()
    if watched:
        with freezelint.watch(load.model, load.optimizer):
            load.train(steps)
    else:
        load.train(steps)
    _synchronise()
    return time.perf_counter() - wall, time.process_time() - processor


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _report_memory(case: str, steps: int, device: str, repeats: int) -> None:
    plain, watched = [], []
    for _ in range(repeats):
        plain.append(_peak_of_process(case, False, steps, device))
        watched.append(_peak_of_process(case, True, steps, device))
    for index, where in enumerate(["host", "device"][: len(plain[0])]):
        without, with_ = (statistics.median(peaks[index] for peaks in found) for found in (plain, watched))
        print(
            f"{case:18} {steps:3} steps  {where:6} memory {without:7.1f} MB -> {with_:7.1f} MB  "
            f"ratio {with_ / without:.3f}",
            flush=True,
        )


def _peak_of_process(case: str, watched: bool, steps: int, device: str) -> list[float]:
    command = [sys.executable, "-m", "tests.benchmarks.overhead", "--memory-of", case, "--device", device]
    command += ["--steps", str(steps), *(["--watched"] if watched else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | _EXACT)
    return [float(number) for number in done.stdout.split()]


def _print_peak(case: str, watched: bool, steps: int, device: str) -> None:
    name, kind = case.split("/")
    _seconds(workload(name, kind, torch.device(device)), steps, watched=watched)
    print(_peak_host_megabytes())
    if device == "cuda":
        print(torch.cuda.max_memory_allocated() / 2**20)


def _peak_host_megabytes() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
