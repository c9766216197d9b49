"""The ways to keep frozen modules in eval mode, the best first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from freezelint.evidence import Model
from freezelint.finding import Applicability, Edit
from freezelint.fixing.modes import after_freezing, overriding, placing
from freezelint.fixing.modes.calls import ModeCall, is_plain, mode_call
from freezelint.fixing.modes.expressions import expression, expressions, inside, is_known
from freezelint.fixing.modes.forms import eval_lines, loop_lines, norm_loop
from freezelint.fixing.modes.freezes import (
    frames,
    frozen_expressions,
    is_always_frozen,
    stays_frozen,
    whole_freeze,
)
from freezelint.fixing.modes.kept import Kept, receiver_of, receivers
from freezelint.fixing.modes.placing import Placed
from freezelint.fixing.modes.trainers import in_trainer
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.script import NoPlaceError
from freezelint.wording import listing, shown

_MOST_LINES = 3
_MOST_NAMES = 6  # where there is no other way
_WRAPPERS = frozenset(
    {
        "DataParallel",
        "DistributedDataParallel",
        "FullyShardedDataParallel",
        "DDP",
        "FSDP",
        "Accelerator",
        "accelerator",
        "Fabric",
        "fabric",
        "deepspeed",
    }
)
_Way = Literal["best", "tested", "named"]


def ways(
    scene: Scene, kept: Kept, applicability: Applicability = "safe", more: Sequence[Edit] = ()
) -> Iterator[Mend]:
    """Every way; `more` are edits that belong to each. Raises NoPlaceError where there is none."""
    reason: NoPlaceError | None = None
    tried: set[frozenset[Edit]] = set()
    for way in _ways(scene, kept):
        try:
            for title, edits in way:
                if frozenset(edits) not in tried:
                    tried.add(frozenset(edits))
                    yield Mend(title, (*more, *edits), applicability)
        except NoPlaceError as error:
            reason = reason or error
    if reason is not None and not tried:
        raise reason


_Found = Iterator[tuple[str, list[Edit]]]


def _ways(scene: Scene, kept: Kept) -> Iterator[_Found]:
    keeping = _Keeping(scene, kept)
    yield keeping.by_an_override()
    if any(cause is not None and cause.name for cause in kept.causes):
        yield in_trainer(scene, kept)
        return
    choices: tuple[_Way, ...] = ("best", "tested", "named")
    for way in choices:
        yield keeping.after_train(way)


@dataclass(frozen=True)
class _Keeping:
    scene: Scene
    kept: Kept

    @property
    def always(self) -> bool:
        """Whether the freeze is no matter of settings, and for good."""
        kept = self.kept
        return bool(kept.freezes) and (
            is_always_frozen(self.scene, kept.freezes)
            and stays_frozen(kept.trace, kept.freezes, kept.parameters)
        )

    # -- in the model's class --------------------------------------------------------------------------------

    def by_an_override(self) -> _Found:
        """The class that froze a part of itself keeps it in eval."""
        kept, scene = self.kept, self.scene
        places = [event.location for event in kept.freezes if event.location is not None]
        if not places:
            return
        layers = [layer.path for layer in kept.layers]
        owners = [overriding.owner(scene, kept.model, place, layers) for place in places]
        owner = owners[0]
        if owner is None or any(each is None or each.cls is not owner.cls for each in owners):
            return
        own = overriding.self_name(owner)
        always = self.always and owner.method.name == "__init__"
        parts = [block for block in kept.blocks if inside(block, owner.path) and block != owner.path]
        names = expressions(owner.script, kept.model, own, owner.path, parts)
        known = all(is_known(owner.script, owner.path, block) for block in kept.blocks)
        more: list[Edit] = []
        if always and known and len(parts) == len(kept.blocks) and 0 < len(names) <= _MOST_LINES:
            lines = eval_lines(names)
        else:
            path, text = self._around(owner, own)
            loop = norm_loop(owner.script, kept.model, kept.layers, path, always=always)
            lines, more = loop_lines(loop, text, owner.cls), list(loop.imports)
        if None in kept.causes:  # nothing calls train() before the first step
            more += after_freezing.edits(scene, kept, always=always)
        title = f"override `train()` in `{owner.cls.name}`, which keeps {self._blocks} in eval"
        yield title, [*more, *overriding.override(owner, lines)]

    def _around(self, owner: overriding.Owner, own: str) -> tuple[str, str]:
        """The module that the class says it freezes, and its name there; else the whole instance."""
        model, script = self.kept.model, owner.script
        said = {script.text(each) for each in frozen_expressions(owner.method) if is_plain(each)}
        for outer in model.ancestors(self.kept.layers[0].path):
            name = expression(script, model, own, owner.path, outer.path)
            if name in said and all(inside(layer.path, outer.path) for layer in self.kept.layers):
                return outer.path, name or own
        return owner.path, own

    # -- after the calls -------------------------------------------------------------------------------------

    def after_train(self, way: _Way) -> _Found:
        """Lines after each call of `train()`, and after the freeze where none comes before the first step."""
        kept = self.kept
        calls = [mode_call(self.scene, cause) for cause in kept.causes if cause is not None]
        placed = self._each_once([self._placed(call, way) for call in calls])
        edits = list(placing.edits(placed))
        if None in kept.causes:
            edits += after_freezing.edits(self.scene, kept, always=way == "best" and self.always)
        if placed and all(each.instead for each in placed):
            yield f"put {self._blocks} in eval instead", edits
        elif len(calls) == 1:
            yield f"keep {self._blocks} in eval after `{_told(calls[0])}`", edits
        else:
            yield (
                f"keep {self._blocks} in eval after every `train()`"
                if calls
                else f"put {self._blocks} in eval",
                edits,
            )

    def _placed(self, call: ModeCall, way: _Way) -> Placed:
        model = self.kept.model
        outer = receiver_of(model, call.event, [layer.path for layer in self.kept.layers])
        if outer is None:
            raise NoPlaceError(f"line {call.call.lineno} reaches the frozen layers in an unknown way")
        part = self.kept.within(outer)
        if way == "named":
            names = self._reachable(call, outer, part.blocks) if self._is_own(call) else []
            if not 0 < len(names) <= _MOST_NAMES:
                raise NoPlaceError("the frozen blocks cannot be named in a few lines")
            return Placed(call, tuple(eval_lines(names)))
        own = way == "best" and self.always and self._is_own(call)
        given = [self._as_frozen(call, block) for block in self.kept.blocks] if own and call.loop else []
        if call.loop is not None and given and all(given):
            behind = replace(call, statement=call.loop)
            return Placed(behind, tuple(eval_lines([name for name in given if name])))
        if own:
            if part.blocks == (outer,) and self._has_one_receiver(call):
                if call.is_alone and not self._is_wrapped(call):
                    return Placed(call, instead=f"{call.receiver}.eval()")
                return Placed(call, (f"{call.receiver}.eval()",))
            names = self._names(call, outer, part.blocks)
            if 0 < len(names) <= _MOST_LINES:
                return Placed(call, tuple(eval_lines(names)))
        loop = norm_loop(call.script, model, part.layers, outer, always=own and self._has_one_receiver(call))
        return Placed(call, loop=loop)

    def _each_once(self, placed: list[Placed]) -> list[Placed]:
        """Where several calls in a file would be followed by several lines each, the loop stands for them: it
        becomes a function.
        """
        several = [each for each in placed if len(each.lines) > 1]
        again = {each.call.script.path for each in several[1:] if each.call.script is several[0].call.script}
        return [
            self._placed(each.call, "tested") if each in several and each.call.script.path in again else each
            for each in placed
        ]

    def _names(self, call: ModeCall, outer: str, blocks: Sequence[str]) -> list[str]:
        """What the file calls these blocks where the mode is set; empty where it has no words for one."""
        given = [self._as_frozen(call, block) for block in blocks]
        if all(given):
            return [name for name in given if name]
        if not all(is_known(call.script, outer, block) for block in blocks):
            return []
        return self._reachable(call, outer, blocks)

    def _reachable(self, call: ModeCall, outer: str, blocks: Sequence[str]) -> list[str]:
        if self._is_wrapped(call) or not self._has_one_receiver(call):
            return []
        return expressions(call.script, self.kept.model, call.receiver, outer, blocks)

    def _as_frozen(self, call: ModeCall, block: str) -> str | None:
        """The words for a block that it was frozen by, where they stand in the same function."""
        wanted = set(self.kept.model.parameters_within(block))
        for event in self.kept.freezes:
            if event.location is None or set(event.parameters) != wanted:
                continue
            for script, statement in frames(self.scene, event.location):
                if (
                    script.path != call.script.path
                    or (script.function_of(statement) or script.tree) is not call.scope
                ):
                    continue
                whole = whole_freeze(script, statement)
                said = [each for each in frozen_expressions(whole) if is_plain(each)]
                text = script.text(said[0]) if len(said) == 1 else ""
                if text and not ("." in text and self._is_wrapped(call)):
                    return text
        return None

    def _is_own(self, call: ModeCall) -> bool:
        """Whether the call stands in a file that froze these modules, or that called who did, and not in a
        loop that serves any model.
        """
        own = {
            script.path
            for event in self.kept.freezes
            if event.location is not None
            for script, _ in frames(self.scene, event.location)
        }
        return call.script.path in own

    def _has_one_receiver(self, call: ModeCall) -> bool:
        """Whether it is only ever called on one model, or on those that one statement makes (one a fold)."""
        trace = self.kept.trace
        made = {
            (model.class_name, _built(model), path)
            for index, path in receivers(trace, call.event)
            for model in [trace.models[index]]
        }
        return len(made) == 1

    def _is_wrapped(self, call: ModeCall) -> bool:
        """Whether the model may be inside another one there, which does not hand its attributes on."""
        scripts = [call.script]
        for location in call.event.location.calls if call.event.location else ():
            try:
                scripts.append(self.scene.script(location.path))
            except NoPlaceError:
                continue
        return any(_WRAPPERS & script.names for script in scripts)

    @property
    def _blocks(self) -> str:
        return listing([shown(self.kept.model, block) for block in self.kept.blocks])


def _built(model: Model) -> tuple[object, ...]:
    built = model.built
    return tuple(place.at() for place in (built, *built.calls)) if built is not None else (model.index,)


def _told(call: ModeCall) -> str:
    return " ".join(call.script.text(call.call).split())
