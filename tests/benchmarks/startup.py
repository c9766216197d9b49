"""How fast the tool starts when it needs no torch.

python -m tests.benchmarks.startup
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time


def main(repeats: int = 15) -> None:
    for command in (["--version"], ["rule", "FRZ101"], ["rule", "--all"]):
        wall, processor = [], []
        for _ in range(repeats):
            begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-m", "freezelint", *command], capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            wall.append(time.perf_counter() - begin)
            processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        print(
            f"freezelint {' '.join(command):12} {statistics.median(wall):.3f} s by the clock, "
            f"{statistics.median(processor):.3f} s of processor time (median of {repeats})"
        )


if __name__ == "__main__":
    main()
