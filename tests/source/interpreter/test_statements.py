"""Statements: scopes, exceptions, contexts, classes, as Python has them."""

from __future__ import annotations

from freezelint.source.interpreter.values import Unknown
from tests.source.reading import value_of


def test_a_closure_sees_and_changes_what_is_around_it() -> None:
    source = """
        def outer():
            count = 0
            def inner():
                nonlocal count
                count += 1
            inner(); inner()
            return count
        result = outer()
    """
    assert value_of(source) == 2


def test_an_exception_goes_to_the_handler_that_names_it() -> None:
    source = """
        result = []
        try:
            {}["missing"]
        except KeyError:
            result.append("handled")
        finally:
            result.append("finally")
    """
    assert value_of(source) == ["handled", "finally"]


def test_methods_properties_and_inheritance() -> None:
    source = """
        class Base:
            kind = "base"
            def __init__(self, size):
                self.size = size
            @property
            def twice(self):
                return 2 * self.size
            @classmethod
            def make(cls):
                return cls(3)
        class Derived(Base):
            kind = "derived"
            def __init__(self, size):
                super().__init__(size + 1)
        made = Derived.make()
        result = (made.twice, made.kind)
    """
    assert value_of(source) == (8, "derived")


def test_a_match_takes_the_case_that_fits() -> None:
    source = """
        def head(name):
            match name:
                case "resnet" | "resnext":
                    return "fc"
                case _:
                    return "classifier"
        result = [head("resnet"), head("vgg")]
    """
    assert value_of(source) == ["fc", "classifier"]


def test_a_decorator_that_nobody_knows_is_taken_for_a_thin_wrapper() -> None:
    source = """
        from somewhere import traced
        @traced(level=2)
        def rate():
            return 0.1
        result = rate()
    """
    assert value_of(source) == 0.1


def test_a_recursion_without_end_has_one_here() -> None:
    value = value_of("""
        def down(n):
            return down(n + 1)
        result = down(0)
    """)
    assert isinstance(value, Unknown)


def test_a_generator_function_gives_its_values() -> None:
    source = """
        def names():
            yield "a"
            yield from ("b", "c")
        result = list(names())
    """
    assert value_of(source) == ["a", "b", "c"]
