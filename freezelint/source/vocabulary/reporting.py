"""Logging, progress bars and other things that only show something."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.values import Call, Context, Instance, Unknown, Value
from freezelint.source.vocabulary import function
from freezelint.source.vocabulary.builtins_iterables import range_

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    "tqdm.auto.": "tqdm.",
    "tqdm.notebook.": "tqdm.",
    "tqdm.autonotebook.": "tqdm.",
    "tqdm.std.": "tqdm.",
    "tqdm.rich.": "tqdm.",
    "tqdm.tqdm_notebook": "tqdm.tqdm",
    "tqdm.tnrange": "tqdm.trange",
    "fastprogress.progress_bar": "tqdm.tqdm",
    "fastprogress.master_bar": "tqdm.tqdm",
    "fastprogress.fastprogress.progress_bar": "tqdm.tqdm",
    "fastprogress.fastprogress.master_bar": "tqdm.tqdm",
    "rich.progress.track": "tqdm.tqdm",
    "alive_progress.alive_it": "tqdm.tqdm",
    "progressbar.progressbar": "tqdm.tqdm",
    "loguru.logger": "logging",
    "absl.logging": "logging",
}
_LEVELS = (
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "critical",
    "exception",
    "log",
    "success",
    "trace",
    "fatal",
)


@function("tqdm.tqdm")
def tqdm(machine: Machine, call: Call) -> Value:
    """The iterable itself."""
    iterable = call.args[0] if call.args else call.kwargs.get("iterable")
    if iterable is None:
        return Context("tqdm", value=Unknown("tqdm")) if _in_with(machine) else Unknown("tqdm")
    return Context("tqdm", value=iterable) if _in_with(machine) else iterable


@function("tqdm.trange")
def trange(machine: Machine, call: Call) -> Value:
    """`tqdm(range(…))`."""
    found = range_(machine, Call(call.node, call.args, complete=call.complete))
    return Context("tqdm", value=found) if _in_with(machine) else found


def _in_with(machine: Machine) -> bool:
    """Whether the call is what a `with` statement enters."""
    statement, node = machine.frame.statement, machine.frame.node
    is_with = isinstance(statement, (ast.With, ast.AsyncWith))
    return is_with and any(item.context_expr is node for item in statement.items)  # type: ignore[union-attr]


@function("tqdm.tqdm.write", "tqdm.write", "IPython.display.display",
    "IPython.display.clear_output", "wandb.log", "wandb.watch", "wandb.finish", "mlflow.log_metric",
    "mlflow.log_params", "mlflow.log_param")  # fmt: skip
def shown(machine: Machine, call: Call) -> None:
    """Shows or stores its arguments."""


@function("logging.getLogger", "logging.Logger", "accelerate.logging.get_logger",
    "transformers.utils.logging.get_logger", "transformers.logging.get_logger",
    "structlog.get_logger")  # fmt: skip
def get_logger(machine: Machine, call: Call) -> Value:
    """A logger."""
    return Instance(None, kind="logging.Logger")


@function(*(f"logging.{name}" for name in _LEVELS), *(f"logging.Logger.{name}" for name in _LEVELS),
          "logging.basicConfig", "logging.Logger.setLevel", "logging.Logger.addHandler",
    "logging.disable")  # fmt: skip
def log(machine: Machine, call: Call) -> None:
    """Writes a message."""


@function("wandb.init")
def wandb_init(machine: Machine, call: Call) -> Value:
    """A run; the configuration it was given is what `wandb.config` may be."""
    return Unknown(f"wandb.init({', '.join(text_of(value) for value in call.args[:2])})")
