"""Loss scaling, autocast and clipping as the source reader imitates them."""

import pytest

from freezelint.evidence import Trace
from tests.source.reading import traced

MODEL = """
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
inputs = torch.ones(1, 4)
"""


def moved(trace: Trace) -> list[bool | None]:
    """What each step did to the first parameter."""
    return [step.parameters[trace.models[0].parameters[0]].moved for step in trace.completed]


@pytest.mark.parametrize(
    "made",
    [
        "torch.cuda.amp.GradScaler()",
        "torch.amp.GradScaler('cuda')",
        "torch.cuda.amp.GradScaler(enabled=args.amp)",
    ],
)
def test_a_scaled_step_is_a_step(made: str) -> None:
    text = f"""
scaler = {made}
with torch.autocast("cuda", dtype=torch.float16):
    loss = model(inputs).sum()
scaler.scale(loss).backward()
scaler.unscale_(optimizer)
clip_grad_norm_(model.parameters(), 1.0)
scaler.step(optimizer)
scaler.update()
"""
    trace = traced(MODEL + text)
    assert moved(trace) == [True]
    assert not trace.events_of("iterator-exhausted")


def test_timm_scales_clips_and_steps_at_once() -> None:
    text = """
from timm.utils import NativeScaler
scaler = NativeScaler()
scaler(model(inputs).sum(), optimizer, clip_grad=1.0, parameters=model.parameters())
"""
    assert moved(traced(MODEL + text)) == [True]


def test_autocast_decorates() -> None:
    text = """
@torch.cuda.amp.autocast()
def run():
    model(inputs).sum().backward()
run()
optimizer.step()
"""
    assert moved(traced(MODEL + text)) == [True]


@pytest.mark.parametrize("clip", ["clip_grad_norm_", "clip_grad_value_"])
def test_clipping_uses_up_an_iterator_once(clip: str) -> None:
    text = f"""
wanted = model.parameters()
for step in range(2):
    model(inputs).sum().backward()
    nn.utils.{clip}(wanted, 1.0)
    optimizer.step()
"""
    (event, *_) = traced(MODEL + text).events_of("iterator-exhausted")
    assert event.name == clip
    again = text.replace("wanted = model.parameters()", "wanted = list(model.parameters())")
    assert not traced(MODEL + again).events_of("iterator-exhausted")


def test_a_vector_of_all_parameters_stays_in_the_graph() -> None:
    text = """
from torch.nn.utils import parameters_to_vector
parameters_to_vector(model.parameters()).norm().backward()
optimizer.step()
"""
    assert moved(traced(MODEL + text)) == [True]
