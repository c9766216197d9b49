"""`freezelint.freezing.summary`, advice and plans, and freezelint's own audit inside of a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.values import Call, Context, Instance, Intrinsic, Unknown, Value
from freezelint.source.semantics import escapes
from freezelint.source.vocabulary import function
from freezelint.source.vocabulary.freezing_gradual import lose_track

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {"freezelint.live.api.": "freezelint."}

_PLAN = "freezelint.freezing.Plan"


@function("freezelint.freezing.summary", "freezelint.freezing.domain_shift")
def looked_at(machine: Machine, call: Call) -> Value:
    """What looks at a model and leaves it as it was."""
    return Unknown(f"{call.name.rpartition('.')[2]}(…)")


@function("freezelint.watch")
def watch(machine: Machine, call: Call) -> Value:
    """The body runs as it is."""
    return Context(call.name, value=Unknown("report"))


@function("freezelint.audit")
def audit(machine: Machine, call: Call) -> Value:
    """Steps are taken, and taken back: the function that takes them is read on its own."""
    return Unknown("report")


@function("freezelint.freezing.recommend")
def recommend(machine: Machine, call: Call) -> Value:
    """Advice, which does nothing until it is applied."""
    return Instance(None, kind=_PLAN)


@function(_PLAN, "freezelint.freezing.*")
def anything_else(machine: Machine, call: Call) -> Value:
    """What is not imitated may set any flag, and add any group."""
    _forget(call)
    return Instance(None, kind=_PLAN)


@function(f"{_PLAN}.__getattr__")
def of_plan(machine: Machine, call: Call) -> Value:
    """A method of a plan may do anything to the model and the optimizer that it is given."""

    def run(machine: Machine, later: Call) -> Value:
        _forget(later)
        return Unknown(f"{later.name}(…)")

    return Intrinsic(f"plan.{call.get(1, 'name', '')}", run)


def _forget(call: Call) -> None:
    for value in (*call.args, *call.kwargs.values()):
        lose_track(value)
        for module in escapes.modules_in(value):
            escapes.forget(module)
        for optimizer in escapes.optimizers_in(value):
            optimizer.complete = False
