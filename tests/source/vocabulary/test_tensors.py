"""Tensors: flags, cuts of the graph, what backward reaches."""

from __future__ import annotations

import pytest

from tests.source.reading import traced, value_of

NET = """
import torch
from torch import nn
body, head = nn.Linear(2, 2), nn.Linear(2, 2)
optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.1)
x = torch.randn(4, 2)
"""


def gradients(source: str) -> list[str]:
    """The gradients of body and head in the first step."""
    trace = traced(f"{NET}{source}\noptimizer.step()")
    return [trace.steps[0].parameters[index].gradient for index in (0, 2)]


def test_backward_reaches_what_the_loss_was_computed_from() -> None:
    assert gradients("loss = head(body(x)).pow(2).mean()\nloss.backward()") == ["nonzero", "nonzero"]


@pytest.mark.parametrize(
    "source",
    [
        "loss = head(body(x).detach()).sum()",
        "with torch.no_grad():\n    features = body(x)\nloss = head(features).sum()",
        "@torch.no_grad()\ndef features(x):\n    return body(x)\nloss = head(features(x)).sum()",
        "with torch.set_grad_enabled(False):\n    features = body(x)\nloss = head(features).sum()",
        "loss = head(body(x).data).sum()",
    ],
)
def test_a_cut_graph_ends_there(source: str) -> None:
    assert gradients(f"{source}\nloss.backward()") == ["none", "nonzero"]


def test_a_loss_of_unknown_make_leaves_gradients_unknown() -> None:
    assert gradients("from somewhere import total\nloss = total()\nloss.backward()") == ["unknown", "unknown"]


def test_zeroed_gradients_are_zeros_or_none() -> None:
    done = "head(body(x)).sum().backward()\n"
    assert gradients(f"{done}optimizer.zero_grad()") == ["none", "none"]
    assert gradients(f"{done}optimizer.zero_grad(set_to_none=False)") == ["zero", "zero"]


def test_a_flag_forced_on_a_loss_is_an_event() -> None:
    trace = traced(f"{NET}\nloss = torch.tensor(1.0)\nloss.requires_grad = True\nloss.backward()")
    assert trace.events_of("gradient-forced")


def test_a_number_of_python_has_no_graph() -> None:
    assert "item()" in repr(value_of(f"{NET}\nresult = head(x).sum().item()"))


def test_a_reentrant_checkpoint_over_plain_inputs_is_an_event() -> None:
    source = (
        "import torch.utils.checkpoint as c\nloss = head(c.checkpoint(body, x, use_reentrant=True)).sum()"
    )
    trace = traced(f"{NET}{source}\nloss.backward()\noptimizer.step()")
    assert trace.events_of("checkpointed")
    assert gradients(f"{source}\nloss.backward()") == ["none", "nonzero"]
