"""Why a run did not get to its training steps: exceptions, exits, hangs and crashes told as evidence. Imports
no torch."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, TracebackType

from freezelint.evidence import Failure, Location
from freezelint.live.patching import is_pass_through
from freezelint.live.reading.places import MOST_CALLS, Places, is_user_file, raised_at, shown_path

_PACKAGE = str(Path(__file__).parents[2])
_LONGEST = 300  # characters of the text of an exception that are worth repeating
_OWN_FAULTS = (AssertionError, AttributeError, ImportError, LookupError, NameError, RecursionError)

_NO_GRAPH = "does not require grad and does not have a grad_fn"
_EMPTY_OPTIMIZER = "optimizer got an empty parameter list"
_HERMETIC = "`--hermetic` replaces downloads of data sets and weights"
_DESPITE_STAND_INS = (
    "see whether the script gets past this line by itself; if it does, run freezelint without `--hermetic`"
)
_FARTHEST = 4  # directories upwards in which a project's own packages are looked for
_NETWORK_ERRORS = {
    "ConnectionError",
    "HTTPError",
    "LocalEntryNotFoundError",
    "MaxRetryError",
    "URLError",
    "gaierror",
}
# What to install for packages that are imported under another name.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "google": "protobuf",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}

_FRAME = re.compile(r'^  File "(?P<path>.*)", line (?P<line>\d+) in (?P<function>.*)$')
_STANZA = re.compile(r"^(?P<current>Current thread|Thread) 0x[0-9a-f]+ .*\(most recent call first\):$")


def from_exception(error: BaseException, target: str, *, hermetic: bool = False) -> Failure:
    """What an exception that left the user's code says; `hermetic` where stand-ins were in place."""
    location = _of_syntax(error) or raised_at(error.__traceback__)
    refused = next((cause for cause in _chain(error) if type(cause).__name__ == "HermeticError"), None)
    if refused is not None:
        return Failure("no-weights", _one_line(str(refused)), location)
    if isinstance(error, SystemExit):
        return _from_exit(error, target, location)
    message = _told(error)
    if isinstance(error, RuntimeError) and _NO_GRAPH in str(error):
        return Failure("no-graph", message, location)
    if isinstance(error, ValueError) and _EMPTY_OPTIMIZER in str(error):
        return Failure("empty-optimizer", message, location)
    return Failure("crash", message, location, _advice(error, hermetic))


def no_step(target: str) -> Failure:
    """The user's code came to its end and no optimizer had stepped."""
    return Failure(
        "no-step",
        "the script ran to its end without an optimizer step (processes that it starts are not watched)",
        None,
        "check the script that trains, pass the arguments that make it train "
        f"(`freezelint check --run {target} -- ARGS`), or name a factory (`freezelint check {target}:build`)",
    )


def timed_out(seconds: float, stacks: str) -> Failure:
    """The run took longer than it was given; `stacks` is what faulthandler wrote when it was asked where the
    process is."""
    return Failure(
        "timeout",
        f"the run was stopped after {seconds:g} seconds",
        location_in_dump(stacks, prefer_current=False),
        "give it more time (`--timeout SECONDS`) or less to do before its first steps",
    )


def killed(status: int, fault: str, left: Location | None) -> Failure:
    """The process vanished. `status` is its return code, `fault` faulthandler's last words, `left` where it
    called `os._exit`."""
    if status >= 0:
        advice = "let the script go on past this call until it has trained a step"
        return Failure("killed", f"the process ended itself with `os._exit({status})`", left, advice)
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    advice = "run the script by itself (`python -X faulthandler`) to see whether it crashes there too"
    if name == "SIGKILL":
        advice = "the system may have run out of memory: try a smaller batch, or `--device fake`"
    return Failure("killed", f"the process was killed by {name}", location_in_dump(fault), advice)


def is_own_fault(error: BaseException) -> bool:
    """Whether freezelint's own code raised this while it watched the user's: a fault of the tool, not of the
    script."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not isinstance(error, _OWN_FAULTS):
        return False
    # What C refuses has no frame of its own: it seems to come from ours that the call passed through.
    code = last.tb_frame.f_code
    return is_ours(code.co_filename) and not is_pass_through(code)


def is_ours(filename: str) -> bool:
    """Whether a file belongs to freezelint."""
    return filename.startswith(_PACKAGE)


def location_in_dump(dump: str, *, prefer_current: bool = True) -> Location | None:
    """The innermost of the user's frames in what faulthandler wrote, in the current or else in the main
    thread."""
    stanzas = list(_stanzas(dump))
    current = [frames for is_current, frames in stanzas if is_current]
    others = [frames for is_current, frames in stanzas if not is_current]
    # faulthandler tells threads newest first: the main one comes last.
    main_first = others[::-1]
    if not prefer_current and stanzas and stanzas[-1][0]:
        main_first = [*current, *main_first]
    ordered = [*current, *main_first] if prefer_current else [*main_first, *current]
    for frames in ordered:
        if frames:
            return Location(
                frames[0].path, frames[0].line, function=frames[0].function, calls=tuple(frames[1:])
            )
    return None


def join_threads() -> None:
    """Wait for the threads that Python itself would wait for at the end of a script."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def _from_exit(error: SystemExit, target: str, location: Location | None) -> Failure:
    status = error.code if error.code is not None else 0
    reason = status if isinstance(status, str) else _reason(error)
    message = (
        f"the script left with `sys.exit({status!r})`"
        if not isinstance(status, str)
        else "the script left with `sys.exit`"
    )
    if reason:
        message = f"{message}: {_one_line(reason)}"
    advice = ""
    if status == 2 or reason.startswith("the following arguments are required"):
        advice = f"pass the script's own arguments after `--`: `freezelint check --run {target} -- ARGS`"
    return Failure("exit", message, location, advice)


