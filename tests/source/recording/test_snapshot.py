"""What a step looks like in the evidence of the source reader."""

from __future__ import annotations

import pytest

from freezelint.evidence import Step, Trace
from tests.source.reading import traced

_LOOP = """
import sys
import torch
from torch import nn
{model}
optimizer = torch.optim.SGD({held}, lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    {loss}.sum().backward()
    optimizer.step()
"""


def trained(model: str, held: str = "model.parameters()", loss: str = "model(torch.randn(4, 4))") -> Trace:
    return traced(_LOOP.format(model=model, held=held, loss=loss))


def last(trace: Trace) -> Step:
    return trace.steps[-1]


def test_an_optimised_tensor_is_a_parameter_of_no_model() -> None:
    model = "model = nn.Linear(4, 2)\nimage = torch.rand(1, 4).requires_grad_(True)"
    trace = trained(model, "[image]", "model(image)")
    held = last(trace).optimizers[0].groups[0].parameters
    assert [trace.parameters[p].model for p in held] == [None]
    state = last(trace).parameters[held[0]]
    assert (state.trainable, state.gradient, state.moved) == (True, "nonzero", True)


@pytest.mark.parametrize(
    ("setting", "tracks", "momentum", "moved"),
    [
        ("", True, 0.1, True),
        (", momentum=0", True, 0.0, False),
        (", momentum=None", True, None, True),
        (", momentum=float(sys.argv[1])", True, None, None),
        (", track_running_stats=False", False, 0.1, None),
    ],
)
def test_settings_of_a_norm_layer(
    setting: str, tracks: bool, momentum: float | None, moved: bool | None
) -> None:
    trace = trained(f"model = nn.Sequential(nn.BatchNorm1d(4{setting}))")
    norm = trace.models[0].by_path["0"].norm
    assert norm is not None
    assert (norm.tracks, norm.momentum) == (tracks, momentum)
    assert last(trace).modules[0]["0"].statistics_moved is moved


def test_of_a_layer_that_may_keep_statistics_nothing_is_said() -> None:
    trace = trained("model = nn.Sequential(nn.BatchNorm1d(4, track_running_stats=bool(sys.argv[1])))")
    norm = trace.models[0].by_path["0"].norm
    assert norm is not None
    assert norm.has_statistics is False
    assert last(trace).modules[0]["0"].statistics_moved is None


_TWO = """class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x):
        return {output}

model = Network()"""


@pytest.mark.parametrize(
    ("output", "ran"),
    [
        ("self.one(x)", False),
        ("self.one(x) if len(sys.argv) > 5 else self.two(x)", None),
    ],
)
def test_what_did_not_run(output: str, ran: bool | None) -> None:
    states = last(trained(_TWO.format(output=output))).modules[0]
    assert {states["one"].ran, states["two"].ran} == {True, ran}


_CUT = """
import sys
import torch
from torch import nn
model, head = nn.Linear(4, 4), nn.Linear(4, 2)
optimizer = torch.optim.SGD([*model.parameters(), *head.parameters()], lr=0.1)
if sys.argv[1]:
    for _ in range(2):
        optimizer.zero_grad()
        with torch.set_grad_enabled(True):
            features = model(torch.randn(4, 4))
{cut}
        head(features).sum().backward()
        optimizer.step()
"""


@pytest.mark.parametrize(
    ("cut", "conditional"),
    [
        ("        features = features.detach()", False),
        ("        if sys.argv[2]:\n            features = features.detach()", True),
    ],
)
def test_conditions_around_the_whole_training_do_not_make_a_cut_conditional(
    cut: str, conditional: bool
) -> None:
    events = traced(_CUT.format(cut=cut)).events_of("detached")
    assert [event.conditional for event in events][:1] == [conditional]
