"""Learning rate schedules as the source reader imitates them."""

import pytest

from freezelint.evidence import Trace
from freezelint.source.interpreter.values import Schedule
from tests.source.reading import codes, found_in, traced, value_of

MODEL = """
import torch
from torch import nn, optim
from torch.optim import SGD, lr_scheduler
from torch.optim.swa_utils import SWALR
model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters(), "lr": 0.01}]
optimizer = SGD(groups, lr=1.0, momentum=0.9)
"""
STEP = """
model(torch.zeros(1, 4)).sum().backward()
optimizer.step()
"""

MADE = {
    "LambdaLR": "lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9**epoch)",
    "LambdaLR, one each": "lr_scheduler.LambdaLR(optimizer, [lambda epoch: 0.5**epoch, lambda epoch: 1.0])",
    "StepLR": "lr_scheduler.StepLR(optimizer, 2, 0.5)",
    "MultiStepLR": "lr_scheduler.MultiStepLR(optimizer, milestones=[1, 2], gamma=0.2)",
    "ConstantLR": "lr_scheduler.ConstantLR(optimizer, total_iters=2)",
    "LinearLR": "lr_scheduler.LinearLR(optimizer, total_iters=4)",
    "ExponentialLR": "lr_scheduler.ExponentialLR(optimizer, gamma=0.5)",
    "PolynomialLR": "lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=2.0)",
    "CosineAnnealingLR": "lr_scheduler.CosineAnnealingLR(optimizer, T_max=4, eta_min=0.001)",
    "CosineAnnealingWarmRestarts": "lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4)",
    "CyclicLR": "lr_scheduler.CyclicLR(optimizer, 0.001, 0.1, step_size_up=3)",
    "OneCycleLR": "lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=20)",
    "OneCycleLR, one each": "lr_scheduler.OneCycleLR(optimizer, [0.1, 0.01], epochs=10, steps_per_epoch=2)",
    "OneCycleLR, linear": "lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20, anneal_strategy='linear')",
    "SequentialLR": "lr_scheduler.SequentialLR(optimizer, [lr_scheduler.LinearLR(optimizer, total_iters=4), "
    "lr_scheduler.ExponentialLR(optimizer, 0.9)], milestones=[4])",
}


def rates(trace: Trace) -> list[tuple[float | None, ...]]:
    """The rates after the schedule was built, and after each of its steps."""
    events = {event.index for event in trace.events_of("schedule-built", "schedule-stepped")}
    last = max(event.index for event in trace.events_of("schedule-built"))
    return [change.rates for change in trace.rate_changes if change.event in events and change.event >= last]


@pytest.mark.parametrize("made", list(MADE.values()), ids=list(MADE))
def test_rates_are_those_of_torch(made: str) -> None:
    stepped = STEP + "scheduler.step()\n"
    found = rates(traced(MODEL + f"scheduler = {made}\n" + stepped * 3))
    scope: dict[str, object] = {}
    line = "seen.append(tuple(group['lr'] for group in optimizer.param_groups))\n"
    exec(MODEL + f"seen = []\nscheduler = {made}\n{line}" + (stepped + line) * 3, scope)
    seen = scope["seen"]
    assert isinstance(seen, list)
    assert len(found) == len(seen)
    for one, other in zip(found, seen, strict=True):
        assert one == pytest.approx(other)


def test_a_plateau_keeps_the_rates_while_it_is_patient() -> None:
    text = "scheduler = lr_scheduler.ReduceLROnPlateau(optimizer)\n" + STEP + "scheduler.step(loss)\n"
    assert rates(traced(MODEL + text)) == [(0.1, 0.01), (0.1, 0.01)]


def test_what_cannot_be_computed_is_unknown() -> None:
    text = (
        "scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=args.gamma)\n" + STEP + "scheduler.step()\n"
    )
    assert rates(traced(MODEL + text)) == [(0.1, 0.01), (None, None)]


def test_in_later_passes_of_a_loop_the_rates_are_unknown() -> None:
    text = (
        "scheduler = lr_scheduler.StepLR(optimizer, 30)\n"
        "for epoch in range(100):\n"
        "    model(torch.zeros(1, 4)).sum().backward()\n"
        "    optimizer.step()\n"
        "    scheduler.step()\n"
    )
    found = rates(traced(MODEL + text))
    assert found[:3] == [(0.1, 0.01)] * 3
    assert found[-1] == (None, None)


def test_building_and_stepping_are_events() -> None:
    trace = traced(MODEL + "scheduler = lr_scheduler.StepLR(optimizer, 30)\n" + STEP + "scheduler.step()\n")
    (built,), (stepped,) = trace.events_of("schedule-built"), trace.events_of("schedule-stepped")
    assert (built.name, built.optimizer, stepped.name, stepped.value) == ("StepLR", 0, "StepLR", "")
    (known,) = trace.schedules
    assert (known.class_name, known.optimizer, known.built, known.steps) == ("StepLR", 0, built.index, 1)
    assert known.can_step is True


# -- can it be stepped? --------------------------------------------------------------------------------------


