"""Accuracy, step time and memory with each fault, and after `freezelint --fix`.

    python -m tests.benchmarks.transfer [--seeds 5] [--only FRZ101]

Every script is a process of its own and does what a user's would. Memory is what autograd keeps for the
backward of one step, with gradients and the optimizer's state; times are those of the processor, on one
thread.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate

from tests.benchmarks.transfer.scripts import FAULTS, RIGHT, Fault

_MEASURES = {"target": 100.0, "source": 100.0, "milliseconds": 1.0, "kib": 1.0}
_HEADERS = ["script", "target %", "source %", "step ms", "memory KiB"]
Result = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", action="append", metavar="CODE")
    asked = parser.parse_args()
    seeds = range(asked.seeds)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        shutil.copy(Path(__file__).with_name("digits.py"), place)
        for seed in seeds:
            _run(place, "-c", "import digits; digits.pretrain()", seed=seed)
        rows = [_row("as it should be", _results(place, RIGHT, seeds))]
        for fault in FAULTS:
            if not asked.only or fault.code in asked.only:
                rows.append(_row(fault.code, _results(place, fault.script, seeds)))
                rows.append(_row("  after --fix", _results(place, _fixed(place, fault), seeds)))
    print(tabulate(rows, _HEADERS, tablefmt="github"))


def _fixed(place: Path, fault: Fault) -> str:
    """What `freezelint --fix` makes of the script. Exits where it makes nothing."""
    script = place / "faulty.py"
    script.write_text(fault.script)
    command = [sys.executable, "-m", "freezelint", "check", "--isolated", "--no-cache", "--fix", str(script)]
    ran = subprocess.run(
        [*command, *(["--unsafe-fixes"] if fault.unsafe else [])], capture_output=True, text=True
    )
    if ran.returncode or script.read_text() == fault.script:
        sys.exit(f"{fault.code} was not fixed:\n{ran.stdout}{ran.stderr}")
    return script.read_text()


def _results(place: Path, text: str, seeds: range) -> list[Result]:
    (place / "train.py").write_text(text)
    return [json.loads(_run(place, "train.py", seed=seed)) for seed in seeds]


def _run(place: Path, *arguments: str, seed: int) -> str:
    env = {**os.environ, "SEED": str(seed), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=place, env=env, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        sys.exit(ran.stderr)
    return ran.stdout


def _row(name: str, results: list[Result]) -> list[str]:
    """Mean and standard deviation over the seeds."""
    told = [name]
    for measure, factor in _MEASURES.items():
        values = [factor * result[measure] for result in results]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        told.append(f"{statistics.mean(values):.1f} ± {spread:.1f}")
    return told


if __name__ == "__main__":
    main()
