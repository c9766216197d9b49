"""FRZ506: what is put in eval mode to freeze it is frozen as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.finding import Edit
from freezelint.fixing.modes.calls import is_plain
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import assignment_of
from freezelint.fixing.script import NoPlaceError, Script


def mends(scene: Scene) -> Iterator[Mend]:
    """`x.requires_grad_(False)` follows `x.eval()`, as a line of its own or in the same expression."""
    script = scene.here
    call = script.node_at(scene.finding.location, ast.Call)
    if call is None or not isinstance(call.func, ast.Attribute) or call.func.attr not in ("eval", "train"):
        raise NoPlaceError("eval mode is set in another way than by a call of it")
    title, frozen = "freeze what is put in eval mode", _frozen(script, call)
    yield Mend(title, (frozen,), "unsafe")
    if _comes_after_the_optimizer(scene):
        yield Mend(f"{title}, before the optimizer is built", (frozen, *_early(scene)), "unsafe")


def _frozen(script: Script, call: ast.Call) -> Edit:
    assert isinstance(call.func, ast.Attribute)
    receiver = call.func.value
    statement = script.statement_of(call)
    name = script.text(receiver) if is_plain(receiver) else _self(script, receiver)
    if name is not None and isinstance(statement, ast.Expr) and statement.value is call:
        try:
            return script.after(statement, [f"{name}.requires_grad_(False)"])
        except NoPlaceError:
            pass  # `if x: encoder.eval()` on one line
    if name is not None and name != script.text(receiver):
        raise NoPlaceError("what is put in eval mode cannot be said in this expression")
    return script.replace(call, f"{script.text(call)}.requires_grad_(False)")


def _comes_after_the_optimizer(scene: Scene) -> bool:
    at = scene.finding.location.at()
    modes = (e for e in scene.trace.events_of("to-eval") if e.location is not None and e.location.at() == at)
    first = min((event.index for event in modes), default=0)
    return any(event.index < first for event in scene.trace.events_of("optimizer-built"))


def _early(scene: Scene) -> Iterator[Edit]:
    """One more call of the function that says that it freezes, where the model that it is given is built."""
    for place in scene.finding.location.calls[:1]:
        script = scene.script(place.path)
        call = script.node_at(place, ast.Call)
        statement = script.statement_at(place)
        if call is None or not isinstance(statement, ast.Expr) or statement.value is not call:
            continue
        whose = call.func.value if isinstance(call.func, ast.Attribute) else next(iter(call.args), None)
        built = assignment_of(script, whose, statement) if isinstance(whose, ast.Name) else None
        names = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
        if built is not None and names <= {ast.unparse(call.func), ast.unparse(built.targets[0])}:
            yield script.after(built, [script.text(call)])
            return
    raise NoPlaceError("the freeze comes after the optimizer is built")


def _self(script: Script, receiver: ast.expr) -> str | None:
    """The module whose method is called where that is `super().eval()`."""
    if not isinstance(receiver, ast.Call) or ast.unparse(receiver.func) != "super":
        return None
    method = script.function_of(receiver)
    return method.args.args[0].arg if method is not None and method.args.args else None
