"""FRZ506: what is put in eval mode to freeze it is frozen as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.finding import Edit
from freezelint.fixing.modes.calls import is_plain
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script


def mends(scene: Scene) -> Iterator[Mend]:
    """`x.requires_grad_(False)` follows `x.eval()`, as a line of its own or in the same expression."""
    script = scene.here
    call = script.node_at(scene.finding.location, ast.Call)
    if call is None or not isinstance(call.func, ast.Attribute) or call.func.attr not in ("eval", "train"):
        raise NoPlaceError("eval mode is set in another way than by a call of it")
    yield Mend("freeze what is put in eval mode", (_frozen(script, call),), "unsafe")


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


def _self(script: Script, receiver: ast.expr) -> str | None:
    """The module whose method is called where that is `super().eval()`."""
    if not isinstance(receiver, ast.Call) or ast.unparse(receiver.func) != "super":
        return None
    method = script.function_of(receiver)
    return method.args.args[0].arg if method is not None and method.args.args else None
