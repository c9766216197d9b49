"""FRZ208 on traces made by hand."""

from __future__ import annotations

from freezelint.checks.optimizers.scheduler_misses_group import check
from tests.story import Story, at, plain


def net(*rates: float) -> Story:
    """A head with a schedule, to whose optimizer the body is added."""
    story = Story()
    story.model({"body": plain(), "head": plain()})
    story.freeze("body")
    story.optimizer("head", lr=0.1)
    story.schedule(*rates, class_name="LambdaLR", line=10)
    story.step()
    return story


def added(lr: float = 0.01) -> Story:
    story = net()
    story.unfreeze("body", line=14)
    story.add_group("body", lr=lr, line=15)
    story.step()
    return story


def test_silent_when_the_group_follows() -> None:
    story = added()
    story.schedule_step(0.05, 0.005)
    assert not list(check(story.trace()))


def test_silent_when_no_rate_has_changed_yet() -> None:
    story = added()
    story.schedule_step(0.1, 0.01)
    assert not list(check(story.trace()))


def test_silent_when_the_schedule_has_not_stepped_since() -> None:
    assert not list(check(added().trace()))


def test_silent_when_the_group_follows_at_last() -> None:
    story = added()
    story.schedule_step(0.05, 0.01)
    story.schedule_step(0.025, 0.005)
    assert not list(check(story.trace()))


def test_silent_when_the_script_sets_the_rate_itself() -> None:
    story = added()
    story.schedule_step(0.05, 0.01)
    story.set_rates(0.05, 0.005)
    assert not list(check(story.trace()))


def test_silent_when_a_newer_schedule_covers_the_group() -> None:
    story = added()
    story.schedule(class_name="LambdaLR", line=16)
    story.schedule_step(0.05, 0.01, schedule=0)
    assert not list(check(story.trace()))


def test_silent_when_the_group_was_there_before_the_schedule() -> None:
    story = Story()
    story.model({"body": plain(), "head": plain()})
    story.optimizer("head", lr=0.1)
    story.add_group("body", lr=0.01)
    story.schedule(line=10)
    story.step()
    story.schedule_step(0.05, 0.01)
    assert not list(check(story.trace()))


def test_silent_for_a_schedule_that_leaves_another_group_alone_too() -> None:
    """It moves what it means to move."""
    story = Story()
    story.model({"body": plain(), "neck": plain(), "head": plain()})
    story.optimizer(groups=[story.group("head", lr=0.1), story.group("neck", lr=0.1)])
    story.schedule(line=10)
    story.add_group("body", lr=0.01, line=15)
    story.step()
    story.schedule_step(0.05, 0.1, 0.01)
    assert not list(check(story.trace()))


def test_silent_for_a_group_at_zero() -> None:
    """A factor leaves zero where it is."""
    story = added(lr=0.0)
    story.schedule_step(0.05, 0.0)
    assert not list(check(story.trace()))


def test_silent_for_another_optimizer() -> None:
    story = net()
    story.optimizer("head", lr=0.1)
    story.add_group("body", lr=0.01, optimizer=1)
    story.schedule_step(0.05)
    assert not list(check(story.trace()))


def test_a_group_that_is_left_behind() -> None:
    story = added()
    story.schedule_step(0.05, 0.01)
    story.schedule_step(0.025, 0.01)
    (fault,) = check(story.trace())
    assert fault.location == at(15)
    assert fault.message == (
        "the group with `body` (2 parameters) is added after the schedule was built (line 10): LambdaLR "
        "never changes its rate, which stays at 0.01 while the others follow; build the schedule after the "
        "last group is added, or a new one with each group"
    )
    assert [related.location for related in fault.related] == [at(10)]
    assert fault.subjects == ("model.body.weight", "model.body.bias")


def test_a_schedule_that_raises() -> None:
    story = added()
    story.schedule_step(line=21, value="group-missing")
    (fault,) = check(story.trace())
    assert fault.location == at(15)
    assert "LambdaLR has no rate for it and raises when it steps (line 21); build" in fault.message
    assert [related.location for related in fault.related] == [at(10), at(21)]


def test_groups_that_one_statement_adds_are_one_finding() -> None:
    story = Story()
    story.model({"a": plain(), "b": plain(), "head": plain()})
    story.optimizer("head", lr=0.1)
    story.schedule(line=10)
    story.add_group("a", lr=0.01, line=15)
    story.add_group("b", lr=0.01, line=15)
    story.step()
    story.schedule_step(0.05, 0.01, 0.01)
    assert len(list(check(story.trace()))) == 1
