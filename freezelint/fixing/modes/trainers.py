"""Trainers that call `train()` themselves before every step: transformers' is derived from."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.finding import Edit
from freezelint.fixing.modes.expressions import expressions
from freezelint.fixing.modes.forms import eval_lines, loop_lines, norm_loop
from freezelint.fixing.modes.kept import Kept
from freezelint.fixing.scene import Scene
from freezelint.fixing.script import NoPlaceError, Script

_TRAINERS = ("Trainer", "Seq2SeqTrainer", "SFTTrainer")
_MOST_LINES = 3


def in_trainer(scene: Scene, kept: Kept) -> Iterator[tuple[str, list[Edit]]]:
    """`compute_loss` is what the Trainer calls between `model.train()` and the forward pass; no callback
    comes in between.
    """
    cause = next(cause for cause in kept.causes if cause is not None and cause.name)
    if cause.name != "transformers" or cause.location is None:
        raise NoPlaceError(
            f"{cause.name} calls `train()` itself, and it has no hook for what comes after that"
        )
    script = scene.script(cause.location.path)
    built = _construction(script, cause.location.line)
    own = _own_class(script, built)
    owner: ast.AST = own or script.tree
    names = expressions(script, kept.model, "self.model", "", kept.blocks)
    more: list[Edit] = []
    if 0 < len(names) <= _MOST_LINES:
        lines = eval_lines(names)
    else:
        loop = norm_loop(script, kept.model, kept.layers, "", always=False)
        lines, more = loop_lines(loop, "self.model", owner), list(loop.imports)
    title = "put the frozen modules in eval in the Trainer's `compute_loss`"
    yield title, [*more, *(_extended(script, own, lines) if own else _derived(script, built, lines))]


def _construction(script: Script, line: int) -> ast.Call:
    """The call that makes the Trainer whose `train()` is called on this line."""
    made = [
        node
        for node in ast.walk(script.tree)
        if isinstance(node, ast.Call) and (_name(node) in _TRAINERS or _own_class(script, node) is not None)
    ]
    if len(made) != 1:
        raise NoPlaceError(f"it is not known where the Trainer of line {line} is made")
    return made[0]


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _own_class(script: Script, call: ast.Call) -> ast.ClassDef | None:
    """The file's own class that is derived from a Trainer and made by this call."""
    for node in script.tree.body:
        made = isinstance(node, ast.ClassDef) and node.name == getattr(call.func, "id", "")
        if isinstance(node, ast.ClassDef) and made:
            return node if any(script.text(base).endswith(_TRAINERS) for base in node.bases) else None
    return None


def _extended(script: Script, cls: ast.ClassDef, lines: list[str]) -> Iterator[Edit]:
    """The class's own `compute_loss` begins with it, or the class gets one."""
    for node in cls.body:
        if isinstance(node, ast.FunctionDef) and node.name == "compute_loss":
            first = (
                node.body[1] if ast.get_docstring(node) is not None and len(node.body) > 1 else node.body[0]
            )
            yield script.before(first, lines)
            return
    yield script.after(cls.body[-1], ["", *_method(lines)])


def _derived(script: Script, built: ast.Call, lines: list[str]) -> Iterator[Edit]:
    """A class of its own, before the statement that makes the Trainer."""
    base = script.text(built.func)
    name = script.fresh(f"FrozenBackbone{_name(built)}", f"{_name(built)}WithFrozenBackbone")
    top = script.statement_of(built)
    for outer in script.parents(top):
        if isinstance(outer, ast.stmt):
            top = outer
    why = '\t"""Keeps what is frozen in eval: the Trainer calls `model.train()` before every step."""'
    yield script.before(
        top, [f"class {name}({base}):", why, "", *(f"\t{line}" for line in _method(lines)), "", ""]
    )
    yield script.replace(built.func, name)


def _method(lines: list[str]) -> list[str]:
    return [
        "def compute_loss(self, model, inputs, **kwargs):",
        *(f"\t{line}" for line in lines),
        "\treturn super().compute_loss(model, inputs, **kwargs)",
    ]
