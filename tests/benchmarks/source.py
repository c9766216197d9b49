"""What reading sources costs, and whether everything that is installed can be read at all.

    python -m tests.benchmarks.source [--repeats 3]
    python -m tests.benchmarks.source --all [--sample 3000] [--log results.jsonl] [--most-seconds 120]

Without `--all`: torchvision, timm and transformers as they are installed, beside `ruff check --select ALL`
on the same files, and one clean script. With it: every file of the standard library and of the installed
packages, in a random order that is always the same, read in full even where nothing in it concerns freezing.
What was read is kept in the log: begun again with the same log, the scan goes on where it ended.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate

from freezelint.evidence import Limit
from freezelint.finding import Finding
from freezelint.source.files.checking import available
from freezelint.source.files.judged import Judged, preload
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.files.workers import judge_in_parallel
from tests.source.robustness.reading import faults_of, judge_in_full
from tests.stories import FIXTURES, marks

LIBRARIES = ("torchvision", "timm", "transformers")
SLOW = 2.0  # seconds that no file may take
_SECONDS = "seconds of processor time"


def main() -> None:
    asked = _arguments()
    if asked.all:
        scan(asked.log, asked.sample, asked.jobs, asked.most_seconds)
    else:
        compare(asked.repeats)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--all", action="store_true", help="scan all that is installed")
    parser.add_argument("--sample", type=int, help="read no more files than these")
    parser.add_argument("--log", type=Path, default=Path(tempfile.gettempdir(), "freezelint-scan.jsonl"))
    parser.add_argument("--jobs", type=int, default=available())
    parser.add_argument("--most-seconds", type=float, default=120.0, help="a reading is ended after these")
    return parser.parse_args()


# -- beside ruff -------------------------------------------------------------------------------------------


def compare(repeats: int) -> None:
    """Print how long freezelint and ruff take."""
    trees = [str(purelib() / name) for name in LIBRARIES]
    python, where = [sys.executable, "-m"], ", ".join(LIBRARIES)
    with tempfile.TemporaryDirectory() as directory:
        # Ruff finds a million faults here: counted, so that it is not their printing which is measured.
        alike = ["check", "--isolated", "--exit-zero", "--statistics"]
        check = [*python, "freezelint", *alike, "--cache-dir", directory]
        ruff = [*python, "ruff", *alike, "--no-cache", "--select", "ALL"]
        commands = {
            f"ruff check --no-cache --select ALL: {where}": [*ruff, *trees],
            f"freezelint check --no-cache: {where}": [*check, "--no-cache", *trees],
            f"freezelint check, cached: {where}": [*check, *trees],
            "freezelint check --no-cache: one clean script": [*check, "--no-cache", str(_clean_script())],
        }
        _measured(commands[f"freezelint check, cached: {where}"])  # which fills the cache
        rows = []
        for name, command in commands.items():
            measures = [_measured(command) for _ in range(repeats)]
            rows.append([name, *(f"{statistics.median(each):.2f}" for each in zip(*measures, strict=True))])
    alignment = ("left", "right", "right")
    print(tabulate(rows, headers=["", "wall, s", "user, s"], disable_numparse=True, colalign=alignment))


def purelib() -> Path:
    """Where packages are installed."""
    return Path(sysconfig.get_paths()["purelib"])


def _clean_script() -> Path:
    """The longest story of one file in which nothing is wrong."""
    alone = (path for path in FIXTURES.iterdir() if [*path.glob("*.py")] == [path / "train.py"])
    clean = [path / "train.py" for path in alone if not marks(path)]
    return max(clean, key=lambda path: (path.stat().st_size, path))


def _measured(command: list[str]) -> tuple[float, float]:
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


# -- all that is installed ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What became of one file: seconds of processor time, None where it had to be ended, and the faults of
    the reader's own.
    """

    path: str
    seconds: float | None
    faults: tuple[str, ...]


class Measuring:
    """The judge that reads in full, which also tells, in a limit, what its process spent since it was asked
    last: that is parsing too.
    """

    def __init__(self) -> None:
        self._before = 0.0

    def __call__(self, file: SourceFile, project: Project) -> tuple[tuple[Finding, ...], tuple[Limit, ...]]:
        findings, limits = judge_in_full(file, project)
        before, self._before = self._before, time.process_time()
        return findings, (*limits, Limit(_SECONDS, f"{self._before - before:.3f}"))


def installed() -> list[Path]:
    """Every source of the standard library and of the installed packages, by name."""
    library = Path(sysconfig.get_paths()["stdlib"])
    own = (path for path in library.rglob("*.py") if "site-packages" not in path.parts)
    return sorted({*own, *purelib().rglob("*.py")})


def scan(log: Path, sample: int | None, jobs: int, most_seconds: float) -> None:
    """Read all that is installed, as far as the log does not tell of it yet, and print a summary."""
    paths = installed()
    random.Random(0).shuffle(paths)
    paths = paths[:sample]
    known = _logged(log)
    left = [path for path in paths if str(path) not in known]
    print(f"{len(paths)} files, {len(left)} of them not in {log} yet", flush=True)
    preload()
    with log.open("a", encoding="utf-8") as out:
        for position, answer in judge_in_parallel(left, jobs, (), Measuring(), most_seconds):
            result = _result(left[position], answer)
            if _seconds(result) > SLOW:  # by itself, without the garbage of the files before it
                _, answer = next(judge_in_parallel([left[position]], 1, (), Measuring(), most_seconds))
                result = _result(left[position], answer)
            known[result.path] = result
            out.write(json.dumps(asdict(result)) + "\n")
            out.flush()
    _summarise([known[str(path)] for path in paths])


def _logged(log: Path) -> dict[str, Result]:
    if not log.exists():
        return {}
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return {row["path"]: Result(row["path"], row["seconds"], tuple(row["faults"])) for row in rows}


def _result(path: Path, answer: Judged) -> Result:
    told = [float(limit.why) for limit in answer.limits if limit.what == _SECONDS]
    # What is no Python is not handed to the judge.
    seconds = told[0] if told else 0.0 if not answer.read else None
    return Result(str(path), seconds, tuple(faults_of(answer.limits)))


def _summarise(results: list[Result]) -> None:
    failed = [result for result in results if result.faults]
    slowest = sorted(results, key=_seconds, reverse=True)
    slow = [result for result in slowest if _seconds(result) > SLOW]
    total = sum(result.seconds or 0.0 for result in results)
    print(
        f"\n{len(results)} files, {total:.0f} s: {len(failed)} with faults, {len(slow)} over {SLOW:.0f} s\n"
    )
    for result in failed:
        print(f"{result.path}: {'; '.join(result.faults)}")
    rows = [(_shown(result.path), f"{_seconds(result):.2f}") for result in slowest[: max(10, len(slow))]]
    print(tabulate(rows, headers=["slowest", "s"], disable_numparse=True, colalign=("left", "right")))


def _seconds(result: Result) -> float:
    return float("inf") if result.seconds is None else result.seconds


def _shown(path: str) -> str:
    roots = (str(purelib()), sysconfig.get_paths()["stdlib"])
    return next((path[len(root) + 1 :] for root in roots if path.startswith(root)), path)


if __name__ == "__main__":
    main()
