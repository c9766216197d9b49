"""FRZ408: the new head is assigned to the attribute that the model uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Model, Module, Step, Trace
from freezelint.facts.layers import layers
from freezelint.finding import Edit
from freezelint.fixing.imports import spelled
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script

# What a chain of a model and a head offers as the model did.
_OF_MODULES = frozenset(
    {
        *("parameters", "named_parameters", "modules", "named_modules", "children", "named_children"),
        *("train", "eval", "training", "to", "cuda", "cpu", "half", "float", "double", "apply"),
        *("requires_grad_", "zero_grad", "state_dict", "load_state_dict", "forward"),
    }
)


def mends(scene: Scene) -> Iterator[Mend]:
    """The assignment, and all that refers to it, by the name that `forward` uses. A model without a head is
    followed by the new one.
    """
    script = scene.here
    statement = script.statement_at(scene.finding.location)
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    attribute, used = (scene.finding.evidence.get(key) for key in ("attribute", "used"))
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        raise NoPlaceError("the new module is not given to the model by a plain assignment")
    if not isinstance(target, ast.Attribute) or target.attr != attribute:
        raise NoPlaceError("the new module is not given to the model by a plain assignment")
    model, module = _assigned(scene)
    if isinstance(used, str):
        yield _renamed(scene.trace, script, statement, target, model, module, used)
    else:
        yield _followed(scene.trace, script, statement, target, model, module)


def _assigned(scene: Scene) -> tuple[Model, Module]:
    """The new module, and its model."""
    at = scene.finding.location.at()
    for model in scene.trace.models:
        for module in model.modules:
            place = scene.trace.location(module.assigned)
            if place is not None and place.at() == at:
                return model, module
    raise NoPlaceError("what was assigned is not known")


# -- the model has a head ---------------------------------------------------------------------------------


def _renamed(
    trace: Trace,
    script: Script,
    statement: ast.Assign,
    target: ast.Attribute,
    model: Model,
    module: Module,
    used: str,
) -> Mend:
    path, widths = _replaced(trace, model, module, used)
    parent = module.path.rpartition(".")[0]
    first, *rest = path[len(parent) + 1 if parent else 0 :].split(".")
    name = f"{script.text(target.value)}.{first}" + "".join(f"[{number}]" for number in rest)
    edits = [*_references(script, target, name), *_patterns(script, target.attr, first)]
    if widths is not None:
        edits.append(_widened(script, statement, name, widths))
    return Mend(f"assign the new head to `{name}`", tuple(edits), "unsafe")


def _replaced(trace: Trace, model: Model, module: Module, used: str) -> tuple[str, tuple[int, int] | None]:
    """The path of the layer whose place the new module can take, and the widths of its input and of the
    layer's where they differ.
    """
    wanted = _widths(trace, model, module.path)
    present = _widths(trace, model, used)
    if not wanted or not present:
        return used, None
    (first_path, first), *_ = present.items()
    new = next(iter(wanted.values()))
    *_, (last_path, last) = present.items()
    chained = model.by_path[used].class_name == "Sequential" and last_path.rpartition(".")[0] == used
    if chained and len(wanted) == 1 and last_path.rpartition(".")[2].isdigit():
        path, old = last_path, last
    else:
        path, old = used, first
    if (
        new[0] != old[0]
        or (new != old and new[0] > 2)
        or (new != old and path not in (first_path, last_path))
    ):
        raise NoPlaceError(f"the new head is of another kind than `{used}`")
    return path, None if new == old else (new[1], old[1])


def _widths(trace: Trace, model: Model, path: str) -> dict[str, tuple[int, int]]:
    """For each layer with weights its number of dimensions, and how wide its input is."""
    found = {}
    for module in model.within(path):
        shapes = [trace.parameters[p].shape for p in module.parameters]
        shape = next((shape for shape in shapes if len(shape) > 1), None)
        if shape is not None:
            found[module.path] = (len(shape), shape[1])
    return found


def _widened(script: Script, statement: ast.Assign, name: str, widths: tuple[int, int]) -> Edit:
    """The width of the input where it is written as a number: the layer that goes knows the right one."""
    given, _ = widths
    for node in ast.walk(statement.value):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Linear":
            width = next((each.value for each in node.keywords if each.arg == "in_features"), None)
            width = node.args[0] if node.args else width
            if isinstance(width, ast.Constant) and width.value == given:
                return script.replace(width, f"{name}.in_features")
            break
    raise NoPlaceError(f"the new head does not fit where `{name}` is")


def _references(script: Script, target: ast.Attribute, name: str) -> Iterator[Edit]:
    """The new name, wherever the file has the old one. Raises NoPlaceError where that is another model's,
    too.
    """
    old = ast.unparse(target)
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Attribute) and node.attr == target.attr and ast.unparse(node) == old:
            if isinstance(node.ctx, ast.Store) and node is not target:
                raise NoPlaceError(f"`{old}` is assigned in several places, maybe of several models")
            yield script.replace(node, name)


def _patterns(script: Script, old: str, new: str) -> Iterator[Edit]:
    """The new name in the comparisons of names that tell what is frozen."""
    for node in ast.walk(script.tree):
        compared: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".startswith", ".endswith")):
            compared = node.args
        for each in compared:
            for inner in each.elts if isinstance(each, ast.Tuple | ast.List) else [each]:
                value = inner.value if isinstance(inner, ast.Constant) else None
                if isinstance(value, str) and f"{value}.".startswith(f"{old}."):
                    yield script.replace(inner, script.text(inner).replace(old, new, 1))


# -- the model has none -----------------------------------------------------------------------------------


def _followed(
    trace: Trace, script: Script, statement: ast.Assign, target: ast.Attribute, model: Model, module: Module
) -> Mend:
    """`model = nn.Sequential(model, head)`, where the model gives what the head takes."""
    owner = target.value
    function = script.function_of(statement)
    given = {each.arg for each in function.args.args} if function is not None else set()
    if not isinstance(owner, ast.Name) or owner.id in given or "." in module.path:
        raise NoPlaceError("the model has no head: call the new module on its output")
    if model.by_path[""].library not in ("torch", "timm") or not _fits(trace, model, module):
        raise NoPlaceError("the model has no head: call the new module on its output")
    later = [
        node
        for node in ast.walk(script.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == owner.id and node is not target
    ]
    for node in later:
        if node.lineno >= statement.lineno and node.attr not in (*_OF_MODULES, target.attr):
            raise NoPlaceError(f"`{owner.id}.{node.attr}` is asked for later")
    sequential, edits = spelled(script, "torch.nn.Sequential")
    text = f"{owner.id} = {sequential}({owner.id}, {script.text(statement.value)})"
    used = [script.replace(node, f"{owner.id}[1]") for node in later if node.attr == target.attr]
    title = f"let `{owner.id}` be followed by the new head"
    return Mend(title, (*edits, script.replace(statement, text), *used), "unsafe")


def _fits(trace: Trace, model: Model, module: Module) -> bool:
    widths = list(_widths(trace, model, module.path).values())
    step = next((step for step in trace.steps if _ran(model, step)), None)
    if not widths or step is None:
        return False
    last = layers(model, step)[-1].module
    shapes = [trace.parameters[p].shape for p in last.parameters]
    return bool(shapes) and shapes[0][:1] == (widths[0][1],)


def _ran(model: Model, step: Step) -> bool:
    return bool(layers(model, step))
