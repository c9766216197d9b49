"""FRZ401: the head keeps its rate, and the pretrained rest gets a tenth of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from freezelint.evidence import Model, OptimizerState
from freezelint.facts import whole_modules
from freezelint.finding import Edit
from freezelint.fixing.modules import (
    bases,
    is_bound_in_expression,
    owner_of,
    parameters_told,
    receivers,
    require_not_wrapped,
    require_one_name,
    spelled_from,
)
from freezelint.fixing.optimizers import groups_of, parameters_of
from freezelint.fixing.rates import rate_of, require_no_rate_by_number, tenth, value_of, with_key
from freezelint.fixing.scene import Mend, Scene
from freezelint.fixing.scopes import assignment_of, is_in_scope
from freezelint.fixing.script import NoPlaceError, Script

_TITLE = "give the backbone a tenth of the head's learning rate"
_WIDTH = 100


def mends(scene: Scene) -> Iterator[Mend]:
    """Groups that are there get their rates; else the parameters are split into two groups."""
    script = scene.here
    call = script.node_at(scene.finding.location, ast.Call)
    given = parameters_of(call) if call is not None else None
    if call is None or given is None:
        raise NoPlaceError("it cannot be told what the optimizer is given")
    if is_bound_in_expression(script, call):
        raise NoPlaceError("the optimizer is built inside an expression")
    if ast.unparse(call.func).endswith("LBFGS"):
        raise NoPlaceError("LBFGS takes no parameter groups")
    require_no_rate_by_number(script)
    groups = groups_of(script, given, script.statement_of(call))
    low = tenth(script, rate_of(call), _rate(scene))
    if groups is not None:
        yield Mend(_TITLE, tuple(_lowered(scene, script, groups, low)), "unsafe")
        return
    yield from _split(scene, script, call, given, low)


def _rate(scene: Scene) -> float:
    rate = scene.finding.evidence.get("rate")
    if not isinstance(rate, float | int):
        raise NoPlaceError("the learning rate is not known")
    return float(rate)


def _head(scene: Scene) -> list[int]:
    count = scene.finding.evidence.get("head")
    return parameters_told(scene)[: count if isinstance(count, int) else 0]


def _lowered(scene: Scene, script: Script, groups: ast.List, low: str) -> Iterator[Edit]:
    """The groups that hold nothing of the head get the low rate."""
    state = _state(scene, len(groups.elts))
    head = set(_head(scene))
    for group, written in zip(state.groups, groups.elts, strict=True):
        if head.issuperset(group.parameters):
            continue
        if head.intersection(group.parameters):
            raise NoPlaceError("a parameter group holds both the head and parts of the backbone")
        own = value_of(written, "lr")
        if own is not None:
            yield script.replace(own, tenth(script, own, 0.0))
        else:
            yield with_key(script, written, f"{script.quote}lr{script.quote}: {low}")


def _state(scene: Scene, count: int) -> OptimizerState:
    """The optimizer at the first step that it takes with the head."""
    head = set(_head(scene))
    for step in scene.trace.completed:
        state = step.stepping
        if state is not None and any(head.intersection(group.parameters) for group in state.groups):
            if len(state.groups) == count and all(group.parameters for group in state.groups):
                return state
            break
    raise NoPlaceError("the optimizer's groups are not those that are written where it is built")


def _split(scene: Scene, script: Script, call: ast.Call, given: ast.expr, low: str) -> Iterator[Mend]:
    """Two groups before the optimizer, in the place of the parameters of the whole model."""
    statement = script.statement_of(call)
    chosen = _chosen(script, given, statement)
    head = _head(scene)
    model = owner_of(scene.trace, head)
    filtered = "requires_grad" in script.text(chosen.value if chosen is not None else given)
    names = receivers(script, given, statement)
    if not names and is_in_scope(script, model.name, statement):
        names, filtered = [model.name], True  # it may have been given less in another run
    if len(names) > 1 and not filtered:
        lines = _of_several(script, model, names, head, low, len(script.indent(statement)))
        edits = script.before(statement, lines), script.replace(given, _name(script))
        yield Mend(_TITLE, edits, "unsafe")
        return
    if len(names) != 1:
        raise NoPlaceError("what the optimizer is given comes from several modules, or from none with a name")
    for part in whole_modules(model, head):
        require_one_name(scene, model, part.path, script, statement)
        require_not_wrapped(script, statement, names[0], part.path)
    for base in bases(model, names[0], parameters_told(scene)):
        split = _Split(script, model, names[0], base, tuple(head), filtered)
        lines = split.lines(low, len(script.indent(statement)))
        if not lines:
            continue
        if chosen is not None and _uses(script, chosen) == 1:
            made = script.replace(chosen, _block(script, chosen, lines))
        else:
            made = script.before(statement, lines)
        yield Mend(_TITLE, (made, script.replace(given, _name(script))), "unsafe")


def _chosen(script: Script, given: ast.expr, statement: ast.stmt) -> ast.Assign | None:
    """The assignment of the variable that the optimizer is given."""
    return assignment_of(script, given, statement) if isinstance(given, ast.Name | ast.Attribute) else None


def _uses(script: Script, assigned: ast.Assign) -> int:
    """How often the file uses the variable that is assigned."""
    target = assigned.targets[0]
    if not isinstance(target, ast.Name):
        return 0
    return sum(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id == target.id
        for node in ast.walk(script.tree)
    )


def _block(script: Script, statement: ast.stmt, lines: Sequence[str]) -> str:
    """Lines in the place of a statement."""
    told = [script.unit * (len(line) - len(line.lstrip("\t"))) + line.lstrip("\t") for line in lines]
    return f"\n{script.indent(statement)}".join(told)


@dataclass(frozen=True)
class _Split:
    """The parameters of a model, that `receiver` with all below `base` stands for, in two groups."""

    script: Script
    model: Model
    receiver: str
    base: str
    head: tuple[int, ...]
    filtered: bool

    def lines(self, low: str, indent: int) -> list[str]:
        """The statements that make the groups; none where the head has no name."""
        parts = [part.path for part in whole_modules(self.model, self.head)]
        heads = [spelled_from(self.receiver, self.base, path) for path in parts]
        if not parts or None in heads or self.base in parts:
            return []
        head = _parameters([each for each in heads if each is not None])
        rest = [p for p in self.model.parameters_within(self.base) if p not in self.head]
        others = [part.path for part in whole_modules(self.model, rest)]
        backbone = spelled_from(self.receiver, self.base, others[0]) if len(others) == 1 else None
        if backbone is not None and not self.filtered:
            return _two_groups(self.script, f"{backbone}.parameters()", head, low, indent)
        variable = self.script.fresh("backbone", "backbone_parameters")
        if "compile(" in self.script.file.text:  # which gives parameters other names
            return [*self._others(variable, head), *_two_groups(self.script, variable, head, low, indent)]
        return [
            *self._backbone(variable, parts, indent),
            *_two_groups(self.script, variable, head, low, indent),
        ]

    def _others(self, variable: str, head: str) -> list[str]:
        """The parameters of the model that are none of the head's, whatever they are called."""
        known = self.script.fresh("head", "head_parameters")
        test = f"p.requires_grad and p not in {known}" if self.filtered else f"p not in {known}"
        return [
            f"{known} = set({head})",
            f"{variable} = [p for p in {self.receiver}.parameters() if {test}]",
        ]

    def _backbone(self, variable: str, parts: Sequence[str], indent: int) -> list[str]:
        """The parameters of the model that do not belong to these parts of it."""
        cut = len(self.base) + 1 if self.base else 0
        prefixes = [f"{self.script.quote}{path[cut:]}.{self.script.quote}" for path in parts]
        told = prefixes[0] if len(prefixes) == 1 else f"({', '.join(prefixes)})"
        test = f"if not name.startswith({told})"
        if self.filtered:
            test = f"if p.requires_grad and not name.startswith({told})"
        pick = ("p", f"for name, p in {self.receiver}.named_parameters()", test)
        line = f"{variable} = [{' '.join(pick)}]"
        if indent + len(line) <= _WIDTH:
            return [line]
        return [f"{variable} = [", *(f"\t{part}" for part in pick), "]"]


