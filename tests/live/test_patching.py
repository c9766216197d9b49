"""Attributes that are replaced for the time of an audit come back exactly as they were."""

from __future__ import annotations

from freezelint.live.patching import Patches


class Base:
    def speak(self) -> str:
        return "base"


class Derived(Base):
    pass


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
