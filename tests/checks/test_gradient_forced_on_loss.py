"""FRZ305 on traces made by hand."""

from dataclasses import replace
from typing import Any

from freezelint.checks.gradients.gradient_forced_on_loss import check
from freezelint.evidence import GradientLeaf
from tests.story import Story, at, plain

NONE: dict[str, Any] = {"": {"gradient": "none", "moved": False}}


def one_layer() -> Story:
    story = Story()
    story.model({"fc": plain()})
    story.optimizer()
    return story


def test_silent_when_backward_reaches_the_parameters() -> None:
    story = one_layer()
    story.event("gradient-forced", 8)
    story.event("backward", 9)
    story.step(loss_reaches_nothing=False)
    assert not list(check(story.trace()))


def test_silent_when_that_is_not_known() -> None:
    story = one_layer()
    story.event("gradient-forced", 8)
    story.step(parameters=NONE)
    assert not list(check(story.trace()))


def test_silent_for_the_constant_loss_of_an_empty_batch() -> None:
    story = one_layer()
    story.event("backward", 9)
    story.step(parameters=NONE, loss_reaches_nothing=True)
    story.event("backward", 9)
    story.step(loss_reaches_nothing=False)
    assert not list(check(story.trace()))


def test_silent_when_there_is_nothing_to_train() -> None:
    story = one_layer()
    story.freeze()
    story.step(loss_reaches_nothing=True)
    assert not list(check(story.trace()))


def test_a_loss_that_was_made_to_require_grad() -> None:
    story = one_layer()
    for _ in range(2):
        story.event("detached", 6, parameters=tuple(story.ids()))
        story.event("gradient-forced", 8)
        story.event("backward", 9)
        story.step(parameters=NONE, loss_reaches_nothing=True)
    (fault,) = check(story.trace())
    assert fault.location == at(8)
    assert fault.message == (
        "the loss was made to require grad here, but is cut from the graph: backward reaches none of 2 "
        "trainable parameters, and nothing "
        "trains; remove this, and mend the cut that the error then points to"
    )
    assert [related.location for related in fault.related] == [at(6)]
    assert fault.subjects == ("model.fc.weight", "model.fc.bias")


def test_a_loss_built_anew_is_told_at_backward() -> None:
    story = one_layer()
    event = story.event("gradient-forced", 5)
    story.event("backward", 9)
    story.step(
        parameters=NONE,
        loss_reaches_nothing=True,
        leaves=[GradientLeaf(0, "", (16, 4), used=False, forced=event.index)],
    )
    (fault,) = check(story.trace())
    assert fault.location == at(9)
    assert fault.message.startswith("the loss is a new tensor that requires grad, but is cut from the graph")


def test_of_what_is_trained_nothing_is_known() -> None:
    """The source of the model is not known: but there is an optimizer, and backward reaches nothing."""
    story = Story()
    story.model({"fc": plain()})
    story.optimizer(groups=())
    story.event("gradient-forced", 8)
    story.event("backward", 9)
    step = story.step(parameters=NONE, loss_reaches_nothing=True)
    states = tuple(replace(state, complete=False) for state in step.optimizers)
    story.steps[-1] = replace(step, optimizers=states)
    (fault,) = check(story.trace())
    assert fault.location == at(8)
    assert "backward reaches no parameter, and nothing trains" in fault.message
