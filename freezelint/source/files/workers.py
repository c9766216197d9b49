"""Reading in several processes. Each is handed one file at a time, so that whoever falls is known, and the
run goes on without that file.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezelint.source.files.judged import Judge, Judged, crashed
from freezelint.source.files.project import Sources, shown_path

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

# The reader has budgets of its own; this is for what they do not see. Seconds.
MOST_SECONDS = 60.0


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    position: int | None = None
    since: float = 0.0


def judge_in_parallel(
    paths: Sequence[Path],
    jobs: int,
    roots: Sequence[Path],
    judge: Judge,
    most_seconds: float = MOST_SECONDS,
) -> Iterator[tuple[int, Judged]]:
    """What became of each file, with its position, in the order in which they are done."""
    # Forking is ten times as fast, and safe here: there are no threads. Elsewhere it is not supported well.
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")

    def started() -> _Worker:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, tuple(roots), judge), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    waiting = list(reversed(range(len(paths))))
    workers: list[_Worker] = []
    try:
        workers.extend(started() for _ in range(min(jobs, len(paths))))
        for worker in workers:
            _hand_out(worker, waiting, paths)
        while busy := [worker for worker in workers if worker.position is not None]:
            ready = wait([worker.connection for worker in busy], timeout=1.0)
            for worker in busy:
                assert worker.position is not None
                late = time.monotonic() - worker.since > most_seconds
                if worker.connection not in ready and not late:
                    continue
                position = worker.position
                try:
                    if worker.connection not in ready:
                        raise TimeoutError
                    answer: Judged = worker.connection.recv()
                except (EOFError, OSError) as error:
                    _end(worker)
                    answer = crashed(shown_path(paths[position]), _why(worker, error, most_seconds))
                    workers.remove(worker)
                    if waiting:
                        workers.append(worker := started())
                _hand_out(worker, waiting, paths)
                yield position, answer
    finally:
        for worker in workers:
            _end(worker)


def _hand_out(worker: _Worker, waiting: list[int], paths: Sequence[Path]) -> None:
    worker.position = None
    if waiting and worker.process.is_alive():
        worker.position, worker.since = waiting.pop(), time.monotonic()
        # Whoever is gone is met when its answer is awaited.
        with suppress(OSError):
            worker.connection.send(paths[worker.position])


def _end(worker: _Worker) -> None:
    worker.connection.close()
    worker.process.kill()
    worker.process.join()


def _why(worker: _Worker, error: Exception, most_seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"reading it took longer than {most_seconds:.0f} s"
    return f"the process that read it ended with status {worker.process.exitcode}"


def _work(connection: Connection, roots: tuple[Path, ...], judge: Judge) -> None:
    """A worker's life."""
    from freezelint.source.files.checking import calm_collector, judge_path, sweep

    calm_collector()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    sources = Sources()
    with suppress(EOFError, OSError):
        while True:
            path: Path = connection.recv()
            connection.send(judge_path(path, roots, judge, sources))
            sweep()
