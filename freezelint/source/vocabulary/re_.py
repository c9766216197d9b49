"""`re` on known texts. Patterns that could take Python a long time are not tried."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Function,
    Instance,
    Intrinsic,
    Method,
    Unknown,
    Value,
)
from freezelint.source.vocabulary import constant, function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_LONGEST_PATTERN = 500
_LONGEST_TEXT = 2000
# With n quantifiers without an upper bound, a text of length m may take m to the power of n steps.
_MOST_WORK = 10_000_000
# Flags that only change what matches; others print, or are no longer there.
_FLAGS = int(re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE | re.ASCII)

ALIASES = {"regex.": "re."}
_METHODS = ("match", "search", "fullmatch", "findall", "finditer", "split", "sub", "subn")


@function("re.compile")
def compile_(machine: Machine, call: Call) -> Value:
    """A pattern, if it is known and harmless."""
    pattern, flags = call.get(0, "pattern", None), known(call.get(1, "flags", 0))
    if isinstance(pattern, Instance):
        return pattern
    found = _compiled(known(pattern), flags)
    if found is None:
        return Unknown(f"re.compile({text_of(pattern)})")
    made = Instance(None, {"pattern": found.pattern, "(compiled)": found}, kind="re.Pattern")
    return Unknown(f"re.compile({text_of(pattern)})", made) if isinstance(pattern, Unknown) else made


def _compiled(pattern: Value, flags: Value) -> re.Pattern[str] | None:
    if not isinstance(pattern, str) or not isinstance(flags, int) or len(pattern) > _LONGEST_PATTERN:
        return None
    if _repeats_repeats(pattern):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(pattern, flags & _FLAGS)
    except (re.error, ValueError, OverflowError, RecursionError, MemoryError):
        return None


def _repeats_repeats(pattern: str) -> bool:
    """Whether something that is repeated, or one of several alternatives, is repeated itself: `(a+)*`."""
    groups: list[bool] = []  # for each open group, whether it holds a repetition or alternatives
    closed = False  # whether the part just read is a group that does
    escaped = in_class = False
    for position, character in enumerate(pattern):
        if escaped:
            escaped, closed = False, False
        elif character == "\\":
            escaped = True
            if pattern[position + 1 : position + 2].isdigit() and pattern[position + 1] != "0":
                return True  # a reference back
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class, closed = True, False
        elif character == "(":
            groups.append(False)
            closed = False
        elif character == ")":
            closed = groups.pop() if groups else False
            if groups and closed:
                groups[-1] = True
        elif character in "*+{":
            if closed:
                return True
            if groups:
                groups[-1] = True
        elif character == "|":
            if groups:
                groups[-1] = True
            closed = False
        elif character != "?":
            closed = False
    return "(?P=" in pattern


def _takes_long(pattern: str, text: str) -> bool:
    unbounded = len(re.findall(r"(?<!\\)[*+]|,\}", pattern))
    return len(text) > _LONGEST_TEXT or (
        max(len(text), 2) ** min(unbounded, 40) > _MOST_WORK and unbounded > 1
    )


@function(*(f"re.{name}" for name in _METHODS))
def module_function(machine: Machine, call: Call) -> Value:
    """`re.match(pattern, text)`: like the method of the compiled pattern."""
    name = call.name.rpartition(".")[2]
    place = {"sub": 4, "subn": 4, "split": 3}.get(name, 2)
    flags = call.kwargs.pop("flags", call.args[place] if len(call.args) > place else 0)
    pattern = compile_(machine, Call(call.node, [call.get(0, "pattern", None), flags]))
    return _apply(
        machine, name, pattern, Call(call.node, call.args[1:place], call.kwargs, complete=call.complete)
    )


@function(*(f"re.Pattern.{name}" for name in _METHODS))
def method_of_pattern(machine: Machine, call: Call) -> Value:
    """`pattern.match(text)`."""
    inner = Call(call.node, call.args[1:], call.kwargs, complete=call.complete)
    return _apply(machine, call.name.rpartition(".")[2], call.owner, inner)


def _apply(machine: Machine, name: str, pattern: Value, call: Call) -> Value:
    """A method of a pattern on a text; both may be unknown with a hint."""
    substitutes = name in ("sub", "subn")
    replacement = call.get(0, "repl", None) if substitutes else None
    given = call.get(1 if substitutes else 0, "string", None)
    source = text_of(pattern) if isinstance(pattern, Unknown) else _source(pattern)
    shown = f"re.{name}({source}, {text_of(given)})"
    compiled = known(pattern)
    compiled = compiled.attributes.get("(compiled)") if isinstance(compiled, Instance) else None
    text, new = known(given), known(replacement)
    if (
        not isinstance(compiled, re.Pattern)
        or not isinstance(text, str)
        or _takes_long(compiled.pattern, text)
    ):
        return Unknown(shown)
    if substitutes and isinstance(replacement, (Function, Method, Intrinsic)):
        return Unknown(shown)
    if substitutes and (not isinstance(new, str) or len(new) * (len(text) + 1) > 100_000):
        return Unknown(shown)
    result = _run(compiled, name, text, new)
    certain = not any(isinstance(value, Unknown) for value in (pattern, given, replacement))
    return result if certain and result is not MISSING else Unknown(shown, result)


def _source(pattern: Value) -> str:
    return repr(pattern.attributes.get("pattern", "…")) if isinstance(pattern, Instance) else "…"


def _run(compiled: re.Pattern[str], name: str, text: str, new: Value) -> Value:
    try:
        if name == "sub":
            return compiled.sub(new, text)
        if name == "subn":
            return compiled.subn(new, text)
        if name == "split":
            return compiled.split(text)
        if name == "findall":
            return compiled.findall(text)
        if name == "finditer":
            return [_match(found) for found in compiled.finditer(text)]
        searches = {"match": compiled.match, "search": compiled.search, "fullmatch": compiled.fullmatch}
        return _match(searches[name](text))
    except (re.error, IndexError, KeyError, ValueError, RecursionError):
        return MISSING


def _match(found: re.Match[str] | None) -> Value:
    return (
        None if found is None else Instance(None, {"(match)": found, "string": found.string}, kind="re.Match")
    )


@function("re.Match.group", "re.Match.groups", "re.Match.groupdict", "re.Match.start",
    "re.Match.end", "re.Match.span", "re.Match.__getitem__", "re.Match.expand")  # fmt: skip
def method_of_match(machine: Machine, call: Call) -> Value:
    """What a match found."""
    name = call.name.rpartition(".")[2]
    owner, keys = call.owner, [known(argument) for argument in call.args[1:]]
    found = owner.attributes.get("(match)") if isinstance(owner, Instance) else None
    if (
        not isinstance(found, re.Match)
        or any(not isinstance(key, (int, str)) for key in keys)
        or name == "expand"
    ):
        return Unknown(f"{name}(…)")
    try:
        if name in ("group", "__getitem__"):
            return found.group(*keys)
        if name in ("groups", "groupdict"):
            return found.groups() if name == "groups" else found.groupdict()
        places = {"start": found.start, "end": found.end, "span": found.span}
        return places[name](*keys)
    except (IndexError, TypeError):
        return Unknown(f"{name}(…)")


@function("re.escape")
def escape(machine: Machine, call: Call) -> Value:
    """The pattern that matches just this text."""
    text = call.get(0, "pattern", None)
    hint = known(text)
    if not isinstance(hint, str) or len(hint) > _LONGEST_PATTERN:
        return Unknown(f"re.escape({text_of(text)})")
    return (
        Unknown(f"re.escape({text_of(text)})", re.escape(hint))
        if isinstance(text, Unknown)
        else re.escape(hint)
    )


@constant("re.IGNORECASE", "re.I")
def ignore_case() -> int:
    """Letters match whatever their case."""
    return int(re.IGNORECASE)


@constant("re.VERBOSE", "re.X")
def verbose() -> int:
    """Spaces in the pattern do not count."""
    return int(re.VERBOSE)


@constant("re.MULTILINE", "re.M", "re.DOTALL", "re.S", "re.ASCII", "re.A", "re.UNICODE", "re.U")
def other_flags() -> int:
    """Flags that make no difference for names of parameters: they have one line, in plain letters."""
    return 0
