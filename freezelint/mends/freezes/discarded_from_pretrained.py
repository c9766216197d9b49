"""FRZ508: the module with the weights takes the place of the one that it was made from."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.finding import Edit
from freezelint.fixing.imports import spelled
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import assignment_of, bound_in, loaded
from freezelint.fixing.script import NoPlaceError, Script

_EMBEDDINGS = ("Embedding", "EmbeddingBag")
_SIZES = ("num_embeddings", "embedding_dim")
# What `from_pretrained` takes as well; the other settings of an embedding it does not know.
_TAKEN = ("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "mode", "sparse")


def mends(scene: Scene) -> Iterator[Mend]:
    """`x.from_pretrained(…)` becomes `x = nn.Embedding.from_pretrained(…)`, in the place of `x`'s first
    construction where nothing comes between.
    """
    script = scene.here
    statement = script.statement_at(scene.finding.location)
    call = statement.value if isinstance(statement, ast.Expr) else None
    if statement is None or not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return
    receiver = call.func.value
    class_name = str(scene.finding.evidence.get("class"))
    _require_held(script, receiver, statement, class_name)
    built = _built(script, receiver, statement)
    title = f"assign the result to `{script.text(receiver)}`"
    maker, imports = _maker(script, receiver, class_name, built)
    given = [script.text(node) for node in (*call.args, *call.keywords)]
    carried = _carried(script, built, call) if built is not None and class_name in _EMBEDDINGS else None
    if built is not None and carried is not None:
        text = f"{script.text(receiver)} = {maker}.{call.func.attr}({', '.join([*given, *carried])})"
        yield Mend(title, (script.remove(built), script.replace(statement, text), *imports), "unsafe")
    text = script.text(call).removeprefix(script.text(receiver))
    assigned = script.replace(statement, f"{script.text(receiver)} = {maker}{text}")
    yield Mend(title, (assigned, *imports), "unsafe")


def _require_held(script: Script, receiver: ast.expr, statement: ast.stmt, class_name: str) -> None:
    """Raises NoPlaceError where assigning the receiver would not reach what the model holds."""
    if isinstance(receiver, ast.Subscript):
        return
    if isinstance(receiver, ast.Attribute) and receiver.attr != class_name:
        return
    if not isinstance(receiver, ast.Name) or receiver.id == class_name:
        raise NoPlaceError("nothing tells which module is meant to be the new one")
    suite = script.body_of(statement)
    position = suite.index(statement)
    assigned = assignment_of(script, receiver, statement)
    used_before = any(
        receiver.id in loaded(each) and each is not statement
        for each in suite[:position]
        if assigned is None or (assigned in suite and suite.index(assigned) < suite.index(each))
    )
    used_after = any(receiver.id in loaded(each) for each in suite[position + 1 :])
    if assigned is None or assigned not in suite or used_before or not used_after:
        raise NoPlaceError(f"the model may hold `{receiver.id}` already")


def _built(script: Script, receiver: ast.expr, statement: ast.stmt) -> ast.Assign | None:
    """The construction of the receiver, where nothing between the two asks for it."""
    assigned = assignment_of(script, receiver, statement) if not isinstance(receiver, ast.Subscript) else None
    if assigned is None or not isinstance(assigned.value, ast.Call):
        return None
    suite = script.body_of(statement)
    if assigned not in suite or suite.index(assigned) > suite.index(statement):
        return None
    name = ast.unparse(receiver)
    between = suite[suite.index(assigned) + 1 : suite.index(statement)]
    return None if any(name in loaded(each) for each in between) else assigned


def _maker(
    script: Script, receiver: ast.expr, class_name: str, built: ast.Assign | None
) -> tuple[str, list[Edit]]:
    """How the class is called here, and the import that it needs."""
    if built is not None and isinstance(built.value, ast.Call):
        called = built.value.func
        if ast.unparse(called).rpartition(".")[2] == class_name:
            return script.text(called), []
    if class_name in _EMBEDDINGS:
        return spelled(script, f"torch.nn.{class_name}")
    if class_name in bound_in(script.tree):
        return class_name, []
    return script.text(receiver), []  # a class method can be called on what it made, too


def _carried(script: Script, built: ast.Assign, call: ast.Call) -> list[str] | None:
    """The settings of the construction that the new embedding must get, too; None where it takes others, or
    they are given by position.
    """
    assert isinstance(built.value, ast.Call)
    told = {keyword.arg for keyword in call.keywords}
    sizes = [each for each in built.value.args if not isinstance(each, ast.Starred)]
    if len(sizes) > len(_SIZES) or len(call.args) > 1 or None in told:
        return None
    left = [each for each in built.value.keywords if each.arg not in (*_SIZES, *told)]
    known = all(each.arg in _TAKEN for each in left)
    return [script.text(each) for each in left] if known else None
