"""Loops: known ones are run through, training loops a few times, with a counter that stands for all
later values.
"""

from __future__ import annotations

import pytest

from tests.source.reading import traced, value_of

STEP = """
import torch
from torch import nn
from data import loader
model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def step():
    optimizer.zero_grad()
    model(next(loader)).sum().backward()
    optimizer.step()
"""


def test_a_known_loop_without_training_is_run_to_its_end() -> None:
    assert value_of("result = 0\nfor i in range(100):\n    result += i") == 4950


def test_an_unknown_iterable_is_run_twice() -> None:
    assert value_of("from data import loader\nresult = 0\nfor batch in loader:\n    result += 1") == 2


def test_a_while_with_a_known_condition_is_obeyed() -> None:
    assert value_of("result = 0\nwhile result < 7:\n    result += 1") == 7


@pytest.mark.parametrize("loop", ["for epoch in range(90):", "for epoch in range(args.epochs):"])
def test_what_happens_in_a_later_epoch_happens_here(loop: str) -> None:
    trace = traced(f"""
{STEP}
from settings import args
for p in model[0].parameters():
    p.requires_grad = False
{loop}
    if epoch == 20:
        for p in model[0].parameters():
            p.requires_grad = True
    step()
""")
    weights = [step.parameters[0].trainable for step in trace.steps]
    assert weights[0] is False
    assert weights[-1] is True
    assert len(trace.events_of("unfrozen")) == 1


def test_what_is_so_in_the_first_epochs_is_over_later() -> None:
    trace = traced(f"""
{STEP}
for epoch in range(50):
    model[0].requires_grad_(epoch >= 5)
    step()
""")
    flags = {step.parameters[0].trainable for step in trace.steps}
    assert flags <= {False, True, None}
    assert False in flags


def test_steps_that_show_nothing_new_are_not_kept() -> None:
    trace = traced(f"{STEP}\nfor epoch in range(10):\n    for batch in range(10):\n        step()")
    assert len(trace.steps) <= 3
    assert trace.steps_done > len(trace.steps)
