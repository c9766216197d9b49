"""FRZ203: what becomes trainable late joins the optimizer, or the optimizer is built later."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from freezelint.evidence import Location, Optimizer
from freezelint.facts import subjects
from freezelint.finding import Edit
from freezelint.fixing.calling import Site, sites
from freezelint.fixing.freezes import outermost_loop, sets_always, taken, whose
from freezelint.fixing.moving import moved_behind
from freezelint.fixing.optimizers import built_before, name_at
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import is_own
from freezelint.fixing.script import Definition, NoPlaceError, Script

# What learns at last may learn too fast: that is another question.
_UNCOVERS = ("FRZ401",)


def mends(scene: Scene) -> Iterator[Mend]:
    """Before the first step the optimizer can be built later; once it has state, a group is added."""
    where = scene.finding.location
    reason: NoPlaceError | None = None
    near = sorted(built_before(scene, where), key=lambda shown: -_kinship(scene, shown[0]))
    for optimizer, built in near:
        if not _has_stepped(scene, where):
            try:
                title = f"build {optimizer.class_name} when all that trains is there"
                yield Mend(title, moved_behind(scene, built, where), uncovers=_UNCOVERS)
            except NoPlaceError as error:
                reason = error
        try:
            yield from _joining(scene, optimizer, where)
        except NoPlaceError as error:
            reason = error
    if reason is not None:
        raise reason


def _kinship(scene: Scene, optimizer: Optimizer) -> int:
    """How many modules, from the outermost in, the new parameters share with one that the optimizer holds."""
    held = {parameter for group in optimizer.groups for parameter in group.parameters}
    around = {part for name in subjects(scene.trace, held) for part in _around(name)}
    return max(
        (part.count(".") for name in scene.finding.subjects for part in _around(name) & around), default=0
    )


def _around(name: str) -> set[str]:
    """The dotted names of the modules around a parameter."""
    parts = name.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}


def _has_stepped(scene: Scene, where: Location) -> bool:
    events = [e for e in scene.trace.events if e.location is not None and e.location.at() == where.at()]
    return any(event.steps_before for event in events)


def _joining(scene: Scene, optimizer: Optimizer, where: Location) -> Iterator[Mend]:
    """`add_param_group` behind the statement, or behind the calls of the helper that holds it."""
    places = [_place(scene, optimizer, chain) for chain in _chains(scene, optimizer, where)]
    title = f"add them to {optimizer.class_name} with `add_param_group`"
    if len(places) == 1 and _happens_once(scene, optimizer, places[0], where):
        (place,) = places
        yield Mend(title, (place.added(_plain(place)),), uncovers=_UNCOVERS)
    edits = dict.fromkeys(place.added(_new_only(place)) for place in places)
    yield Mend(title, tuple(edits), uncovers=_UNCOVERS)


@dataclass(frozen=True)
class _Place:
    """Where a group is added, what the optimizer is called there, and whether all of its parameters train."""

    site: Site
    optimizer: str
    always: bool

    def added(self, lines: list[str]) -> Edit:
        return self.site.script.after(self.site.statement, lines)


def _chains(scene: Scene, optimizer: Optimizer, where: Location) -> list[Location]:
    """The place, once for each way that led to it when the optimizer was there."""
    found: dict[tuple[tuple[str, int], ...], Location] = {}
    for event in scene.trace.events:
        place = event.location
        late = optimizer.built is None or event.index > optimizer.built
        if place is not None and place.at() == where.at() and late and event.kind != "frozen":
            found.setdefault(tuple(call.at() for call in place.calls), place)
    return list(found.values()) or [where]


def _place(scene: Scene, optimizer: Optimizer, where: Location) -> _Place:
    """Where the optimizer is a variable of the function or an attribute of `self`, else where it is one of
    the file.
    """
    found = []
    for site, always in _sites(scene, where):
        name = name_at(scene, optimizer, site.script, site.statement)
        if name is not None:
            found.append(_Place(site, name, always))
            if is_own(site.script, name, site.statement):
                return found[-1]
    if not found:
        raise NoPlaceError("the optimizer has no name where the parameters become trainable")
    return found[0]


def _sites(scene: Scene, where: Location) -> Iterator[tuple[Site, bool]]:
    """Where the parameters could join, and whether all that are named there train now: where it cannot be
    told which of a module's parameters they are, they are sought among all of them.
    """
    script = scene.script(where.path)
    statement = outermost_loop(script, where)
    try:
        expression, always = taken(script, statement), sets_always(statement)
    except NoPlaceError:
        owner = whose(script, statement)
        if owner is None:
            raise
        expression, always = f"{owner}.parameters()", False
    yield from ((site, always) for site in sites(scene, Site(script, statement, expression), where.calls))


def _happens_once(scene: Scene, optimizer: Optimizer, place: _Place, where: Location) -> bool:
    """Whether the statement runs once, for parameters of which the optimizer holds none."""
    every = [(place.site.script, place.site.statement)]
    for call in where.calls:
        script = scene.script(call.path)
        statement = script.statement_at(call)
        every += [(script, statement)] if statement is not None else []
    once = all(_runs_once(script, statement) for script, statement in every)
    return place.always and once and not _holds_some(scene, optimizer, where)


def _runs_once(script: Script, statement: ast.stmt) -> bool:
    """Whether the statement stands in no loop, or there under a condition that holds for one round."""
    inner: ast.AST = statement
    for outer in script.parents(statement):
        if isinstance(outer, Definition | ast.ClassDef):
            break
        if isinstance(outer, ast.For | ast.While | ast.AsyncFor):
            test = inner.test if isinstance(inner, ast.If) and _stands_in(statement, inner.body) else None
            if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
                return False
        inner = outer
    return True


def _stands_in(statement: ast.stmt, suite: list[ast.stmt]) -> bool:
    return any(node is statement for each in suite for node in ast.walk(each))


def _holds_some(scene: Scene, optimizer: Optimizer, place: Location) -> bool:
    """Whether the statement also opens parameters that the optimizer has had from the beginning."""
    held = {parameter for group in optimizer.groups for parameter in group.parameters}
    events = [e for e in scene.trace.events_of("unfrozen") if e.location and e.location.at() == place.at()]
    return any(parameter in held for event in events for parameter in event.parameters)


def _plain(place: _Place) -> list[str]:
    script = place.site.script
    return [
        f"{place.optimizer}.add_param_group({{{script.quote}params{script.quote}: {place.site.expression}}})"
    ]


def _new_only(place: _Place) -> list[str]:
    """For parameters of which the optimizer holds some, that come here again and again, or that may stay
    frozen.
    """
    script = place.site.script
    held, added = script.fresh("held", "already_held"), script.fresh("added", "newly_trainable")
    key = f"{script.quote}params{script.quote}"
    trains = "" if place.always else "p.requires_grad and "
    return [
        f"{held} = {{id(p) for group in {place.optimizer}.param_groups for p in group[{key}]}}",
        f"{added} = [p for p in {place.site.expression} if {trains}id(p) not in {held}]",
        f"if {added}:",
        f"\t{place.optimizer}.add_param_group({{{key}: {added}}})",
    ]
