"""`freezelint.freezing`: freezing and unfreezing parts of a model, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.signals import RaisedSignal
from freezelint.source.interpreter.values import Call, Instance, Module, Unknown, Value
from freezelint.source.recording.snapshot import unwrapped
from freezelint.source.semantics import changes, partitions
from freezelint.source.semantics.changes import Change
from freezelint.source.semantics.selections import Selection, select
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    f"freezelint.freezing.{home}.": "freezelint.freezing."
    for home in (
        *("flags", "gradual", "modes", "patterns", "rates", "records", "schedules", "shapes", "structure"),
        "summaries",
    )
}


def model_in(call: Call) -> Module | None:
    """The model that a call is about, out of its wrappers; None where it is not known.

    As in the library, one that DistributedDataParallel has wrapped is refused.
    """
    model = known(call.get(0, "model"))
    if not isinstance(model, Module):
        return None
    if model.class_name == "DistributedDataParallel":
        raise RaisedSignal("ValueError")
    return unwrapped(model)


def patterns_in(machine: Machine, model: Module, call: Call, first: int = 1) -> Selection:
    """What the patterns of a call name; `first` is the position of the first one."""
    given = call.args[first:]
    if call.complete:
        return select(machine, model, given)
    # Of `*names` nobody knows how many there are.
    selection = select(machine, model, given) if given else Selection()
    selection.clear = False
    return selection


def nothing_known() -> Instance:
    """The record of a change of a model that nobody knows."""
    return Instance(None, kind=changes.KIND)


@function("freezelint.freezing.freeze")
def freeze(machine: Machine, call: Call) -> Value:
    """What the patterns name; its norm layers stay in eval."""
    model = model_in(call)
    if model is None:
        return nothing_known()
    return changes.freeze(machine, model, patterns_in(machine, model, call)).as_value()


@function("freezelint.freezing.unfreeze")
def unfreeze(machine: Machine, call: Call) -> Value:
    """What the patterns name; its norm layers follow `train()` again."""
    model = model_in(call)
    if model is None:
        return nothing_known()
    selection = patterns_in(machine, model, call)
    keep = machine.truth(call.kwargs.get("keep_norms", False))
    if keep is None:
        selection.clear = False
    return changes.unfreeze(machine, model, selection, keep_norms=bool(keep)).as_value()


@function("freezelint.freezing.freeze_all_but")
def freeze_all_but(machine: Machine, call: Call) -> Value:
    """Exactly what the patterns name is trainable."""
    if len(call.args) < 2 and call.complete:
        raise RaisedSignal("ValueError")
    model = model_in(call)
    if model is None:
        return nothing_known()
    return changes.leave_trainable(machine, model, patterns_in(machine, model, call)).as_value()


@function("freezelint.freezing.freeze_except_last")
def freeze_except_last(machine: Machine, call: Call) -> Value:
    """The last blocks, the head being one of them, are trainable."""
    model, count = model_in(call), known(call.get(1, "count"))
    if model is None:
        return nothing_known()
    blocks = partitions.blocks_of(model, call.get(2, "sample", None))
    if blocks is None or type(count) is not int:
        return changes.leave_trainable(machine, model, Selection(clear=False)).as_value()
    if not 1 <= count <= len(blocks):
        raise RaisedSignal("ValueError")
    left = partitions.selection_of(model, blocks[-count:])
    return changes.leave_trainable(machine, model, left).as_value()


# -- records -------------------------------------------------------------------------------------------------


def _change(call: Call) -> Change | None:
    return changes.change_in(call.owner)


@function(f"{changes.KIND}.undo", f"{changes.KIND}.__exit__")
def undo(machine: Machine, call: Call) -> None:
    """Flags, modes and momenta are what they were."""
    change = _change(call)
    if change is not None:
        change.undo()


@function(f"{changes.KIND}.__enter__")
def enter(machine: Machine, call: Call) -> Value:
    """`with freezing.freeze(model) as change:`."""
    return call.owner


@function(f"{changes.KIND}.__getattr__")
def told(machine: Machine, call: Call) -> Value:
    """The names in a record."""
    return Unknown(f"change.{call.get(1, 'name', '')}")
