"""`itertools`: lazy, as it is; what has no end is an `Endless`, what would be too much is unknown."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from freezelint.source.interpreter import operators
from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.iterables import LONGEST, Endless, combined_hint, elements, lazily, made
from freezelint.source.interpreter.iteration import Repeat
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import MISSING, Call, Unknown, Value
from freezelint.source.vocabulary import function
from freezelint.source.vocabulary.builtins_iterables import accepts

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_MOST_COMBINATIONS = 20_000


def _unknown(call: Call) -> Unknown:
    return Unknown(f"{call.name}({', '.join(text_of(argument) for argument in call.args[:3])})")


@function("itertools.chain", "itertools.chain.from_iterable")
def chain(machine: Machine, call: Call) -> Value:
    """One iterable after the other; unknown as soon as one of them is."""
    name = "itertools.chain(…)"
    sources: list[Value] | None = list(call.args)
    if call.name.endswith("from_iterable"):
        sources = elements(machine, call.get(0, "iterable", None), name)
    if sources is None or not call.complete:
        return _unknown(call)
    parts = [lazily(machine, source, name) for source in sources]
    whole = made(machine, _chained(sources, parts), name, *sources)
    return _unknown(call) if parts and all(part is None for part in parts) else whole


def _chained(sources: list[Value], parts: list[Iterator[Value] | None]) -> Iterator[Value]:
    for source, part in zip(sources, parts, strict=True):
        if part is None:
            # Somebody unknown among the known ones: an element that stands for all of it.
            yield Unknown(f"{text_of(source)}[…]")
        else:
            yield from part


@function("itertools.islice")
def islice(machine: Machine, call: Call) -> Value:
    """A part of an iterator, where its bounds are known."""
    if len(call.args) < 2:
        return _unknown(call)
    source = call.args[0]
    bounds = [known(bound) for bound in call.args[1:4]]
    if any(bound is not None and not isinstance(bound, int) for bound in bounds):
        return Repeat(lambda position: Unknown(f"{text_of(source)}[{text_of(position)}]"), text="islice")
    found = lazily(machine, source, "islice(…)")
    if found is None and isinstance(source, Endless):
        found = (source.element(position) for position in itertools.count(source.position))
    if found is None:
        return source if isinstance(source, Repeat) else _unknown(call)
    try:
        return made(machine, itertools.islice(found, *bounds), "islice(…)", source)
    except ValueError:
        return _unknown(call)


@function("itertools.count")
def count(machine: Machine, call: Call) -> Value:
    """Numbers without end."""
    start, step = call.get(0, "start", 0), call.get(1, "step", 1)

    def element(position: Value) -> Value:
        if isinstance(position, Unknown):
            return position
        return operators.binary(
            machine, ast.Add(), start, operators.binary(machine, ast.Mult(), position, step)
        )

    return Endless(element, counts=True, text="itertools.count()")


@function("itertools.cycle")
def cycle(machine: Machine, call: Call) -> Value:
    """The same elements again and again."""
    source = call.get(0, "iterable", None)
    found = elements(machine, source, "cycle(…)")

    def element(position: Value) -> Value:
        if found and isinstance(position, int):
            return found[position % len(found)]
        return (
            source.element(position) if isinstance(source, Repeat) else Unknown(f"cycle({text_of(source)})")
        )

    return Endless(element, text="cycle")


@function("itertools.repeat")
def repeat(machine: Machine, call: Call) -> Value:
    """The same value, so many times or for ever."""
    value, times = call.get(0, "object", None), known(call.get(1, "times", MISSING))
    if isinstance(times, int) and times <= LONGEST:
        return made(machine, itertools.repeat(value, times), "repeat(…)")
    return Endless(lambda position: value, text="repeat")


@function("itertools.product", "itertools.combinations", "itertools.permutations",
          "itertools.combinations_with_replacement")  # fmt: skip
def combined(machine: Machine, call: Call) -> Value:
    """All combinations, lazily; where they are too many to be meant, unknown."""
    name = call.name.rpartition(".")[2]
    pools: list[list[Value]] = []
    given = call.args if name == "product" else call.args[:1]
    for source in given:
        found = elements(machine, source, f"{name}(…)")
        if found is None:
            return Repeat(lambda position: Unknown(f"{name}[{text_of(position)}]"), text=name)
        pools.append(found)
    number = known(call.get(None if name == "product" else 1, "repeat" if name == "product" else "r", 1))
    if not isinstance(number, int) or not 0 <= number <= 20 or not pools or not call.complete:
        return _unknown(call)
    count = (
        math.prod(map(len, pools)) ** number
        if name == "product"
        else math.perm(len(pools[0]) + number, number)
    )
    if count > _MOST_COMBINATIONS or not operators.is_flat(pools):
        return Repeat(lambda position: Unknown(f"{name}[{text_of(position)}]"), text=name)
    if name == "product":
        return made(machine, itertools.product(*pools, repeat=number), name, *given)
    make: Any = {"combinations": itertools.combinations, "permutations": itertools.permutations}
    return made(
        machine, make.get(name, itertools.combinations_with_replacement)(pools[0], number), name, *given
    )


@function("itertools.zip_longest")
def zip_longest(machine: Machine, call: Call) -> Value:
    """Tuples, as long as the longest."""
    parts = [lazily(machine, source, "zip_longest(…)") for source in call.args]
    if not parts or any(part is None for part in parts):
        return _unknown(call)
    rows = itertools.zip_longest(
        *(part for part in parts if part is not None), fillvalue=call.kwargs.get("fillvalue")
    )
    return made(machine, rows, "zip_longest(…)", *call.args)


@function("itertools.groupby")
def groupby(machine: Machine, call: Call) -> Value:
    """Neighbours with the same key, where the keys are known."""
    source, key = call.get(0, "iterable", None), call.get(1, "key", None)
    found = elements(machine, source, "groupby(…)")
    if found is None:
        return _unknown(call)
    groups: list[tuple[Value, list[Value]]] = []
    for value in found:
        wanted = value if key is None else machine.call(key, value)
        same = bool(groups) and machine.truth(operators.compare(machine, ast.Eq(), groups[-1][0], wanted))
        if same is None:
            return _unknown(call)
        if same:
            groups[-1][1].append(value)
        else:
            groups.append((wanted, [value]))
    pairs = ((wanted, made(machine, iter(values), "groupby(…)", source)) for wanted, values in groups)
    return made(machine, pairs, "groupby(…)")


@function("itertools.accumulate")
def accumulate(machine: Machine, call: Call) -> Value:
    """Running totals."""
    found = elements(machine, call.get(0, "iterable", None), "accumulate(…)")
    apply, total = call.get(1, "func", None), call.kwargs.get("initial", MISSING)
    if found is None:
        return _unknown(call)

    def totals(total: Value) -> Iterator[Value]:
        if total is not MISSING and total is not None:
            yield total
        for value in found:
            if total is MISSING or total is None:
                total = value
            elif apply is None:
                total = operators.binary(machine, ast.Add(), total, value)
            else:
                total = machine.call(apply, total, value)
            yield total

    return made(machine, totals(total), "accumulate(…)")


@function("itertools.tee")
def tee(machine: Machine, call: Call) -> Value:
    """Copies of an iterator."""
    source, number = call.get(0, "iterable", None), known(call.get(1, "n", 2))
    if not isinstance(number, int) or not 0 < number <= 100:
        return _unknown(call)
    found = elements(machine, source, "tee(…)")
    if found is None:
        return tuple(source for _ in range(number))
    return tuple(made(machine, iter(found), "tee(…)", source) for _ in range(number))


@function("itertools.starmap")
def starmap(machine: Machine, call: Call) -> Value:
    """The function for each tuple of arguments."""
    apply, source = call.get(0, "function", None), call.get(1, "iterable", None)
    found = lazily(machine, source, "starmap(…)")
    if found is None:
        return _unknown(call)

    def results() -> Iterator[Value]:
        for row in found:
            arguments = elements(machine, row)
            yield Unknown("starmap") if arguments is None else machine.call(apply, *arguments)

    return made(machine, results(), "starmap(…)", source)


@function("itertools.takewhile", "itertools.dropwhile")
def while_(machine: Machine, call: Call) -> Value:
    """What comes before the first element that a predicate refuses, or from there on."""
    predicate, source = call.get(0, "predicate", None), call.get(1, "iterable", None)
    found = lazily(machine, source, call.name)
    if found is None:
        return _unknown(call)
    choose: Any = itertools.takewhile if call.name.endswith("takewhile") else itertools.dropwhile
    return made(machine, choose(lambda value: accepts(machine, predicate, value), found), call.name, source)


@function("itertools.compress")
def compress(machine: Machine, call: Call) -> Value:
    """The elements whose selector is true."""
    found, chosen = (
        elements(machine, argument, "compress(…)") for argument in (*call.args[:2], None, None)[:2]
    )
    hint = combined_hint(chosen or [MISSING], lambda flags: flags)
    if found is None or hint is MISSING or not all(isinstance(flag, (bool, int)) for flag in hint):
        return _unknown(call)
    return made(machine, itertools.compress(found, hint), "compress(…)", *call.args[:1])


@function("itertools.pairwise", "more_itertools.pairwise")
def pairwise(machine: Machine, call: Call) -> Value:
    """Neighbours."""
    found = elements(machine, call.get(0, "iterable", None), "pairwise(…)")
    return (
        _unknown(call)
        if found is None
        else made(machine, itertools.pairwise(found), "pairwise(…)", *call.args)
    )


@function("itertools.batched", "more_itertools.chunked")
def batched(machine: Machine, call: Call) -> Value:
    """Pieces of the same length."""
    found = elements(machine, call.get(0, "iterable", None), "batched(…)")
    number = known(call.get(1, "n", MISSING))
    if found is None or not isinstance(number, int) or number < 1:
        return _unknown(call)
    pieces = [tuple(found[i * number : (i + 1) * number]) for i in range(math.ceil(len(found) / number))]
    return made(machine, iter(pieces), "batched(…)", *call.args[:1])
