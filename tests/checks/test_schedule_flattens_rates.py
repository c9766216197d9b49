"""FRZ404 on traces made by hand."""

from __future__ import annotations

from dataclasses import replace

from freezelint.checks.heads.schedule_flattens_rates import check
from tests.story import Story, at, plain


def net(body: float | None = 0.001, head: float | None = 0.01) -> Story:
    story = Story()
    story.model({"body": plain(), "head": plain()}, pretrained=["body"], fresh=["head"])
    story.optimizer(groups=[story.group("body", lr=body), story.group("head", lr=head)], line=4)
    return story


def test_silent_without_a_schedule() -> None:
    story = net()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_ratio_is_kept() -> None:
    story = net()
    story.schedule(0.0001, 0.001, line=10)
    story.step()
    story.set_rates(0.0005, 0.005)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_groups_built_with_one_rate() -> None:
    """Split by weight decay."""
    story = net(0.01, 0.01)
    story.schedule(0.001, 0.001)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_rates_at_construction_are_unknown() -> None:
    story = net(None, 0.01)
    story.schedule(0.001, 0.001)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_rate_of_zero_that_is_raised() -> None:
    """Unfreezing by the rate."""
    story = net(0.0, 0.01)
    story.step()
    story.set_rates(0.01, 0.01)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_warm_up_from_zero() -> None:
    story = net()
    story.schedule(0.0, 0.0)
    story.step()
    assert not list(check(story.trace()))


def test_silent_at_the_floor_of_a_decay() -> None:
    """`eta_min`, `min_lr`: where all schedules end."""
    story = net()
    story.schedule(class_name="CosineAnnealingLR")
    story.step()
    story.schedule_step(0.0001, 0.0001)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_no_step_is_taken_at_that_rate() -> None:
    story = net()
    story.schedule(0.001, 0.001)
    story.set_rates(0.001, 0.01)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_sweep_over_rates() -> None:
    story = net()
    story.set_rates(1e-7, 1e-7, function="find_learning_rate")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_it_is_unknown_whether_the_rates_are_equal() -> None:
    story = net()
    story.schedule(0.001, 0.001)
    story.rate_changes = [replace(change, equal=None) for change in story.rate_changes]
    story.step()
    assert not list(check(story.trace()))


def test_a_schedule_with_one_maximum() -> None:
    story = net()
    story.schedule(0.0004, 0.0004, class_name="OneCycleLR", line=10)
    story.step()
    story.schedule_step(0.0005, 0.0005)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(10)
    assert fault.message == (
        "OneCycleLR gives every group of SGD one rate (0.0004), which undoes the rates that the groups were "
        "built with on line 4 (0.001 to 0.01); give it one value a group"
    )
    assert [related.location for related in fault.related] == [at(4)]
    assert "model.body.weight" in fault.subjects
    assert "model.head.weight" in fault.subjects


def test_a_loop_written_by_hand() -> None:
    story = net()
    story.set_rates(0.01, 0.01, line=12)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(12)
    assert fault.message.startswith("writing the rates by hand gives every group of SGD one rate (0.01)")
    assert fault.message.endswith("scale each group's own rate instead")


def test_a_loop_whose_line_is_unknown() -> None:
    story = net()
    story.set_rates(0.01, 0.01)
    story.events[-1] = replace(story.events[-1], location=None)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(4)


def test_one_rate_that_is_known_to_be_one_and_not_how_high() -> None:
    story = net()
    story.schedule(0.001, 0.001, line=10)
    story.rate_changes = [replace(change, rates=(None, None)) for change in story.rate_changes]
    story.step()
    (fault,) = check(story.trace())
    assert "every group of SGD one rate, which" in fault.message


def test_rates_that_are_raised_to_one_later() -> None:
    story = net()
    story.step()
    story.set_rates(0.005, 0.005, line=12)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(12)
