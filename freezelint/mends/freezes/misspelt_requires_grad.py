"""FRZ502: the attribute gets its right name."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Event
from freezelint.finding import Edit
from freezelint.fixing.flags import by_call, writes_at
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script

_RIGHT = "requires_grad"


def mends(scene: Scene) -> Iterator[Mend]:
    """On a tensor the name is mended, in `setattr` as well; on a module its method is called. Where the file
    asks for the misspelt attribute it asks for the right one.
    """
    wrong = scene.finding.evidence.get("attribute")
    if not isinstance(wrong, str):
        return
    script = scene.here
    found = writes_at(script, scene.finding.location, (wrong,))
    read = tuple(_read(script, wrong))
    if not found:
        yield Mend(f"write `{_RIGHT}`", (*_only_name(script, wrong), *read))
        return
    if any(event.modules for event in _events(scene, wrong)):
        edits = dict.fromkeys(by_call(write, (wrong,)) for write in found)
        yield Mend("call `requires_grad_` on the module", (*edits, *read))
        return
    renamed = (edit for write in found for edit in _renamed(script, write.node))
    yield Mend(f"write `{_RIGHT}`", (*dict.fromkeys(renamed), *read))


def _events(scene: Scene, wrong: str) -> list[Event]:
    at = scene.finding.location.at()
    events = scene.trace.events_of("no-effect")
    return [e for e in events if e.name == wrong and e.location is not None and e.location.at() == at]


def _renamed(script: Script, node: ast.Attribute | ast.Call) -> Iterator[Edit]:
    """The right name, in all targets of an assignment."""
    if isinstance(node, ast.Call):
        yield _in_string(script, node.args[-2])
        return
    for each in ast.walk(script.statement_of(node)):
        if isinstance(each, ast.Attribute) and each.attr == node.attr and isinstance(each.ctx, ast.Store):
            yield script.replace(each, script.text(each).removesuffix(node.attr) + _RIGHT)


def _in_string(script: Script, node: ast.expr) -> Edit:
    text = script.text(node)
    wrong = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(wrong, str) or text.count(wrong) != 1:
        raise NoPlaceError("the attribute's name is not written out")
    return script.replace(node, text.replace(wrong, _RIGHT))


def _only_name(script: Script, wrong: str) -> Iterator[Edit]:
    """The one string or keyword of the file that says the name, where `setattr` gets it from elsewhere."""
    found = [
        node
        for node in ast.walk(script.tree)
        if (isinstance(node, ast.Constant) and node.value == wrong)
        or (isinstance(node, ast.keyword) and node.arg == wrong)
    ]
    if len(found) != 1:
        raise NoPlaceError(f"`{wrong}` is not written where the attribute is set")
    if isinstance(found[0], ast.Constant):
        yield _in_string(script, found[0])
    else:
        yield script.replace(found[0], _RIGHT + script.text(found[0]).removeprefix(wrong))


def _read(script: Script, wrong: str) -> Iterator[Edit]:
    """Where the attribute is asked for under its wrong name. Not where the file has something of its own that
    is called so, such as an option.
    """
    for node in ast.walk(script.tree):
        if isinstance(node, ast.arg | ast.keyword) and node.arg == wrong:
            return
        if isinstance(node, ast.Name) and node.id == wrong:
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and f"-{wrong}" in node.value:
            return
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node.attr == wrong:
            called = script.parent(node)
            if not (isinstance(called, ast.Call) and called.func is node):
                yield script.replace(node, script.text(node).removesuffix(wrong) + _RIGHT)
