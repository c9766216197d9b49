"""The calls of `train()` and `eval()` in the sources: what they are called on, and where lines may follow."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from freezelint.evidence import Event
from freezelint.fixing.scene import Scene
from freezelint.fixing.script import NoPlaceError, Script

# Methods of a module that return it.
_THEMSELVES = frozenset(
    {"to", "cuda", "cpu", "float", "half", "double", "bfloat16", "train", "eval", "requires_grad_"}
)
_BINDS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


@dataclass(frozen=True)
class ModeCall:
    """One call that sets a mode. `receiver` is what it is called on, in words that hold after `statement`."""

    script: Script
    call: ast.Call
    statement: ast.stmt
    receiver: str
    event: Event
    loop: ast.For | None = None  # that does nothing else, with the receiver as its variable

    @property
    def is_alone(self) -> bool:
        """Whether it is a statement of its own, `x.train()` or `x.train(True)`, so that another can take its
        place.
        """
        given = [*self.call.args, *(keyword.value for keyword in self.call.keywords)]
        plain = all(isinstance(each, ast.Constant) and each.value is True for each in given)
        return plain and isinstance(self.statement, ast.Expr) and self.statement.value is self.call

    @property
    def scope(self) -> ast.AST:
        """The function that it is in, or the whole file."""
        return self.script.function_of(self.call) or self.script.tree


def mode_call(scene: Scene, event: Event) -> ModeCall:
    """The call that the event tells of. Raises NoPlaceError."""
    location = event.location
    if location is None:
        raise NoPlaceError("it is not known where the mode is set")
    script = scene.script(location.path)
    call = script.node_at(location, ast.Call)
    if call is None or not isinstance(call.func, ast.Attribute) or call.func.attr not in ("train", "eval"):
        raise NoPlaceError(f"the mode is set on line {location.line} in another way than by a call of it")
    statement = script.statement_of(call)
    if any(isinstance(outer, _BINDS) for outer in script.parents(call)):
        raise NoPlaceError(f"line {location.line} sets the mode inside an expression")
    if isinstance(statement, ast.Return):
        raise NoPlaceError(f"line {location.line} returns what it sets the mode of")
    receiver = _receiver(script, call, statement)
    loop = script.parent(statement)
    alone = isinstance(loop, ast.For) and loop.body == [statement] and receiver in names_in(loop.target)
    behind = loop if alone and isinstance(loop, ast.For) else None
    return ModeCall(script, call, _with_its_line(script, statement), receiver, event, behind)


def is_plain(node: ast.expr) -> bool:
    """Whether the expression can be written twice: names, attributes, and items by constants or names."""
    if isinstance(node, ast.Attribute):
        return is_plain(node.value)
    if isinstance(node, ast.Subscript):
        return is_plain(node.value) and isinstance(node.slice, ast.Constant | ast.Name)
    return isinstance(node, ast.Name)


def bare(node: ast.expr) -> ast.expr:
    """What `x.to(device).train()` begins with: the module itself."""
    while (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _THEMSELVES
    ):
        node = node.func.value
    return node


def names_in(scope: ast.AST) -> set[str]:
    """The names that a function, or the whole file, uses or binds."""
    found = {node.id for node in ast.walk(scope) if isinstance(node, ast.Name)}
    return found | {node.arg for node in ast.walk(scope) if isinstance(node, ast.arg)}


def loop_name(scope: ast.AST) -> str:
    """A name for modules in a loop that means nothing else there."""
    taken = names_in(scope)
    return next(name for name in ("module", "layer", "norm", "each", "m", "submodule") if name not in taken)


def _receiver(script: Script, call: ast.Call, statement: ast.stmt) -> str:
    assert isinstance(call.func, ast.Attribute)
    value = bare(call.func.value)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super":
        return _self(script, call)
    if (
        script.text(value).endswith("Module") and call.args and is_plain(call.args[0])
    ):  # nn.Module.train(self)
        return script.text(call.args[0])
    if is_plain(value):
        return script.text(value)
    if isinstance(statement, ast.Assign) and bare(statement.value) is value:
        target = statement.targets[0]
        if len(statement.targets) == 1 and is_plain(target):
            return script.text(target)
    raise NoPlaceError(f"line {call.lineno} sets the mode of what has no name")


def _self(script: Script, node: ast.AST) -> str:
    function = script.function_of(node)
    if function is None or not function.args.args:
        raise NoPlaceError("`super()` is used outside of a method")
    return function.args.args[0].arg


def _with_its_line(script: Script, statement: ast.stmt) -> ast.stmt:
    """The statement, or the `if` that it shares its line with: in eval may be what is frozen, whatever the
    rest.
    """
    while True:
        outer = script.parent(statement)
        chained = isinstance(outer, ast.If) and statement in outer.orelse and isinstance(statement, ast.If)
        if not isinstance(outer, ast.If) or not (outer.body[0].lineno == outer.lineno or chained):
            return statement
        statement = outer
