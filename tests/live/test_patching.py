"""Attributes that are replaced for the time of an audit come back exactly as they were."""

from __future__ import annotations

import inspect
import math
import pickle
import statistics
from collections.abc import Callable, Iterable

from freezelint.live.patching import Patches, is_pass_through, passes_through


class Base:
    def speak(self) -> str:
        return "base"


class Derived(Base):
    pass


def counting(original: Callable[..., float], calls: list[object]) -> Callable[..., float]:
    def call(data: Iterable[float]) -> float:
        calls.append(data)
        return original(data)

    return call


def test_an_attribute_is_replaced_and_comes_back() -> None:
    patches, original = Patches(), Base.speak
    assert patches.replace(Base, "speak", lambda _: "patched") is original
    assert Derived().speak() == "patched"
    patches.undo()
    assert Base.speak is original


def test_an_inherited_attribute_leaves_no_trace() -> None:
    patches = Patches()
    patches.replace(Derived, "speak", lambda _: "patched")
    assert (Derived().speak(), Base().speak()) == ("patched", "base")
    patches.undo()
    assert "speak" not in vars(Derived)


def test_nested_replacements_unwind_in_reverse() -> None:
    patches, original = Patches(), Base.speak
    first = patches.replace(Base, "speak", lambda _: "first")
    second = patches.replace(Base, "speak", lambda it: f"second over {first(it)}")
    assert first is original
    assert second(Base()) == "first"
    assert Base().speak() == "second over base"
    patches.undo()
    assert Base.speak is original


def test_a_static_method_stays_one() -> None:
    class Tool:
        @staticmethod
        def run() -> str:
            return "plain"

    patches, kept = Patches(), vars(Tool)["run"]
    patches.replace(Tool, "run", staticmethod(lambda: "patched"))
    assert Tool().run() == "patched"
    patches.undo()
    assert vars(Tool)["run"] is kept


def test_other_things_are_undone_with_them_last_first() -> None:
    patches = Patches()
    order: list[int] = []
    patches.afterwards(lambda: order.append(1))
    patches.afterwards(lambda: order.append(2))
    patches.undo()
    patches.undo()
    assert order == [2, 1]


def test_a_replacement_goes_by_the_name_that_leads_to_it() -> None:
    patches, calls = Patches(), []  # type: tuple[Patches, list[object]]
    original = patches.replace(statistics, "fmean", counting(statistics.fmean, calls))
    patches.replace(Derived, "speak", lambda _: "patched")
    assert pickle.loads(pickle.dumps(statistics.fmean)) is statistics.fmean is not original
    assert pickle.loads(pickle.dumps(Derived.speak)) is Derived.speak
    assert (Derived.speak.__name__, Derived.speak.__qualname__) == ("speak", "Derived.speak")
    assert inspect.signature(statistics.fmean) == inspect.signature(original)
    assert statistics.fmean.__doc__ == original.__doc__
    patches.undo()


def test_a_class_that_replaces_one_does_too() -> None:
    patches = Patches()
    patches.replace(statistics, "NormalDist", type("Narrow", (statistics.NormalDist,), {}))
    assert pickle.loads(pickle.dumps(statistics.NormalDist)) is statistics.NormalDist
    patches.undo()


def test_what_has_a_name_of_its_own_keeps_it() -> None:
    patches = Patches()
    patches.replace(statistics, "mean", statistics.median)
    patches.replace(statistics, "mode", math.fsum)
    assert (statistics.median.__name__, math.fsum.__name__) == ("median", "fsum")
    assert not hasattr(statistics.median, "__wrapped__")
    assert not is_pass_through(statistics.median.__code__)
    patches.undo()


def test_the_code_of_replacements_is_marked() -> None:
    def seen(_: object) -> str:
        return "patched"

    patches = Patches()
    values: list[object] = [seen, staticmethod(seen), classmethod(seen), property(seen)]
    for value in values:
        patches.replace(Base, "speak", value)
        patches.undo()
    assert is_pass_through(seen.__code__)
    assert seen(None) == "patched"
    assert not is_pass_through(Base.speak.__code__)


def test_a_mark_is_set_once() -> None:
    def seen() -> None:
        pass

    code = passes_through(seen).__code__
    assert passes_through(seen).__code__ is code