def _name(script: Script) -> str:
    """What the groups are called."""
    return script.fresh("groups", "parameter_groups")


def _parameters(modules: Sequence[str]) -> str:
    if len(modules) == 1:
        return f"{modules[0]}.parameters()"
    return "[" + ", ".join(f"*{each}.parameters()" for each in modules) + "]"


def _two_groups(script: Script, backbone: str, head: str, low: str, indent: int) -> list[str]:
    """The statement that makes the groups: on one line where that is not too long."""
    params, rate = (f"{script.quote}{key}{script.quote}" for key in ("params", "lr"))
    groups = f"{{{params}: {backbone}, {rate}: {low}}}", f"{{{params}: {head}}}"
    line = f"{_name(script)} = [{', '.join(groups)}]"
    if indent + len(line) <= _WIDTH:
        return [line]
    return [f"{_name(script)} = [", *(f"\t{group}," for group in groups), "]"]


def _of_several(
    script: Script, model: Model, names: Sequence[str], head: Sequence[int], low: str, indent: int
) -> list[str]:
    """Modules that the optimizer is given one by one: each is of the head, or of the backbone."""
    wanted = set(head)
    mine: list[str] = []
    others: list[str] = []
    for name in names:
        last = name.rpartition(".")[2]
        paths = [module.path for module in model.modules if module.path.rpartition(".")[2] == last]
        inside = set(model.parameters_within(paths[0])) if len(paths) == 1 else set()
        if not inside or (inside & wanted and inside - wanted):
            raise NoPlaceError(f"which of the head's parameters `{name}` holds cannot be told")
        (mine if inside <= wanted else others).append(name)
    if not mine or not others:
        raise NoPlaceError("the head's parameters are not told apart from the backbone's")
    return _two_groups(script, _parameters(others), _parameters(mine), low, indent)
