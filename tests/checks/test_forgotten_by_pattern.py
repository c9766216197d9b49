"""FRZ210 on traces made by hand."""

from freezelint.checks.optimizers.forgotten_by_pattern import check
from tests.story import Story, at, plain


def three_layers() -> Story:
    story = Story()
    story.model({"one": plain(), "two": plain(), "fc": plain()}, pretrained=["one", "two"], fresh=["fc"])
    return story


def unfrozen_and_left_out() -> Story:
    story = three_layers()
    story.freeze(line=2)
    story.unfreeze("two", "fc", line=3)
    story.optimizer("fc", line=4)
    return story


def test_silent_when_what_was_unfrozen_is_held() -> None:
    story = three_layers()
    story.freeze()
    story.unfreeze("two", "fc")
    story.optimizer("two", "fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_it_is_held_by_another_optimizer_or_later() -> None:
    story = unfrozen_and_left_out()
    story.step()
    story.optimizer("two")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_it_is_updated_by_hand_or_may_be() -> None:
    for moved in (True, None):
        story = unfrozen_and_left_out()
        story.step(parameters={"two": {"moved": None}})
        story.step(parameters={"two": {"moved": moved}})
        assert not list(check(story.trace()))


def test_silent_for_what_became_trainable_after_the_optimizer() -> None:
    """That is FRZ203."""
    story = three_layers()
    story.freeze()
    story.unfreeze("fc")
    story.optimizer("fc", line=4)
    story.unfreeze("two", line=9)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_block_that_nobody_meant_to_train() -> None:
    """That is FRZ301."""
    story = three_layers()
    story.optimizer("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_only_biases_are_tuned() -> None:
    """The weights are left out as a kind, not forgotten."""
    story = three_layers()
    story.optimizer("one.bias", "two.bias", "fc.bias")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_frozen_bias() -> None:
    story = three_layers()
    story.freeze("one.bias")
    story.optimizer("one.weight", "two", "fc")
    story.step()
    assert not list(check(story.trace()))


def test_unfrozen_but_left_out() -> None:
    story = unfrozen_and_left_out()
    story.step(parameters={"two": {"moved": None}})
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(4)
    assert fault.message == (
        "SGD leaves out `two` (2 parameters), unfrozen on line 3: "
        "they get gradients but never learn; add them to a group, or freeze them"
    )
    assert [related.location for related in fault.related] == [at(3)]
    assert fault.subjects == ("model.two.weight", "model.two.bias")


def test_biases_forgotten() -> None:
    story = three_layers()
    story.optimizer("one.weight", "two.weight", "fc", line=4)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(4)
    assert fault.message == (
        "SGD leaves out `one.bias` and `two.bias` (2 parameters), the rest of modules that it trains: "
        "they get gradients but never learn; add them to a group, or freeze them"
    )


def test_rebuilt_optimizer_that_leaves_out_the_stage_just_unfrozen() -> None:
    story = three_layers()
    story.freeze("one", "two")
    story.optimizer("fc", line=4)
    story.step()
    story.unfreeze("two", line=9)
    story.optimizer("fc", line=10)
    story.step(optimizer=1)
    assert [fault.location for fault in check(story.trace())] == [at(10)]
