"""FRZ209 on traces made by hand."""

from dataclasses import replace

from freezelint.checks.optimizers.nothing_to_train import check
from freezelint.evidence import Failure, GradientLeaf, Group
from tests.story import Story, at, plain


def network() -> Story:
    story = Story()
    story.model({"body": plain(), "fc": plain()}, pretrained=["body"], fresh=["fc"])
    return story


def test_silent_when_something_trains() -> None:
    story = network()
    story.freeze("body")
    story.optimizer()
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_evaluation_only() -> None:
    story = network()
    story.freeze()
    assert not list(check(story.trace()))


def test_silent_for_style_transfer() -> None:
    """The network is frozen, the image is optimised."""
    story = network()
    story.freeze()
    story.optimizer(groups=[Group((story.tensor(),))])
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_an_image_optimised_beside_frozen_parameters() -> None:
    story = network()
    story.freeze()
    story.optimizer(groups=[Group((story.tensor(), *story.ids("fc")))])
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_evolution_strategies() -> None:
    """Nothing requires grad, yet everything moves."""
    story = network()
    story.freeze()
    story.optimizer()
    story.step(parameters={"": {"moved": True}})
    assert not list(check(story.trace()))


def test_silent_for_a_toggle_and_for_a_stage_that_is_still_ahead() -> None:
    story = network()
    story.freeze()
    story.optimizer()
    story.step()
    ahead = replace(story.trace(), pending_unfreezes=(at(30),))  # type: ignore[arg-type]
    story.unfreeze("fc")
    story.step()
    assert not list(check(ahead))
    assert not list(check(story.trace()))


def test_silent_when_a_failed_backward_has_another_reason() -> None:
    """The loss was detached, or an input leads nowhere: something was left to train."""
    story = network()
    story.freeze("body")
    story.optimizer()
    story.step(phase="backward")
    assert not list(check(story.trace()))


def test_silent_when_an_input_requires_grad() -> None:
    story = network()
    story.freeze()
    story.optimizer()
    story.step(phase="backward", leaves=[GradientLeaf(0, "", (1, 4), used=None)])
    assert not list(check(story.trace()))


def test_silent_when_the_empty_list_comes_from_a_spent_iterator() -> None:
    """That is FRZ206."""
    story = network()
    story.event("iterator-exhausted", 7, name="Adam")
    story.event("optimizer-built", 7, name="Adam", value="refused")
    story.failure = Failure("empty-optimizer", "optimizer got an empty parameter list", at(7))
    story.step(phase="optimizer-built")
    assert not list(check(story.trace()))


def test_backward_through_nothing_but_frozen_parameters() -> None:
    story = network()
    story.freeze(line=3)
    story.optimizer(line=7)
    story.failure = Failure("no-graph", "element 0 of tensors does not require grad", at(9))
    story.step(phase="backward")
    (fault,) = check(story.trace())
    assert fault.location == at(3)
    assert fault.message == (
        "Every parameter is frozen: `model` (4 parameters). backward() has nothing to differentiate; "
        "leave trainable what is to learn, e.g. `fc`"
    )
    assert [related.location for related in fault.related] == [at(7)]
    assert fault.subjects == ("model.body.weight", "model.body.bias", "model.fc.weight", "model.fc.bias")


def test_the_last_freeze_left_nothing() -> None:
    story = network()
    story.freeze("body", line=3)
    story.freeze("fc", line=5)
    story.optimizer(line=7)
    story.step(phase="backward")
    (fault,) = check(story.trace())
    assert fault.location == at(5)
    assert [related.location for related in fault.related] == [at(3), at(7)]


def test_optimizer_over_an_empty_list() -> None:
    story = network()
    story.freeze(line=3)
    story.event("optimizer-built", 7, name="Adam", value="refused")
    story.failure = Failure("empty-optimizer", "optimizer got an empty parameter list", at(7))
    story.step(phase="optimizer-built")
    (fault,) = check(story.trace())
    assert fault.location == at(3)
    assert (
        "The optimizer on line 7 is given none; leave trainable what is to learn, e.g. `fc`" in fault.message
    )
    assert [related.location for related in fault.related] == [at(7)]


def test_optimizer_over_a_selection_that_matches_nothing() -> None:
    story = network()
    story.freeze("body")
    story.event("optimizer-built", 7, name="Adam", value="refused")
    story.failure = Failure("empty-optimizer", "optimizer got an empty parameter list", at(7))
    story.step(phase="optimizer-built")
    (fault,) = check(story.trace())
    assert fault.location == at(7)
    assert fault.message == (
        "The optimizer is given no parameter at all; check what is frozen and how its parameters are selected"
    )
    assert [related.location for related in fault.related] == [at(2)]


def test_optimizer_that_holds_the_frozen_part() -> None:
    story = network()
    story.freeze("body", line=3)
    story.optimizer("body", line=7)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(3)
    assert fault.message == (
        "SGD holds no trainable parameter: all of `body` (2 parameters) are frozen and step() changes "
        "nothing; give it the parameters that are to learn"
    )
    assert fault.subjects == ("model.body.weight", "model.body.bias")


def test_frozen_before_anything_was_seen_points_to_the_optimizer() -> None:
    story = network()
    for p in story.ids():
        story.trainable[p] = (False, None)
    story.optimizer(line=7)
    story.step()
    assert [fault.location for fault in check(story.trace())] == [at(7)]
