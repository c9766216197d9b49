"""FRZ304 on traces made by hand."""

from typing import Any

from freezelint.checks.gradients.reentrant_checkpoint_cut import check
from tests.story import Story, at, plain

NONE: dict[str, Any] = {"gradient": "none", "moved": False}
CUT: dict[str, Any] = {"cut_by_checkpoint": True}


def three_layers() -> Story:
    story = Story()
    story.model({"stem": plain(), "body": plain(), "head": plain()})
    story.freeze("stem", line=2)
    return story


def test_silent_when_the_inputs_of_the_checkpoint_require_grad() -> None:
    story = three_layers()
    story.optimizer("body", "head")
    story.step(modules={"body": {"cut_by_checkpoint": False}})
    assert not list(check(story.trace()))


def test_silent_when_what_is_inside_is_frozen() -> None:
    story = three_layers()
    story.freeze("body")
    story.optimizer("head")
    story.step(modules={"body": CUT})
    assert not list(check(story.trace()))


def test_silent_when_the_stepping_optimizer_does_not_hold_it() -> None:
    story = three_layers()
    story.optimizer("head")
    story.optimizer("body")
    story.step(parameters={"body": NONE}, modules={"body": CUT})
    assert not list(check(story.trace()))


def test_silent_when_it_gets_a_gradient_all_the_same() -> None:
    story = three_layers()
    story.optimizer("body", "head")
    story.step(modules={"body": CUT})
    assert not list(check(story.trace()))


def test_trainable_layers_inside_the_checkpoint() -> None:
    story = three_layers()
    story.optimizer("body", "head", line=4)
    for _ in range(2):
        story.event("checkpointed", 8)
        story.step(parameters={"body": NONE}, modules={"body": CUT})
    (fault,) = check(story.trace())
    assert fault.location == at(8)
    assert fault.message == (
        "`body` (2 parameters) never train: they run inside a reentrant checkpoint none of whose inputs "
        "requires grad, so they get no "
        "gradient; checkpoint with `use_reentrant=False`, or call `enable_input_require_grads()`"
    )
    assert fault.subjects == ("model.body.weight", "model.body.bias")


def test_where_the_checkpoint_is_not_known_the_optimizer_is_told() -> None:
    story = three_layers()
    story.optimizer("body", "head", line=4)
    story.step(parameters={"body": NONE}, modules={"body": CUT})
    assert [fault.location for fault in check(story.trace())] == [at(4)]
