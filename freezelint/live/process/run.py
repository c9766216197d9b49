"""Starts the user's code in a process of its own, watches over it, and brings back what was seen. Imports no
torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from freezelint.errors import BadInputError, InternalError
from freezelint.evidence import Failure, Trace
from freezelint.live.process import failures
from freezelint.live.process.mailbox import Mailbox
from freezelint.live.settings import LiveSettings

Progress = Callable[[str], None]

_PAUSE = 0.05  # seconds between two looks at the process
_GRACE = 5.0  # seconds that a process gets to end by itself
_ANSWER = 5.0  # seconds that a hanging process gets to say where it is: its clock started later than ours

# The user's code must find `sys.path` as `python train.py` would make it from the very first import on, also
# where freezelint itself is importable only from the current directory.
_BOOTSTRAP = """\
import sys
if not getattr(sys.flags, "safe_path", False):
    sys.path[0] = sys.argv[1]
sys.path.insert(0, sys.argv[2])
import freezelint
del sys.path[0]
from freezelint.live.process.child import main
main(sys.argv[3])
"""


def run_script(
    target: str,
    arguments: Sequence[str],
    settings: LiveSettings,
    progress: Progress,
    *,
    quiet: bool = False,
    drafts: Mapping[str, bytes] | None = None,
) -> Trace:
    """Run a script as `python target arguments…` would and watch its training steps. `quiet` drops what the
    script prints. `drafts` are read in the place of files, by real path."""
    beside = Path(target).resolve().parent
    return _run("script", target, beside, settings, progress, quiet, drafts, arguments=list(arguments))


def run_factory(
    target: str,
    settings: LiveSettings,
    progress: Progress,
    *,
    root: Path | None = None,
    quiet: bool = False,
    drafts: Mapping[str, bytes] | None = None,
) -> Trace:
    """Run `train.py:build` or `package.module:build`; modules are looked for in `root`, else in the current
    directory. `drafts` are read in the place of files, by real path."""
    return _run("factory", target, _beside(target, root), settings, progress, quiet, drafts)


def map_factory(
    target: str,
    settings: LiveSettings,
    progress: Progress,
    *,
    root: Path | None = None,
    depth: int | None = None,
) -> tuple[Trace, dict[str, Any] | None]:
    """What the model looks like that a factory builds (see `freezelint.live.process.mapping`), beside the
    evidence of why it could not be built where there is none."""
    found: list[dict[str, Any] | None] = []

    def collect(mailbox: Mailbox) -> None:
        found.append(mailbox.map())

    trace = _run("map", target, _beside(target, root), settings, progress, True, None, collect, depth=depth)
    return trace, found[0]


def _beside(target: str, root: Path | None) -> Path:
    """Where the modules of a factory are looked for."""
    place = Path(target.rpartition(":")[0])
    return place.resolve().parent if place.is_file() else (root or Path.cwd()).resolve()


def _run(
    kind: str,
    target: str,
    beside: Path,
    settings: LiveSettings,
    progress: Progress,
    quiet: bool,
    drafts: Mapping[str, bytes] | None,
    collect: Callable[[Mailbox], None] = lambda _: None,
    **more: Any,
) -> Trace:
    with tempfile.TemporaryDirectory(prefix="freezelint-", ignore_cleanup_errors=True) as directory:
        mailbox = Mailbox(Path(directory))
        mailbox.ask(kind, target, settings, **more)
        mailbox.put_drafts(drafts or {})
        with _started(beside, directory, quiet) as process:
            failure = _attend(process, mailbox, settings, progress)
        collect(mailbox)
        return _evidence(mailbox, target, failure, process.returncode)


@contextmanager
def _started(beside: Path, directory: str, quiet: bool) -> Iterator[subprocess.Popen[bytes]]:
    """The child, in a group of its own, of which nothing is left afterwards: no data-loader worker, no
    helper."""
    package = str(Path(__file__).parents[3])
    with _termination_raises():
        process = subprocess.Popen(
            [sys.executable, "-c", _BOOTSTRAP, str(beside), package, directory],
            stdin=subprocess.DEVNULL,
            # Standard output is the report's alone: what the script prints goes to standard error.
            stdout=subprocess.DEVNULL if quiet else 2,
            stderr=subprocess.DEVNULL if quiet else None,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _kill_group(process)


def _attend(
    process: subprocess.Popen[bytes], mailbox: Mailbox, settings: LiveSettings, progress: Progress
) -> Failure | None:
    """Wait until the run ends or its time is up; the failure in the second case."""
    deadline = time.monotonic() + settings.timeout
    finished: float | None = None
    while not _ended(process, _PAUSE):
        for what in mailbox.progress():
            progress(what)
        if finished is None and mailbox.outcome() is not None:
            finished = time.monotonic()
        if finished is not None and time.monotonic() - finished > _GRACE:
            return None
        if finished is None and time.monotonic() > deadline:
            return failures.timed_out(settings.timeout, _stacks(process, mailbox))
    return None


def _stacks(process: subprocess.Popen[bytes], mailbox: Mailbox) -> str:
    """Where a process that hangs says it is, once its time is up by its own clock too."""
    deadline = time.monotonic() + _ANSWER
    if not mailbox.stacks.exists():
        return ""  # not even freezelint had started
    said = ""
    while time.monotonic() < deadline and not _ended(process, _PAUSE):
        before, said = said, mailbox.stacks.read_text(encoding="utf-8", errors="replace")
        if said and said == before:
            break
    return said


def _evidence(mailbox: Mailbox, target: str, failure: Failure | None, status: int) -> Trace:
    """What was seen, and why it ended where it was not by itself."""
    outcome = mailbox.outcome()
    if failure is None and outcome is None:
        fault = mailbox.fault.read_text(encoding="utf-8", errors="replace") if mailbox.fault.exists() else ""
        failure = failures.killed(status, fault, mailbox.left())
    if outcome is not None:
        _raise_for(outcome)
        failure = None
    seen = mailbox.trace()
    if seen is None:
        return Trace("live", target, failure=failure)
    return seen if failure is None else replace(seen, failure=failure)


def _raise_for(outcome: dict[str, str]) -> None:
    status, message = outcome["status"], outcome["message"]
    if status == "bad-input":
        raise BadInputError(message)
    if status == "no-torch":
        what = f"torch cannot be imported in {sys.executable}"
        reason = f" ({' '.join(message.split())})" if message else ""
        raise BadInputError(f"{what}{reason}; a live run needs it: pip install 'freezelint[torch]'")
    if status == "internal":
        raise InternalError(message, outcome["details"])


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return True
    return False


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _termination_raises() -> Iterator[None]:
    """SIGTERM ends the run like Ctrl-C: the child has a session of its own and would survive its parent."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
