"""FRZ409 on traces made by hand."""

from __future__ import annotations

import pytest

from freezelint.checks.heads.scheduler_never_steps import check
from tests.story import Story, at, plain


def net(body: float = 0.001, head: float = 0.01) -> Story:
    story = Story()
    story.model({"body": plain(), "head": plain()})
    story.optimizer(groups=[story.group("body", lr=body), story.group("head", lr=head)], line=4)
    return story


def test_silent_when_it_steps() -> None:
    story = net()
    story.schedule(steps=0)
    story.step()
    story.schedule_step()
    assert not list(check(story.trace()))


@pytest.mark.parametrize("can_step", [True, None])
def test_silent_when_it_may_step_later(can_step: bool | None) -> None:
    """Once an epoch, in a trainer: two steps do not show it."""
    story = net()
    story.schedule(steps=0, can_step=can_step)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_its_steps_are_unknown() -> None:
    story = net()
    story.schedule(steps=None, can_step=False)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_one_rate_and_nothing_to_unfreeze() -> None:
    story = net(0.01, 0.01)
    story.schedule(steps=0, can_step=False)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_another_schedule_of_the_optimizer_steps() -> None:
    """A default that was replaced, or a part of a sequence."""
    story = net()
    story.schedule(steps=0, can_step=False)
    story.schedule(steps=1, can_step=True, line=11)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_same_statement_built_one_that_steps() -> None:
    story = net()
    story.schedule(steps=1, can_step=True)
    story.step()
    story.optimizer(groups=[story.group("body", lr=0.001), story.group("head", lr=0.01)], line=4)
    story.schedule(steps=0, can_step=False, optimizer=1)
    story.step(optimizer=1)
    assert not list(check(story.trace()))


def test_silent_when_its_optimizer_takes_no_step() -> None:
    story = net()
    story.step()
    story.schedule(steps=0, can_step=False)
    assert not list(check(story.trace()))


def test_silent_for_a_toggle() -> None:
    """A discriminator that is frozen around the generator's step is no gradual unfreezing."""
    story = net(0.01, 0.01)
    story.schedule(steps=0, can_step=False)
    for _ in range(2):
        story.freeze("body")
        story.step()
        story.unfreeze("body")
        story.step()
    story.freeze("body")
    story.step()
    assert not list(check(story.trace()))


def test_rates_of_their_own() -> None:
    story = net()
    story.schedule(steps=0, can_step=False, class_name="CosineAnnealingLR", line=10)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(10)
    assert fault.message == (
        "CosineAnnealingLR is built for SGD and never stepped: every group keeps its first rate; call its "
        "`step()` where the schedule is to advance, or remove it"
    )
    assert "model.body.weight" in fault.subjects


def test_layers_that_join_later() -> None:
    story = Story()
    story.model({"body": plain(), "head": plain()})
    story.freeze("body")
    story.optimizer("head", line=4)
    story.schedule(steps=0, can_step=False, line=10)
    story.step()
    story.unfreeze("body", line=15)
    story.add_group("body", line=16)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(10)
    assert "the rates stay as they are while layers are unfrozen (line 15)" in fault.message
    assert [related.location for related in fault.related] == [at(15)]


def test_layers_that_are_going_to_join() -> None:
    story = Story()
    story.model({"body": plain(), "head": plain()})
    story.freeze("body")
    story.optimizer(line=4)
    story.schedule(steps=0, can_step=False, line=10)
    story.step()
    where = at(30)
    assert where is not None
    story.pending.append(where)
    (fault,) = check(story.trace())
    assert [related.location for related in fault.related] == [where]


def test_one_finding_a_statement() -> None:
    """The schedules inside a sequence are built on its line."""
    story = net()
    for name in ("LinearLR", "CosineAnnealingLR", "SequentialLR"):
        story.schedule(steps=0, can_step=False, class_name=name, line=10)
    story.step()
    (fault,) = check(story.trace())
    assert fault.message.startswith("SequentialLR is built")
