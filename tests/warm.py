"""Live runs from a warm start: a server process has imported the libraries once, and each run is a fork of
it.

Everything but the import happens as in `freezelint check --run`: the same child, mailbox and recorder, in a
process of its own with its own working directory. (A fork of pytest itself would inherit torch's thread
pools; the server has none.)
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from freezelint.evidence import Trace
from freezelint.live.process import run
from freezelint.live.process.mailbox import Mailbox
from freezelint.live.settings import LiveSettings
from tests.warm_child import run_in_fork

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["torch", "torch._dynamo", "torchvision", "transformers", "tests.warm_libraries"]
)


class Ran:
    """What a run gave: the trace, and what the script printed."""

    def __init__(self, trace: Trace, output: str) -> None:
        self.trace = trace
        self.output = output


def run_warm(target: str, directory: Path, *arguments: str, kind: str = "script", **settings: Any) -> Ran:
    """Run `target` (relative to `directory`, which becomes the working directory) under observation."""
    chosen = LiveSettings(**{"timeout": 240.0, **settings})
    with tempfile.TemporaryDirectory() as post:
        mailbox = Mailbox(Path(post))
        more = {"arguments": list(arguments)} if kind == "script" else {}
        mailbox.ask(kind, target, chosen, **more)
        output = Path(post, "output.txt")
        process = _SERVER.Process(target=run_in_fork, args=(post, str(directory), str(output)))
        process.start()
        process.join(chosen.timeout)
        failure = None if process.exitcode is not None else run.failures.timed_out(chosen.timeout, "")
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()
        trace = run._evidence(mailbox, target, failure, process.exitcode or 0)
        return Ran(trace, output.read_text(errors="replace"))
