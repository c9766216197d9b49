"""Whether gradients are there and whether they are zero, in every layout that a gradient can have."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from freezelint.evidence import Gradient
from freezelint.live.gradients import gradients_of


def gradient_of(gradient: torch.Tensor | None, had: bool = False) -> Gradient:
    """What is told of a parameter with this gradient."""
    parameter = nn.Parameter(torch.zeros(()))
    holder = parameter if gradient is None else torch.zeros_like(gradient, requires_grad=True)
    holder.grad = gradient
    return gradients_of([holder], {id(holder)} if had else set())[id(holder)]


def test_none_and_taken_away() -> None:
    assert gradient_of(None) == "none"
    assert gradient_of(None, had=True) == "unknown"


@given(
    size=st.integers(1, 5000), place=st.integers(0), value=st.sampled_from([1.0, -1.0, 1e-45, float("nan")])
)
@settings(deadline=None, max_examples=40)
def test_one_element_is_enough(size: int, place: int, value: float) -> None:
    gradient = torch.zeros(size)
    assert gradient_of(gradient) == "zero"
    gradient[place % size] = value
    assert gradient_of(gradient) == "nonzero"


@pytest.mark.parametrize(
    "layout",
    [
        lambda t: t.t(),
        lambda t: t[::2],
        lambda t: t.view(2, 3, 50, 40).to(memory_format=torch.channels_last),
        lambda t: t[:1].expand(120, 100),
        lambda t: t.to_sparse(),
        lambda t: t.to(torch.bfloat16),
        lambda t: t.to(torch.complex64),
        lambda t: (t * 1j).conj(),
    ],
    ids=["transposed", "strided", "channels last", "expanded", "sparse", "bfloat16", "complex", "conjugate"],
)
def test_layouts_and_types(layout: Callable[[torch.Tensor], torch.Tensor]) -> None:
    values = torch.zeros(120, 100)
    assert gradient_of(layout(values)) == "zero"
    values[0, 7] = 2.0
    assert gradient_of(layout(values)) == "nonzero"


def test_no_elements_and_one() -> None:
    assert gradient_of(torch.zeros(0)) == "zero"
    assert gradient_of(torch.ones(())) == "nonzero"


def test_what_cannot_be_read_is_unknown() -> None:
    assert gradient_of(torch.zeros(3, device="meta")) == "unknown"


def test_several_types_at_once() -> None:
    tensors = [
        torch.zeros(3, dtype=t, requires_grad=True) for t in (torch.float32, torch.float64, torch.bfloat16)
    ]
    for tensor in tensors:
        tensor.grad = torch.ones_like(tensor)
    assert set(gradients_of(tensors, set()).values()) == {"nonzero"}
