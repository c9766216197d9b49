"""How the code calls a module of a model: by a name that it has for the model, or for a part of it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from freezelint.evidence import Event, Location, Model, Trace
from freezelint.facts import subject
from freezelint.fixing.scene import Scene
from freezelint.fixing.scopes import assignment_of, bound_in, is_in_scope
from freezelint.fixing.script import Definition, NoPlaceError, Script

_GIVES = frozenset(
    {
        "parameters",
        "named_parameters",
        "children",
        "named_children",
        "modules",
        "named_modules",
        "requires_grad_",
    }
)
_BINDS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


@dataclass(frozen=True)
class Place:
    """A statement, and an expression that stands for a model, or a part of it, there."""

    script: Script
    statement: ast.stmt
    receiver: str
    called: bool = False  # the statement calls the helper in which the parameters are asked for


def parameters_told(scene: Scene) -> list[int]:
    """The parameters that are the subjects of the finding, in its order."""
    trace = scene.trace
    known = {subject(trace, number): number for number in reversed(range(len(trace.parameters)))}
    return [known[name] for name in scene.finding.subjects if name in known]


def owner_of(trace: Trace, parameters: Collection[int]) -> Model:
    """The one model that holds all of these parameters. Raises NoPlaceError."""
    owners = {trace.parameters[p].model for p in parameters}
    index = next(iter(owners), None)
    if len(owners) != 1 or index is None:
        raise NoPlaceError("the parameters belong to no model, or to several")
    return trace.models[index]


def receivers(script: Script, node: ast.AST, use: ast.stmt) -> list[str]:
    """What is asked for its parameters or modules in an expression or loop, or in the one assignment of a
    variable that it uses.
    """
    bound = _bound(node)
    found = [
        script.text(call.func.value)
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in _GIVES
        and _root(call.func.value) not in (None, *bound)
    ]
    if not found:
        given = node.iter if isinstance(node, ast.For) else node
        if isinstance(given, ast.Name | ast.Attribute):
            assigned = assignment_of(script, given, use)
            if assigned is not None and not isinstance(assigned.value, ast.Name):
                return receivers(script, assigned.value, assigned)
    return list(dict.fromkeys(found))


def places(scene: Scene, location: Location, whole: ast.stmt) -> Iterator[Place]:
    """Where a statement asks a model for its parameters, and what the model is called there; where that is an
    argument of a helper, the call of the helper first.
    """
    script = scene.script(location.path)
    for receiver in receivers(script, whole, whole):
        outer = _called(scene, script, whole, receiver, location.calls)
        if outer is not None:
            yield outer
        yield Place(script, whole, receiver)
    for model in scene.trace.models:
        if is_in_scope(script, model.name, whole):
            yield Place(script, whole, model.name)


def bases(model: Model, receiver: str, inside: Collection[int]) -> list[str]:
    """The paths of the modules of which an expression may be the name, the likeliest first: those that hold
    these parameters.
    """
    wanted = set(inside)
    paths = [m.path for m in model.modules if wanted.issubset(model.parameters_within(m.path))]
    last = receiver.rpartition(".")[2].partition("[")[0]
    return sorted(paths, key=lambda path: (path.rpartition(".")[2] != last, path != "", path.count(".")))


def spelled_from(receiver: str, base: str, path: str) -> str | None:
    """The module at `path`, by the name that the module at `base` has; None where it lies elsewhere."""
    if path == base:
        return receiver
    prefix = f"{base}." if base else ""
    if not path.startswith(prefix):
        return None
    text = receiver
    for step in path[len(prefix) :].split("."):
        if step.isidentifier():
            text += f".{step}"
        elif step.isdigit():
            text += f"[{step}]"
        else:
            return None
    return text


def require_not_wrapped(script: Script, use: ast.stmt, receiver: str, path: str) -> None:
    """Raises NoPlaceError where the file puts the model in a DataParallel before this statement, on machines
    with several devices: its modules are then called otherwise.
    """
    if path.partition(".")[0] == "module":
        return
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.lineno < use.lineno:
            wrapped = ast.unparse(node.value.func).endswith("DataParallel")
            if wrapped and receiver in map(ast.unparse, node.targets):
                raise NoPlaceError("the model may be in a DataParallel by then")


def require_one_name(scene: Scene, model: Model, path: str, script: Script, use: ast.stmt) -> None:
    """Raises NoPlaceError where a condition decides what is assigned as the module at this path, so that it
    may have another name, or none, when the statement runs.
    """
    assigned = [module.assigned for module in model.within(path) if module.assigned is not None]
    events = [event for event in map(scene.trace.event, assigned) if event is not None]
    for event in events:
        for other, statement in _leading(scene, event):
            for outer in other.parents(statement):
                if isinstance(outer, Definition | ast.ClassDef):
                    break
                around = other is script and outer in script.parents(use)
                if isinstance(outer, ast.If) and not around and _has_another_way(outer, statement):
                    raise NoPlaceError("a condition decides what the head is called")


def _leading(scene: Scene, event: Event) -> Iterator[tuple[Script, ast.stmt]]:
    if event.location is None:
        return
    for place in (event.location, *event.location.calls):
        try:
            script = scene.script(place.path)
        except NoPlaceError:
            return
        statement = script.statement_at(place)
        if statement is not None:
            yield script, statement


def _has_another_way(choice: ast.If, statement: ast.stmt) -> bool:
    """Whether another branch makes something else of the variable that the statement gives a module."""
    mine = statement.targets[0] if isinstance(statement, ast.Assign) else None
    target = ast.unparse(mine) if mine is not None else ""
    root = target.partition(".")[0].partition("[")[0]
    for branch in (choice.body, choice.orelse):
        stored = {
            ast.unparse(node)
            for each in branch
            for node in ast.walk(each)
            if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store)
        }
        inside = any(statement is node for each in branch for node in ast.walk(each))
        same = {name for name in stored if name.partition(".")[0].partition("[")[0] == root}
        if not inside and same and target not in same:
            return True
    return False


def _called(
    scene: Scene, script: Script, whole: ast.stmt, receiver: str, calls: tuple[Location, ...]
) -> Place | None:
    """The call of the helper whose argument the receiver is, and what the argument is called there."""
    function = script.function_of(whole)
    root, dot, rest = receiver.partition(".")
    names = [each.arg for each in function.args.args] if function is not None else []
    if root not in names or not calls or function is None:
        return None
    method = script.parent(function)
    if isinstance(method, ast.ClassDef) and root == names[0]:
        return None
    try:
        outer = scene.script(calls[0].path)
    except NoPlaceError:
        return None
    call = outer.node_at(calls[0], ast.Call)
    if call is None:
        return None
    argument = _argument(call, names, root, skip=isinstance(method, ast.ClassDef))
    statement = outer.statement_of(call)
    name = _kept_name(outer, statement, call, argument)
    if name is None or not isinstance(statement, ast.Expr | ast.Assign):
        return None
    receiver = f"{name}{dot}{rest}"
    return _called(scene, outer, statement, receiver, calls[1:]) or Place(outer, statement, receiver, True)


def _argument(call: ast.Call, names: list[str], wanted: str, *, skip: bool) -> ast.expr | None:
    position = names.index(wanted) - skip
    if 0 <= position < len(call.args):
        return None if isinstance(call.args[position], ast.Starred) else call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == wanted), None)


def _kept_name(script: Script, statement: ast.stmt, call: ast.Call, argument: ast.expr | None) -> str | None:
    """What the argument is called after the call: `model = freeze(build())` gives it a name."""
    if isinstance(statement, ast.Assign) and statement.value is call:
        (target, *others) = statement.targets
        if not others and isinstance(target, ast.Name | ast.Attribute):
            return script.text(target)
    if argument is not None and _root(argument) is not None:
        return script.text(argument)
    return None


def _bound(node: ast.AST) -> frozenset[str]:
    """The variables of the loops and comprehensions in a node."""
    targets = [inner.target for inner in ast.walk(node) if isinstance(inner, ast.For | ast.comprehension)]
    names = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    if isinstance(node, ast.stmt):
        names |= bound_in(node) if isinstance(node, Definition) else set()
    return frozenset(names)


def _root(node: ast.expr) -> str | None:
    """The name that an expression of names, attributes and constant items begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant | ast.UnaryOp):
            return None
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def is_bound_in_expression(script: Script, node: ast.AST) -> bool:
    """Whether a lambda or a comprehension is around the node, so that its names hold nowhere else."""
    for outer in script.parents(node):
        if isinstance(outer, ast.stmt):
            return False
        if isinstance(outer, _BINDS):
            return True
    return False
