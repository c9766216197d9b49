"""FRZ504: a loop or a call that was to freeze something changes no parameter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from freezelint.evidence import Event, Location, Module, Trace
from freezelint.facts import subjects
from freezelint.facts.flags import flags_set_during, parameters_meant, trainable_after
from freezelint.finding import Fault, Related
from freezelint.wording import agree, listing, parameters_named, plural, shown

# Words that ask for a kind of parameter, which a model may rightly be without, and not for a place in it.
_NORM = re.compile(r"(?<![a-z])(?:bn|batch_?norm|layer_?norm|group_?norm|norm|ln|gn)(?![a-z])", re.IGNORECASE)
_OTHER_KINDS = re.compile(
    r"(?<![a-z])(?:bias|lora\w*|adapters?|prompts?|aux\w*|teacher|ema|momentum|queue|running_\w+|"
    r"num_batches_tracked)(?![a-z])",
    re.IGNORECASE,
)


def check(trace: Trace) -> Iterator[Fault]:
    """One finding a statement. It is judged by all of its runs: one that froze something, or of which it is
    not known, clears it."""
    statements: dict[object, list[Event]] = {}
    for event in trace.events_of("froze-nothing"):
        if event.location is not None:
            statements.setdefault(event.location.at(), []).append(event)
    for events in statements.values():
        if all(_is_certain(trace, event) for event in events):
            yield _fault(trace, events)


def _is_certain(trace: Trace, event: Event) -> bool:
    """Whether this run was meant to freeze something, and is known to have frozen nothing."""
    if event.location is None or not event.certain or event.observed:
        return False
    if event.reason in ("tensor-copy", "object-copy"):
        return any(trainable_after(trace, event, p) is True for p in event.parameters)
    if flags_set_during(trace, event.location):
        return False
    if event.reason in ("never-run", "not-called"):
        meant = parameters_meant(trace, event)
        return not meant or any(trainable_after(trace, event, p) is not False for p in meant)
    if event.reason == "pattern":
        return bool(event.patterns and event.parameters) and not _is_vacuous(trace, event)
    return event.reason in ("count", "no-parameters", "recursion")


def _is_vacuous(trace: Trace, event: Event) -> bool:
    """Whether all patterns ask for a kind of parameter that there is none of: a helper for models of many
    kinds."""
    norms = any(module.role == "norm" and module.parameters for module in _gone_over(trace, event))
    return all(
        _OTHER_KINDS.search(pattern) or (_NORM.search(pattern) and not norms) for pattern in event.patterns
    )


def _gone_over(trace: Trace, event: Event) -> list[Module]:
    return [module for model, path in event.modules for module in trace.models[model].within(path)]


def _fault(trace: Trace, events: list[Event]) -> Fault:
    event = events[0]
    place = event.location
    calls = {call.at(): call for each in events if each.location for call in each.location.calls[:1]}
    return Fault(
        _message(trace, event),
        None if place is None else _first_line(place),
        _subjects(trace, events),
        tuple(Related(call, "called here") for call in calls.values()),
        {"reason": event.reason, "patterns": list(event.patterns), "condition": event.value},
    )


def _first_line(place: Location) -> Location:
    """A loop is shown by its header: its body may be long."""
    return replace(place, end_line=None, end_column=None)


def _subjects(trace: Trace, events: list[Event]) -> tuple[str, ...]:
    """What was gone over; where it has no parameters, the models that it belongs to, which stay as they
    were."""
    meant = list(dict.fromkeys(p for event in events for p in parameters_meant(trace, event)))
    models = dict.fromkeys(model for event in events for model, _ in event.modules)
    return subjects(trace, meant) or tuple(trace.models[model].name for model in models)


def _message(trace: Trace, event: Event) -> str:
    code = f"`{event.value}`"
    if event.reason == "pattern":
        return _pattern_message(trace, event)
    if event.reason == "count":
        return (
            f"this loop freezes nothing: {code} leaves none of {_amount(trace, event)}; count what is there, "
            "or choose by name"
        )
    if event.reason == "no-parameters":
        named = (
            listing([shown(trace.models[model], path) for model, path in event.modules]) or "what it takes"
        )
        several = len(event.modules) != 1
        return (
            f"this freezes nothing: {named} {'have' if several else 'has'} no parameters"
            f"{_classes(trace, event)}; choose the modules that have some"
        )
    if event.reason == "recursion":
        return (
            f"the recursive call {code} never freezes anything: the number that it passes rules everything "
            "out; pass the count on, or leave the call out"
        )
    if event.reason == "never-run":
        return (
            f"this {event.name} is never run, so that nothing is frozen; write a `for` loop, or call "
            "`requires_grad_(False)` on the module"
        )
    if event.reason == "not-called":
        return (
            f"{code} only names the method and does not call it, so that nothing is frozen; "
            f"write `{event.value}(…)`"
        )
    return _copy_message(trace, event)


def _pattern_message(trace: Trace, event: Event) -> str:
    names = _names(trace, event)
    test = f"`{event.value}`" if event.value else f"the search for {listing(event.patterns)}"
    what = f"this loop freezes nothing: none of {_amount(trace, event)} passes {test}"
    containing = [name for name in names if any(pattern in name for pattern in event.patterns)]
    if len(containing) == len(names):
        return f"{what}; every name contains {_or(event.patterns)}, as in `{names[0]}`"
    if containing and not event.name.endswith("children"):
        return f"{what}; names are whole paths, such as `{containing[0]}`: test for what they begin with"
    heads = list(dict.fromkeys(name.partition(".")[0] for name in names))
    if all(head.isdigit() for head in heads):
        return f"{what}; a Sequential calls its parts by numbers, here {listing(heads)}: test for these"
    return f"{what}; the names begin with {listing(heads, 6)}: test for one of these"


def _or(patterns: tuple[str, ...]) -> str:
    return " or ".join(f"`{pattern}`" for pattern in patterns)


def _names(trace: Trace, event: Event) -> list[str]:
    """The names that the loop saw: relative to the module whose parameters or modules it went over."""
    found: list[str] = []
    for model, path in event.modules:
        start = len(path) + 1 if path else 0
        if event.name.endswith("children"):
            found.extend(child[start:] for child in _children(trace, model, path))
        elif event.name.endswith("modules"):
            found.extend(
                module.path[start:] for module in trace.models[model].within(path) if module.path != path
            )
        else:
            found.extend(
                trace.parameters[p].path[start:]
                for p in trace.models[model].parameters_within(path)
                if p in event.parameters
            )
    return found or [trace.parameters[p].path for p in event.parameters]


def _amount(trace: Trace, event: Event) -> str:
    """`the 62 parameters of `model``, `the 4 children of `encoder``."""
    owner = listing([shown(trace.models[model], path) for model, path in event.modules])
    noun, count = "parameter", len(event.parameters or parameters_meant(trace, event))
    if event.name.endswith("children"):
        noun, count = "child", sum(len(_children(trace, *each)) for each in event.modules)
    elif event.name.endswith("modules"):
        noun, count = "module", len(_gone_over(trace, event))
    amount = plural(count, noun) if noun != "child" or count == 1 else f"{count} children"
    return f"the {amount}" + (f" of {owner}" if owner else "")


def _children(trace: Trace, model: int, path: str) -> list[str]:
    inside = [module.path for module in trace.models[model].within(path) if module.path != path]
    return [inner for inner in inside if inner.rpartition(".")[0] == path]


def _classes(trace: Trace, event: Event) -> str:
    modules = [trace.models[model].by_path.get(path) for model, path in event.modules]
    names = dict.fromkeys(module.class_name for module in modules if module is not None)
    return f" ({', '.join(names)})" if names else ""


def _copy_message(trace: Trace, event: Event) -> str:
    left = [p for p in event.parameters if trainable_after(trace, event, p) is True]
    stay = f"{parameters_named(trace, left)} {agree(len(left), 'stays', 'stay')} trainable"
    if event.reason == "object-copy":
        return f"`{event.name}` freezes a copy, which this statement throws away: {stay}; use what it returns"
    source = "`state_dict()`" if event.name == "state_dict" else f"`.{event.name}`"
    return (
        f"this sets the flag of what {source} gives, which is not the parameter: {stay}; "
        "set it on the parameter itself"
    )