def _reason(error: SystemExit) -> str:
    """What argparse or click complained of before it left."""
    for traceback in _tracebacks(error.__traceback__):
        code = traceback.tb_frame.f_code
        if code.co_name == "error" and Path(code.co_filename).name == "argparse.py":
            return str(traceback.tb_frame.f_locals.get("message", ""))
    cause = error.__context__
    return getattr(cause, "message", "") if type(cause).__module__.startswith("click") else ""


def _advice(error: BaseException, hermetic: bool) -> str:
    names = {kind.__name__ for cause in _chain(error) for kind in type(cause).__mro__}
    if names & _NETWORK_ERRORS:
        return _HERMETIC
    if names & {"FileNotFoundError", "NotADirectoryError"}:
        where = "run it where its files are, or pass their paths after `--`"
        return where if hermetic else f"{where}; {_HERMETIC}"
    if "OutOfMemoryError" in names or "DefaultCPUAllocator" in str(error):
        return "`--device cpu` or `--device fake` need less memory"
    if isinstance(error, ImportError) and error.name:
        return _of_import(error, error.name.partition(".")[0])
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType) and _is_library(error.obj):
        return _other_version(error.obj.__name__.partition(".")[0])
    return _DESPITE_STAND_INS if hermetic and not isinstance(error, SyntaxError) else ""


def _of_import(error: ImportError, package: str) -> str:
    """What to do about a package that is not there, is elsewhere in the project, or is of another version."""
    beside = _of_project(package)
    if beside is not None:
        return f"put the project's own `{package}` on the path: `PYTHONPATH={beside} freezelint check …`"
    if isinstance(error, ModuleNotFoundError) and not _is_installed(package):
        return f"install `{_DISTRIBUTIONS.get(package, package)}` in the environment that freezelint runs in"
    return _other_version(package)


def _is_installed(package: str) -> bool:
    """Whether only a part of the package is missing: another version has, or had, it."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return package in sys.modules


def _is_library(module: ModuleType) -> bool:
    return module.__file__ is not None and not is_user_file(module.__file__)


def _other_version(package: str) -> str:
    return f"install the version of `{package}` that the script was written for"


def _of_project(package: str) -> str | None:
    """The directory that holds this package or module of the project's own: the current one, if imports do
    not look there, or one above it, up to the project's root.
    """
    here = Path.cwd()
    for up, directory in enumerate((here, *here.parents)):
        folder = directory / package
        holds = folder.with_suffix(".py").is_file() or any(folder.glob("*.py")) or any(folder.glob("*/*.py"))
        if holds and str(directory) not in sys.path:
            return "/".join([".."] * up) or "."
        if up == _FARTHEST or (directory / ".git").exists():
            return None
    return None


def _told(error: BaseException) -> str:
    text = _one_line(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def _of_syntax(error: BaseException) -> Location | None:
    if isinstance(error, SyntaxError) and error.filename and is_user_file(error.filename):
        return Location(shown_path(error.filename), error.lineno or 1, max(error.offset or 1, 1))
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it came from."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _tracebacks(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _stanzas(dump: str) -> Iterator[tuple[bool, list[Location]]]:
    """For each thread of the dump whether it is the current one, and its user's frames, innermost first."""
    current = False
    frames: list[Location] | None = None
    places = Places(str(Path.cwd()))
    for text in dump.splitlines():
        if header := _STANZA.match(text):
            if frames is not None:
                yield current, frames
            current, frames = header["current"].startswith("Current"), []
        elif frames is not None and len(frames) <= MOST_CALLS and (frame := _FRAME.match(text)):
            path = _unescaped(frame["path"])
            if places.users[path]:
                function = frame["function"]
                frames.append(
                    Location(
                        places.shown(path),
                        int(frame["line"]),
                        function="" if function == "<module>" else function,
                    )
                )
    if frames is not None:
        yield current, frames


def _unescaped(path: str) -> str:
    r"""faulthandler writes ASCII only: other characters come as `\xe9`, `\u20ac` or `\U0001f600`."""
    pattern = r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}"
    return re.sub(pattern, lambda found: chr(int(found[0][2:], 16)), path)
