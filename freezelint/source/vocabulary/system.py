"""The world around the script: `os`, `sys`, `time`, `random`, `subprocess`. What is there is unknown."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.iterables import computed, elements
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import MISSING, Call, Instance, Module, Parameter, Unknown, Value
from freezelint.source.vocabulary import constant, function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_PATHS: dict[str, Callable[..., Any]] = {
    "join": posixpath.join, "basename": posixpath.basename, "dirname": posixpath.dirname,
    "splitext": posixpath.splitext, "split": posixpath.split, "normpath": posixpath.normpath,
    "isabs": posixpath.isabs, "commonprefix": posixpath.commonprefix,
}  # fmt: skip


@function(*(f"os.path.{name}" for name in _PATHS))
def path_function(machine: Machine, call: Call) -> Value:
    """Functions of `os.path` that only look at the text."""
    name = call.name.rpartition(".")[2]
    if any(isinstance(known(argument), str) and len(known(argument)) > 4000 for argument in call.args):
        return Unknown(name)
    return computed(machine, f"os.path.{name}", _PATHS[name], *call.args[:20])


@function("os.getenv", "os.environ.get")
def environment_variable(machine: Machine, call: Call) -> Value:
    """Set or not: who knows. Unless somebody sets it, it is the default."""
    position = 1 if call.args and isinstance(call.args[0], Instance) else 0
    name = call.get(position, "key", None)
    return Unknown(f"os.environ[{text_of(name)}]", known(call.get(position + 1, "default", None)))


@constant("os.environ")
def environment() -> Value:
    """The variables of the shell."""
    return Instance(None, kind="os.environ")


@function("os.environ.__getitem__", "os.environ.setdefault", "os.environ.pop")
def environment_item(machine: Machine, call: Call) -> Value:
    """A variable that must be set."""
    return Unknown(f"os.environ[{text_of(call.get(1, 'key', None))}]")


@function("os.environ.copy", "os.environ.items", "os.environ.keys")
def environment_items(machine: Machine, call: Call) -> Value:
    """All variables."""
    return Unknown("os.environ")


@constant("sys.version_info")
def version_info() -> Value:
    """A Python of these days."""
    return Unknown("sys.version_info", (3, 11, 0, "final", 0))


@constant("sys.platform")
def platform() -> Value:
    """Mostly Linux."""
    return Unknown("sys.platform", "linux")


@constant("os.name")
def os_name() -> Value:
    """Mostly Unix."""
    return Unknown("os.name", "posix")


@constant("os.sep", "os.path.sep")
def separator() -> Value:
    """Between the parts of a path."""
    return Unknown("os.sep", "/")


@constant("sys.argv", "sys.path", "sys.modules")
def of_interpreter() -> Value:
    """What the interpreter was started with."""
    return Unknown("sys")


# -- chance --------------------------------------------------------------------------------------------------


@function("random.shuffle", "numpy.random.shuffle")
def shuffle(machine: Machine, call: Call) -> None:
    """Nobody knows which element is where afterwards."""
    value = call.get(0, "x", None)
    if isinstance(value, list) and any(isinstance(element, (Module, Parameter)) for element in value):
        value[:] = [Unknown(f"shuffled[{position}]") for position in range(len(value))]


@function("random.random", "random.uniform", "random.randint", "random.gauss", "random.randrange",
    "random.choice", "random.choices", "random.sample", "random.getrandbits",
    "random.normalvariate", "numpy.random.*")  # fmt: skip
def chance(machine: Machine, call: Call) -> Value:
    """Some value: the only one there is, if there is but one."""
    if call.name == "random.choice" and call.args:
        found = elements(machine, call.args[0], "choice(…)")
        if found is not None and len(found) == 1:
            return found[0]
    return Unknown(f"{call.name}({', '.join(text_of(argument) for argument in call.args[:3])})")


@function("random.seed", "numpy.random.seed", "time.sleep", "gc.collect", "os.makedirs", "os.mkdir",
    "os.chdir", "warnings.filterwarnings", "warnings.simplefilter", "warnings.warn",
    "shutil.rmtree", "os.remove", "matplotlib.use", "faulthandler.enable", "signal.signal",
    "random.setstate")  # fmt: skip
def nothing(machine: Machine, call: Call) -> None:
    """What concerns no model."""


@function("time.time", "time.perf_counter", "time.monotonic", "time.process_time", "time.strftime",
    "datetime.datetime.now", "os.getcwd", "os.getpid", "os.listdir", "os.walk", "glob.glob",
    "os.cpu_count", "os.path.exists", "os.path.isfile", "os.path.isdir", "os.path.abspath",
    "os.path.realpath", "os.path.expanduser", "os.path.getsize", "os.system", "shutil.which",
    "subprocess.run", "subprocess.check_output", "socket.gethostname", "platform.system",
    "importlib.util.find_spec", "multiprocessing.cpu_count", "uuid.uuid4")  # fmt: skip
def outside(machine: Machine, call: Call) -> Value:
    """What only the machine knows that the script will run on."""
    return Unknown(f"{call.name}({', '.join(text_of(argument) for argument in call.args[:2])})", MISSING)
