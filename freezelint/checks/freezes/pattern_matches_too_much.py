"""FRZ505: a name pattern, or a pairing by position, took parameters beyond those that were meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from freezelint.evidence import Event, Model, Trace
from freezelint.facts import subjects
from freezelint.facts.flags import FlagStatement, flag_events, flag_statements, trainable_after
from freezelint.finding import Fault
from freezelint.wording import listing, parameters_named

_Flags = dict[int, list[Event]]


@dataclass(frozen=True)
class _Match:
    """A pattern found in a parameter's name: `stem` ends with the pattern, `component` goes on to the
    next dot."""

    parameter: int
    stem: str
    component: str

    @property
    def exact(self) -> bool:
        return self.component == self.stem


def check(trace: Trace) -> Iterator[Fault]:
    """A pattern is at fault when it took a component of exactly its name and, at the same place, a longer
    name as well."""
    flags = flag_events(trace)
    reported: set[tuple[str, str]] = set()
    for statement in flag_statements(trace):
        if any(event.zipped for event in statement.events):
            yield from _paired_by_position(trace, statement)
            continue
        for model in trace.models:
            for pattern in statement.patterns:
                for fault, stem in _too_wide(trace, flags, statement, model, pattern):
                    if (pattern, stem) not in reported:  # both branches of one condition carry its pattern
                        reported.add((pattern, stem))
                        yield fault


def _paired_by_position(trace: Trace, statement: FlagStatement) -> Iterator[Fault]:
    taken = set(statement.parameters)
    models = {model.index: model for model in map(trace.model_of, taken) if model}
    if not taken or all(taken.issuperset(model.parameters) for model in models.values()):
        return
    did = "froze" if statement.freezes else "unfroze"
    yield Fault(
        "`zip` pairs modules with parameters by position, not by owner: this loop "
        f"{did} {parameters_named(trace, statement.parameters)}, whatever module it looked at; "
        "loop over the modules and over `module.parameters(recurse=False)` of each",
        statement.location,
        subjects(trace, statement.parameters),
        evidence={"zipped": True, "parameters": len(taken)},
    )


def _too_wide(
    trace: Trace, flags: _Flags, statement: FlagStatement, model: Model, pattern: str
) -> Iterator[tuple[Fault, str]]:
    matches = list(_matches(trace, model, pattern))
    taken = set(statement.parameters)
    for stem in dict.fromkeys(match.stem for match in matches if match.exact):
        exact = [m.parameter for m in matches if m.stem == stem and m.exact]
        further = [m for m in matches if m.stem == stem and _goes_on(trace, model, statement, pattern, m)]
        extra = [m.parameter for m in further]
        if not extra:
            continue
        if taken.issuperset(exact) and taken.issuperset(extra):
            taken_by_it = [p for p in extra if _decided_here(trace, flags[p], statement, p)]
        elif taken.isdisjoint(exact + extra) and _takes_the_rest(trace, model, statement, pattern, stem):
            taken_by_it = [p for p in extra if p not in flags and _left_alone(trace, statement, p)]
        else:
            continue
        if taken_by_it:
            names = list(dict.fromkeys(m.component for m in further if m.parameter in taken_by_it))
            yield _fault(trace, statement, pattern, stem, names, taken_by_it), stem


def _fault(
    trace: Trace, statement: FlagStatement, pattern: str, stem: str, names: list[str], parameters: list[int]
) -> Fault:
    return Fault(
        f"the pattern `{pattern}` means `{stem}` but also takes {listing(names)}; "
        "compare whole components of the dotted name, e.g. with "
        f'`name.startswith("{stem}.")`',
        statement.location,
        subjects(trace, parameters),
        evidence={"pattern": pattern, "meant": stem, "also": names},
    )


def _matches(trace: Trace, model: Model, pattern: str) -> Iterator[_Match]:
    """Every place where the pattern stands in the name of a parameter of this model."""
    for parameter in model.parameters if pattern else ():
        for path in trace.parameters[parameter].paths:
            start = path.find(pattern)
            while start >= 0:
                stem = path[: start + len(pattern)]
                component = stem + path[len(stem) :].partition(".")[0]
                yield _Match(parameter, stem, component)
                start = path.find(pattern, start + 1)


def _goes_on(trace: Trace, model: Model, statement: FlagStatement, pattern: str, match: _Match) -> bool:
    """Whether this match surely goes beyond what the pattern means: `layer.1` and `layer.10`, `fc` and
    `fc_norm`.

    A word continued by letters or digits (`bn` and `bn1`, `head` and `head_dist`) is mostly meant, so a word
    counts only where what it takes is of another kind: a norm layer beside a plain one, a pretrained layer
    beside a fresh one.
    """
    if match.exact or match.stem.endswith("."):
        return False
    if any(
        other.startswith(pattern) and other in match.component
        for other in statement.patterns
        if other != pattern
    ):
        return False
    following = match.component[len(match.stem)]
    if match.stem[-1].isdigit():
        return following.isdigit()
    whole_word = match.stem.rpartition(".")[2] == pattern.rpartition(".")[2]
    return whole_word and (following == "_" or following.isalpha()) and _of_another_kind(trace, model, match)


def _of_another_kind(trace: Trace, model: Model, match: _Match) -> bool:
    meant, further = model.by_path.get(match.stem), model.by_path.get(match.component)
    if meant is None or further is None:
        return False
    origins = [
        {trace.parameters[p].origin for p in model.parameters_within(module.path)}
        for module in (meant, further)
    ]
    apart = origins in ([{"fresh"}, {"pretrained"}], [{"pretrained"}, {"fresh"}])
    return apart or (meant.role == "norm") != (further.role == "norm")


def _decided_here(trace: Trace, flags: list[Event], statement: FlagStatement, parameter: int) -> bool:
    """Whether it is this statement alone that gave the parameter the flag it trained with, and a change
    of flag at that."""
    own = set(statement.events)
    if any((event.kind == "frozen") == statement.freezes for event in flags if event not in own):
        return False
    earlier = [event for event in flags if event.index < statement.events[0].index]
    was_frozen = bool(earlier) and earlier[-1].kind == "frozen"
    if was_frozen == statement.freezes:
        return False
    return trainable_after(trace, statement.events[-1], parameter) is (not statement.freezes)


def _left_alone(trace: Trace, statement: FlagStatement, parameter: int) -> bool:
    """Whether the parameter, which the pattern spared, trained with the flag that the others did not get."""
    return statement.freezes and trainable_after(trace, statement.events[-1], parameter) is True


def _takes_the_rest(trace: Trace, model: Model, statement: FlagStatement, pattern: str, stem: str) -> bool:
    """Whether the statement took just what lies around these names and does not contain the pattern ("…
    not in name")."""
    around = stem.rpartition(".")[0]
    rest = [
        p
        for p in model.parameters_within(around)
        if not any(pattern in path for path in trace.parameters[p].paths)
    ]
    return len(statement.patterns) == 1 and bool(rest) and set(statement.parameters).issuperset(rest)
