"""Models of which something is unknown: what is done to a part of the rest is not said of all of it."""

from __future__ import annotations

import pytest

from freezelint.source.semantics.open_ends import rest_of
from tests.source.reading import read_source, variables

_START = """
import sys
from zoo import make_network
import torch
model = torch.hub.load(sys.argv[1], "network")
"""


def flag_of_the_rest(text: str) -> bool | None:
    return rest_of(variables(read_source(_START + text))["model"]).requires_grad


@pytest.mark.parametrize(
    "text",
    [
        "model.requires_grad_(False)",
        "for p in model.parameters(): p.requires_grad = False",
        "if sys.argv[2]:\n  for p in model.parameters(): p.requires_grad = False",
        "for child in model.children(): child.requires_grad_(False)",
        # Decisions before, or between: the whole is meant all the same.
        "for n, p in model.named_parameters():\n  if 'head' in n: print(n)\nmodel.requires_grad_(False)",
    ],
)
def test_the_whole_rest_is_frozen(text: str) -> None:
    assert flag_of_the_rest(text) is False


@pytest.mark.parametrize(
    "text",
    [
        "for n, p in model.named_parameters():\n  if 'head' not in n: p.requires_grad = False",
        "for n, p in model.named_parameters():\n  if 'head' in n: continue\n  p.requires_grad_(False)",
        "for p in [p for n, p in model.named_parameters() if 'head' not in n]: p.requires_grad = False",
        "for n, child in model.named_children():\n  if n != 'head': child.requires_grad_(False)",
    ],
)
def test_some_of_the_rest_is_frozen(text: str) -> None:
    assert flag_of_the_rest(text) is None


def test_code_that_nobody_knows_may_have_changed_the_rest() -> None:
    assert flag_of_the_rest("model.requires_grad_(False)\nmake_network(model)") is None
