"""FRZ304: the checkpoint is made in the way that needs no input with a gradient."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freezelint.evidence import Location
from freezelint.finding import Edit
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError, Script

_CHECKPOINTS = ("checkpoint", "checkpoint_sequential")
_ENABLES = ("gradient_checkpointing_enable", "activation_checkpointing_enable")
_SETTING = "use_reentrant"


def mends(scene: Scene) -> Iterator[Mend]:
    """All checkpoints that are cut, since they are one finding: those of torch where they are called, those
    of transformers where they are switched on.
    """
    events = scene.trace.events_of("checkpointed")
    edits: dict[Edit, None] = {}
    for place in scene.places([event.location for event in events]):
        edits.update(dict.fromkeys(_not_reentrant(scene, place)))
    yield Mend("checkpoint with `use_reentrant=False`", tuple(edits))


def _not_reentrant(scene: Scene, place: Location) -> Iterator[Edit]:
    script = scene.script(place.path)
    call = script.node_at(place, ast.Call)
    if call is not None and (_setting(call) is not None or _last_name(call) in _CHECKPOINTS):
        yield _set(script, call)
        return
    yield from _switched_on(scene, place)


def _set(script: Script, call: ast.Call) -> Edit:
    value = _setting(call)
    if value is None:
        if any(keyword.arg is None for keyword in call.keywords):
            raise NoPlaceError("the checkpoint's settings are given by `**`")
        return _with_argument(script, call, f"{_SETTING}=False")
    if not isinstance(value, ast.Constant):
        raise NoPlaceError(f"`{_SETTING}` comes from `{script.text(value)}`")
    return script.replace(value, "False")


def _switched_on(scene: Scene, place: Location) -> Iterator[Edit]:
    """Where a library is told to checkpoint: in a file on the way to the call, by a setting of its own or by
    switching it on.
    """
    for path in dict.fromkeys(each.path for each in (place, *place.calls)):
        script = scene.script(path)
        calls = [node for node in ast.walk(script.tree) if isinstance(node, ast.Call)]
        settings = [value for value in map(_setting, calls) if value is not None]
        settings += [value for node in ast.walk(script.tree) for value in _in_dict(node)]
        told = [value for value in settings if isinstance(value, ast.Constant) and value.value is True]
        if told:
            yield from (script.replace(value, "False") for value in told)
            return
        enabling = [call for call in calls if _enables(call)]
        if enabling and not settings:
            told_so = f"{{{script.quote}{_SETTING}{script.quote}: False}}"
            yield from (_with_argument(script, call, f"{_settings_of(call)}={told_so}") for call in enabling)
            return
    raise NoPlaceError("where checkpointing is switched on is not known")


def _enables(call: ast.Call) -> bool:
    """Whether the call switches checkpointing on, and says nothing of how."""
    if any(keyword.arg in (None, _settings_of(call)) for keyword in call.keywords):
        return False
    if _last_name(call) in _ENABLES:
        return not call.args
    return any(
        keyword.arg == "gradient_checkpointing"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in call.keywords
    )


def _settings_of(call: ast.Call) -> str:
    """The argument that says how."""
    name = _last_name(call)
    return f"{name.removesuffix('_enable') if name in _ENABLES else 'gradient_checkpointing'}_kwargs"


def _setting(call: ast.Call) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == _SETTING), None)


def _in_dict(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == _SETTING:
                yield value


def _last_name(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _with_argument(script: Script, call: ast.Call, argument: str) -> Edit:
    """The call with one more argument at its end."""
    given: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    if not given:
        return script.replace(call, f"{script.text(call.func)}({argument})")
    last = max(given, key=lambda node: (node.lineno, node.col_offset))
    if isinstance(last, ast.GeneratorExp):
        raise NoPlaceError("the only argument is a generator without parentheses")
    return script.replace(last, f"{script.text(last)}, {argument}")
