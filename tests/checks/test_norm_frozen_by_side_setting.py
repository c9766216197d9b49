"""FRZ103 on traces made by hand."""

from typing import Any

from freezelint.checks.modes.norm_frozen_by_side_setting import check
from tests.story import Story, at, norm, plain


def story_with(freeze: bool = True, pretrained: bool = True, **settings: Any) -> Story:
    story = Story()
    story.model({"bn": norm(**settings), "fc": plain()}, pretrained=["bn"] if pretrained else [])
    if freeze:
        story.freeze("bn", line=3)
    story.optimizer("fc" if freeze else "")
    story.train(line=6)
    return story


def silent(story: Story) -> bool:
    return not list(check(story.trace()))


def test_silent_for_an_ordinary_norm() -> None:
    story = story_with()
    story.step()
    assert silent(story)


def test_silent_for_a_norm_built_without_statistics() -> None:
    story = story_with(tracks=False, has_statistics=False)
    story.step()
    assert silent(story)


def test_silent_when_the_layer_is_in_eval_as_well() -> None:
    story = story_with(momentum=0.0)
    story.eval("bn", line=7)
    story.step()
    assert silent(story)


def test_silent_for_a_setting_that_holds_for_a_part_of_the_step_only() -> None:
    """SAM and virtual adversarial training switch the statistics off for their second forward pass."""
    story = story_with(freeze=False, momentum=0.0)
    story.step(modules={"bn": {"statistics_moved": True}})
    assert silent(story)


def test_silent_for_a_new_layer_that_is_trained() -> None:
    story = story_with(freeze=False, pretrained=False, momentum=0.0)
    story.step()
    assert silent(story)


def test_momentum_zero_on_a_frozen_norm() -> None:
    story = story_with(momentum=0.0)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.message == (
        "`bn` is held still by `momentum=0` but runs in train mode: 1 BatchNorm layer still normalises "
        "with the statistics of "
        "each batch; call `.eval()` on it after every `train()` instead"
    )
    assert fault.location == at(3)
    assert [related.location for related in fault.related] == [at(6)]


def test_the_assignment_itself_is_the_place_where_it_was_seen() -> None:
    story = Story()
    story.event("norm-set", 5, name="track_running_stats")
    story.model({"bn": norm(tracks=False, settings={"set_by": 0}), "fc": plain()}, pretrained=["bn"])
    story.freeze("bn", line=3)
    story.optimizer("fc")
    story.train(line=6)
    story.step()
    (fault,) = check(story.trace())
    assert "`track_running_stats=False`" in fault.message
    assert fault.location == at(5)
    assert [related.location for related in fault.related] == [at(3), at(6)]


def test_pretrained_statistics_held_while_scale_and_shift_are_trained() -> None:
    story = story_with(freeze=False, momentum=0.0)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(6)
