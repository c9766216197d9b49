"""A `train()` of the model's own: where its class froze a part of it, the class keeps that part in eval."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from freezelint.evidence import Event, Location, Model
from freezelint.finding import Edit
from freezelint.fixing.modes.expressions import inside
from freezelint.fixing.modes.freezes import frames
from freezelint.fixing.scene import Scene
from freezelint.fixing.script import Definition, NoPlaceError, Script


@dataclass(frozen=True)
class Owner:
    """A class of the project, the method of it that is concerned, and where its instance is in the model."""

    script: Script
    cls: ast.ClassDef
    method: Definition
    path: str


def owner(scene: Scene, model: Model, location: Location, paths: Sequence[str]) -> Owner | None:
    """The class whose method holds this statement, itself or by what it calls, and whose instance contains
    all of these modules.
    """
    for script, statement in frames(scene, location):
        method, cls = script.function_of(statement), script.class_of(statement)
        if method is None or cls is None or script.parent(method) is not cls:
            continue
        for module in reversed(model.modules):
            holds = all(inside(path, module.path) and path != module.path for path in paths)
            if module.class_name == cls.name and holds:
                return Owner(script, cls, method, module.path)
    return None


def override(owner: Owner, lines: Sequence[str]) -> Iterator[Edit]:
    """These lines in the class's `train()`, which is written where there is none. Raises NoPlaceError."""
    script, own = owner.script, _method(owner.cls, "train")
    if own is not None:
        call = next((node for node in ast.walk(own) if _is_inherited_train(script, node)), None)
        if call is None:
            raise NoPlaceError(f"`{owner.cls.name}.train` is not what sets modes")
        statement = script.statement_of(call)
        if not isinstance(statement, ast.Expr):
            raise NoPlaceError(f"`{owner.cls.name}.train` ends where it sets the mode")
        yield script.after(statement, lines)
        return
    yield script.after(
        owner.method,
        [
            "",
            _header(script, owner),
            f"\t{_super(owner)}.train(mode)",
            *(f"\t{line}" for line in lines),
            "\treturn self",
        ],
    )


def self_name(owner: Owner) -> str:
    """What the class's `train()` calls the instance."""
    own = _method(owner.cls, "train")
    return own.args.args[0].arg if own is not None and own.args.args else "self"


def _method(cls: ast.ClassDef, name: str) -> Definition | None:
    found = (node for node in cls.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return next((node for node in found if node.name == name), None)


def _header(script: Script, owner: Owner) -> str:
    """The signature, annotated where the class's methods are."""
    methods = [node for node in owner.cls.body if isinstance(node, ast.FunctionDef)]
    annotated = any(
        method.returns is not None or any(each.annotation is not None for each in method.args.args)
        for method in methods
    )
    if not annotated:
        return "def train(self, mode=True):"
    return f"def train(self, mode: bool = True) -> {script.quote}{owner.cls.name}{script.quote}:"


def _super(owner: Owner) -> str:
    """How this class calls its base: with arguments where it does so elsewhere."""
    for node in ast.walk(owner.cls):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super":
            return ast.unparse(node) if node.args and owner.method.args.args[0].arg == "self" else "super()"
    return "super()"


def _is_inherited_train(script: Script, node: ast.AST) -> bool:
    if (
        not isinstance(node, ast.Call)
        or not isinstance(node.func, ast.Attribute)
        or node.func.attr != "train"
    ):
        return False
    text = script.text(node.func.value)
    return text.startswith("super(") or text.endswith("Module")


def class_in(
    scene: Scene, model: Model, cause: Event, name: str
) -> tuple[Script, ast.ClassDef, Definition] | None:
    """The class of this name, with its constructor, in one of the files that built the model or set its
    mode.
    """
    places = [place for place in (model.built, cause.location) if place is not None]
    for path in dict.fromkeys(each.path for place in places for each in (place, *place.calls)):
        try:
            script = scene.script(path)
        except NoPlaceError:
            continue
        for node in ast.walk(script.tree):
            if isinstance(node, ast.ClassDef) and node.name == name:
                method = _method(node, "__init__")
                return (script, node, method) if method is not None else None
    return None