def can_step(text: str) -> bool | None:
    return traced(MODEL + text + STEP).schedules[0].can_step


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("scheduler = lr_scheduler.StepLR(optimizer, 3)\n", False),
        ("lr_scheduler.StepLR(optimizer, 3)\n", False),
        ("scheduler = lr_scheduler.StepLR(optimizer, 3)\nprint(scheduler.get_last_lr())\n", False),
        ("scheduler = lr_scheduler.StepLR(optimizer, 3)\nif args.decay:\n    scheduler.step()\n", True),
        ("scheduler = lr_scheduler.StepLR(optimizer, 3)\ndef later():\n    scheduler.step()\n", True),
        ("scheduler = lr_scheduler.StepLR(optimizer, 3)\ntrainer.fit(model, scheduler)\n", True),
        ("pair = [lr_scheduler.StepLR(optimizer, 3)]\n", None),
        ("def make(o):\n    return lr_scheduler.StepLR(o, 3)\nscheduler = make(optimizer)\n", False),
    ],
)
def test_whether_something_can_step_it(text: str, possible: bool | None) -> None:
    assert can_step(text) is possible


# -- groups added later --------------------------------------------------------------------------------------

TWO_STAGES = """
model[0].requires_grad_(False)
optimizer = SGD(model[2].parameters(), lr=0.1)
scheduler = {made}
model(torch.zeros(1, 4)).sum().backward()
optimizer.step()
scheduler.step()
model[0].requires_grad_(True)
optimizer.add_param_group({{"params": model[0].parameters(), "lr": 0.01}})
model(torch.zeros(1, 4)).sum().backward()
optimizer.step()
scheduler.step()
"""


@pytest.mark.parametrize(
    ("made", "raises"),
    [
        ("lr_scheduler.StepLR(optimizer, 1)", False),
        ("lr_scheduler.CosineAnnealingLR(optimizer, 9)", False),
        ("lr_scheduler.ReduceLROnPlateau(optimizer)", False),
        ("lr_scheduler.LinearLR(optimizer)", False),
        ("lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9**epoch)", True),
        ("lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.9)", True),
        ("lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=9)", True),
        ("lr_scheduler.CyclicLR(optimizer, 0.01, 0.1)", True),
        ("lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 9)", True),
        ("SWALR(optimizer, swa_lr=0.05)", True),
    ],
)
def test_a_group_that_the_schedule_does_not_know_makes_some_raise(made: str, raises: bool) -> None:
    text = MODEL + TWO_STAGES.format(made=made)
    values = [event.value for event in traced(text).events_of("schedule-stepped")]
    assert values == ["", "group-missing" if raises else ""]

    text = text.replace("scheduler.step()", "scheduler.step(0)") if "Plateau" in made else text
    if raises:
        with pytest.raises((ValueError, KeyError)):
            exec(text, {})
    else:
        exec(text, {})


# -- schedules of others -------------------------------------------------------------------------------------


def test_a_warm_up_starts_at_zero() -> None:
    text = (
        "from transformers import get_linear_schedule_with_warmup\n"
        "scheduler = get_linear_schedule_with_warmup(optimizer, 10, num_training_steps=100)\n"
    ) + STEP
    trace = traced(MODEL + text + "scheduler.step()\n")
    assert rates(trace) == [(0.0, 0.0), (pytest.approx(0.01), pytest.approx(0.001))]
    assert "warmup" in trace.schedules[0].class_name


def test_without_warm_up_it_starts_at_the_given_rates() -> None:
    text = (
        "from transformers import get_scheduler\n"
        "scheduler = get_scheduler('linear', optimizer=optimizer, num_warmup_steps=0)\n"
    )
    trace = traced(MODEL + text + STEP)
    assert rates(trace) == [(0.1, 0.01)]
    assert trace.schedules[0].class_name == "LambdaLR"


def test_an_unknown_warm_up_makes_the_rates_unknown() -> None:
    text = (
        "from transformers import get_cosine_schedule_with_warmup\n"
        "scheduler = get_cosine_schedule_with_warmup(optimizer, args.warmup, 100)\n"
    )
    assert rates(traced(MODEL + text)) == [(None, None)]


def test_a_class_of_the_script() -> None:
    text = """
class Half(lr_scheduler._LRScheduler):
    def __init__(self, optimizer, last_epoch=-1):
        self.share = 0.5
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [base * self.share for base in self.base_lrs]

scheduler = Half(optimizer)
"""
    trace = traced(MODEL + text + STEP + "scheduler.step()\n")
    assert rates(trace) == [(0.05, 0.005), (0.05, 0.005)]
    assert [known.class_name for known in trace.schedules] == ["Half"]
    assert trace.schedules[0].steps == 1


def test_a_schedule_of_something_unknown_is_no_evidence() -> None:
    made = value_of(
        MODEL + "scheduler = lr_scheduler.StepLR(make_optimizer(), 3)\nscheduler.step()\n", "scheduler"
    )
    assert isinstance(made, Schedule)
    assert traced(MODEL + "scheduler = lr_scheduler.StepLR(thing, 3)\n").schedules == ()


# -- what the rules say --------------------------------------------------------------------------------------


def test_one_maximum_for_all_groups_flattens_their_rates() -> None:
    text = (
        "scheduler = lr_scheduler.OneCycleLR(optimizer, {maximum}, total_steps=9)\n"
        + STEP
        + "scheduler.step()\n"
    )
    assert "FRZ404" not in codes(found_in(MODEL + text.format(maximum="[0.1, 0.01]")))
    assert "FRZ404" not in codes(found_in(MODEL + text.format(maximum="args.rates")))
    assert "FRZ404" in codes(found_in(MODEL + text.format(maximum="0.1")))
