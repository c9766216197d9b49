"""Expressions: Python's own results where everything is known, unknown values that remember their text
otherwise.
"""

from __future__ import annotations

from typing import Any

import pytest

from freezelint.source.interpreter.values import MISSING, Unknown
from tests.source.reading import value_of


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'layer4' in 'model.layer4.0.conv1.weight'", True),
        ("[n for n in ('fc.weight', 'conv.weight') if n.startswith('fc')]", ["fc.weight"]),
        ("{k: v * 2 for k, v in {'a': 1}.items()}", {"a": 2}),
        ("f'layer{3 + 1}.{\"conv\"!r}'", "layer4.'conv'"),
        ("(lambda a, *rest, b=2: (a, rest, b))(1, 5, 6)", (1, (5, 6), 2)),
        ("[*range(3), *(9,)]", [0, 1, 2, 9]),
        ("'a.b.c'.rsplit('.', 1)[0]", "a.b"),
        ("(n := 4) + n", 8),
        ("1 < 2 < 3 and not ''", True),
        ("[1, 2, 3][::-1]", [3, 2, 1]),
        ("'lr=%g' % 0.1", "lr=0.1"),
        ("list(reversed([1, 2]))", [2, 1]),
        ("1 if None is None else 2", 1),
        ("sorted(['b', 'a'], key=lambda s: s)", ["a", "b"]),
    ],
)
def test_what_is_known_is_computed(source: str, value: Any) -> None:
    assert value_of(f"result = {source}") == value


def test_an_unknown_value_keeps_the_words_of_the_script() -> None:
    value = value_of("from settings_of_somebody import args\nresult = args.rate * 2")
    assert isinstance(value, Unknown)
    assert "args.rate" in value.text


def test_an_option_is_what_it_is_by_default() -> None:
    value = value_of("""
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--layers", type=int, default=4)
        args = parser.parse_args()
        result = args.layers - 1
    """)
    assert isinstance(value, Unknown)
    assert value.hint == 3


@pytest.mark.parametrize("source", ["2 ** 10 ** 9", "'a' * 10 ** 12", "[0] * 10 ** 10", "1 << 10 ** 9"])
def test_nothing_huge_is_computed(source: str) -> None:
    value = value_of(f"result = {source}")
    assert isinstance(value, Unknown)
    assert value.hint is MISSING


def test_a_generator_is_read_when_somebody_asks() -> None:
    source = """
        import torch.nn as nn
        model = nn.Linear(2, 2)
        trainable = (p for p in model.parameters() if p.requires_grad)
        model.weight.requires_grad = False
        result = len(list(trainable))
    """
    assert value_of(source) == 1


def test_what_is_first_the_best_is_better_than_infinity() -> None:
    assert value_of("import loader\nresult = loader.loss < float('inf')") is True
