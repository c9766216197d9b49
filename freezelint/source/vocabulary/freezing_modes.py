"""`freezelint.freezing.train_mode` and `keep_frozen_in_eval`, and the norm layers of `freezing.norms`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.freezing.globs import compiled
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.signals import RaisedSignal
from freezelint.source.interpreter.values import Call, Function, Instance, Intrinsic, Module, Unknown, Value
from freezelint.source.recording.snapshot import unwrapped
from freezelint.source.semantics import staying
from freezelint.source.semantics.changes import Change
from freezelint.source.semantics.rates import number
from freezelint.source.semantics.selections import NO_MATCH, has_statistics, own_parameters
from freezelint.source.vocabulary import function
from freezelint.source.vocabulary.freezing_flags import model_in, nothing_known, patterns_in

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_Modes = list[tuple[Module, bool | None, int | None]]


def _modes(model: Module) -> _Modes:
    return [(module, module.training, module.training_cause) for _, module in model.walk()]


def _restore(modes: _Modes) -> None:
    for module, training, cause in modes:
        module.training, module.training_cause = training, cause


@function("freezelint.freezing.train_mode")
def train_mode(machine: Machine, call: Call) -> Value:
    """For the time of the block what is wholly frozen is in eval, all else in train mode."""
    model = known(call.get(0, "model"))
    manager = Instance(None, kind="freezelint.freezing.train_mode")
    before: list[_Modes] = []

    def enter(machine: Machine, call: Call) -> Value:
        if isinstance(model, Module):
            before.append(_modes(model))
            machine.call(machine.get(model, "train"))
            staying.put_frozen_in_eval(model)
        return model

    def leave(machine: Machine, call: Call) -> Value:
        if before:
            _restore(before.pop())
        return False

    manager.attributes["__enter__"] = Intrinsic("__enter__", enter)
    manager.attributes["__exit__"] = Intrinsic("__exit__", leave)
    return manager


@function("freezelint.freezing.keep_frozen_in_eval")
def keep_frozen_in_eval(machine: Machine, call: Call) -> Value:
    """`model.train()` puts in eval from now on what is wholly frozen by then."""
    model = known(call.get(0, "model"))
    kept = Instance(None, kind="freezelint.freezing.KeptMode")
    if isinstance(model, Module):
        model = unwrapped(model)
        kept.attributes["*modes"] = (model, _modes(model))
        staying.keep(model, True)
        if model.training is not False:
            staying.put_frozen_in_eval(model)
    return kept


@function("freezelint.freezing.KeptMode.undo", "freezelint.freezing.KeptMode.__exit__")
def undo_kept(machine: Machine, call: Call) -> None:
    """`train()` is the model's own again, and each mode what it was. Once."""
    found = call.owner.attributes.pop("*modes", None) if isinstance(call.owner, Instance) else None
    if isinstance(found, tuple):
        staying.keep(found[0], False)
        _restore(found[1])


@function("freezelint.freezing.KeptMode.__enter__")
def enter_kept(machine: Machine, call: Call) -> Value:
    """The record itself."""
    return call.owner


# -- norm layers ---------------------------------------------------------------------------------------------


def _chosen(machine: Machine, model: Module, call: Call, first: int = 1) -> tuple[list[Module], bool]:
    """The norm layers with running statistics that the patterns name, and whether these are all."""
    selection = patterns_in(machine, model, call, first)
    norms = {id(m): m for m in selection.modules.values() if has_statistics(m)}
    clear = selection.clear and not model.is_open
    if clear and not norms:
        raise RaisedSignal(NO_MATCH)
    return list(norms.values()), clear


def _frozen(machine: Machine, model: Module, norms: list[Module], clear: bool) -> Value:
    change = Change(machine, model)
    change.flag((p for norm in norms for p in own_parameters(norm)), False)
    change.hold(norms)
    if not clear:
        change.forget(model, value=False)
    return change.as_value()


@function("freezelint.freezing.norms.freeze")
def freeze_norms(machine: Machine, call: Call) -> Value:
    """Scale, shift and statistics; the layers stay in eval."""
    model = model_in(call)
    return nothing_known() if model is None else _frozen(machine, model, *_chosen(machine, model, call))


@function("freezelint.freezing.norms.freeze_until")
def freeze_until(machine: Machine, call: Call) -> Value:
    """The norm layers before what is named, in the order of definition."""
    model, name = model_in(call), known(call.get(1, "name"))
    if model is None:
        return nothing_known()
    named = patterns_in(machine, model, Call(call.node, [model, call.get(1, "name")]))
    ordered = call.get(2, "sample", None) is None
    if model.is_open or not named.clear or not ordered or not isinstance(name, str):
        return _frozen(machine, model, [], clear=False)
    paths = model.walk()
    matches = compiled(name).match
    first = next((place for place, (path, _) in enumerate(paths) if matches(path)), None)
    early = [module for _, module in paths[:first] if has_statistics(module)] if first is not None else []
    if not early:
        raise RaisedSignal(NO_MATCH)
    return _frozen(machine, model, early, clear=True)


@function("freezelint.freezing.norms.adapt")
def adapt(machine: Machine, call: Call) -> Value:
    """Trainable, out of eval, with this momentum."""
    model, given = model_in(call), call.kwargs.get("momentum", 0.1)
    momentum = number(given)
    if momentum is not None and not isinstance(given, Unknown) and not 0 < momentum <= 1:
        raise RaisedSignal("ValueError")
    if model is None:
        return nothing_known()
    norms, clear = _chosen(machine, model, call)
    change = Change(machine, model)
    change.flag((p for norm in norms for p in own_parameters(norm)), True)
    change.let_go(norms)
    for norm in norms:
        change.set_momentum(norm, momentum, is_known=momentum is not None or given is None)
    if not clear:
        change.forget(model, value=True)
    return change.as_value()


@function("freezelint.freezing.norms.calibrate")
def calibrate(machine: Machine, call: Call) -> Value:
    """The statistics are measured anew; all else is as it was."""
    model, forward = known(call.get(0, "model")), call.kwargs.get("forward")
    if isinstance(forward, Function):
        forward.called = True
    if isinstance(model, Module):
        norms, _ = _chosen(machine, unwrapped(model), call, first=2)
        for norm in norms:
            if norm.norm is not None:
                norm.norm.reset = norm.norm.batches_since_reset = None
    return Unknown("calibrate(…)")
