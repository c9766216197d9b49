"""FRZ509 on traces made by hand."""

from dataclasses import replace

from freezelint.checks.freezes.zero_rate_freeze import check
from tests.story import Story, at, norm, plain


def story_with_rates(backbone: float | None, head: float | None, initial: float | None = None) -> Story:
    story = Story()
    story.model({"conv": plain(), "bn": norm(), "fc": plain()})
    groups = [story.group("conv", "bn", lr=backbone, initial_lr=initial), story.group("fc", lr=head)]
    story.optimizer(groups=groups, line=4)
    return story


def test_silent_for_ordinary_rates() -> None:
    story = story_with_rates(0.001, 0.1)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_schedule_that_warms_up_from_zero() -> None:
    story = story_with_rates(0.0, 0.1, initial=0.01)
    story.step()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_every_rate_is_zero() -> None:
    story = story_with_rates(0.0, 0.0)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_rate_is_unknown() -> None:
    story = story_with_rates(None, 0.1)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_rate_rises_in_the_next_step() -> None:
    story = story_with_rates(0.0, 0.1)
    story.step()
    story.groups[0][0] = replace(story.groups[0][0], lr=0.01)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_group_is_frozen_by_flag_too() -> None:
    story = story_with_rates(0.0, 0.1)
    story.freeze("conv", "bn")
    story.step()
    assert not list(check(story.trace()))


def test_a_group_at_zero() -> None:
    story = story_with_rates(0.0, 0.1)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(4)
    assert fault.message == (
        "SGD holds `conv` and `bn` (4 parameters) at a learning rate of 0: they do not move, but their "
        "gradients are computed and "
        "kept (112 B), and running statistics among them drift; freeze them with `requires_grad_(False)`"
    )
    assert fault.subjects == ("model.conv.weight", "model.conv.bias", "model.bn.weight", "model.bn.bias")


def test_a_schedule_that_remembers_zero_does_not_raise_it() -> None:
    story = story_with_rates(0.0, 0.1, initial=0.0)
    story.step()
    assert len(list(check(story.trace()))) == 1


def test_a_group_added_at_zero_is_told_where_it_was_added() -> None:
    story = Story()
    story.model({"conv": plain(), "fc": plain()})
    story.optimizer("fc", line=4)
    event = story.add_group("conv", lr=0.0, line=9)
    story.optimizers[0] = replace(story.optimizers[0], added=(event.index,))
    story.step()
    assert [fault.location for fault in check(story.trace())] == [at(9)]
