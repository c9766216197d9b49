"""FRZ202 on traces made by hand."""

from freezelint.checks.optimizers.frozen_param_still_moves import check
from tests.story import Story, at, plain


def two_layers() -> Story:
    story = Story()
    story.model({"body": plain(), "fc": plain()}, pretrained=["body"], fresh=["fc"])
    return story


def frozen_after_a_step(gradient: str, moved: bool | None = True, line: int = 12) -> Story:
    story = two_layers()
    story.optimizer(line=4)
    story.step()
    story.freeze("body", line=line)
    story.step(parameters={"body": {"gradient": gradient, "moved": moved}})
    return story


def test_silent_when_the_frozen_parameters_stay() -> None:
    assert not list(check(frozen_after_a_step("none", moved=False).trace()))


def test_silent_when_it_is_not_known_whether_they_move() -> None:
    assert not list(check(frozen_after_a_step("zero", moved=None).trace()))


def test_silent_for_a_teacher_that_is_updated_by_hand() -> None:
    story = two_layers()
    story.freeze("body")
    story.optimizer("fc")
    story.step(parameters={"body": {"moved": True}})
    assert not list(check(story.trace()))


def test_silent_for_a_toggle() -> None:
    story = frozen_after_a_step("zero")
    story.unfreeze("body", line=14)
    assert not list(check(story.trace()))


def test_silent_when_trainable_again_in_a_later_step() -> None:
    story = frozen_after_a_step("zero")
    story.unfreeze("body", line=14)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_gradients_assigned_by_hand() -> None:
    """Evolution strategies freeze everything and write `.grad` themselves: no backward before the freeze."""
    story = two_layers()
    story.freeze()
    story.optimizer()
    story.step(parameters={"": {"gradient": "nonzero", "moved": True}})
    assert not list(check(story.trace()))


def test_silent_for_an_optimizer_that_estimates_gradients_itself() -> None:
    story = two_layers()
    story.freeze()
    story.optimizer(class_name="ZerothOrder")
    story.step(parameters={"": {"gradient": "none", "moved": True}})
    assert not list(check(story.trace()))


def test_silent_when_the_cause_is_only_a_gradient_of_unknown_origin() -> None:
    story = two_layers()
    story.freeze("body")
    story.optimizer()
    story.step(parameters={"body": {"gradient": "nonzero", "moved": True}})
    assert not list(check(story.trace()))


def test_zeroed_gradient_under_momentum() -> None:
    (fault,) = check(frozen_after_a_step("zero", line=12).trace())
    assert fault.location == at(12)
    assert fault.message == (
        "SGD.step() changes `body` (2 parameters), frozen on line 12: their gradient was zeroed "
        "instead of cleared, so momentum, averages and weight decay still act on them; "
        "call `zero_grad(set_to_none=True)` or take them out of its groups"
    )
    assert [related.location for related in fault.related] == [at(4)]
    assert fault.subjects == ("model.body.weight", "model.body.bias")


def test_gradient_left_in_place() -> None:
    (fault,) = check(frozen_after_a_step("nonzero").trace())
    assert "a gradient from before the freeze is still in `.grad`" in fault.message


def test_gradient_from_a_backward_before_the_freeze() -> None:
    story = two_layers()
    story.optimizer()
    story.event("backward", 10)
    story.freeze("body", line=12)
    story.step(parameters={"body": {"gradient": "nonzero", "moved": True}})
    assert [fault.location for fault in check(story.trace())] == [at(12)]


def test_optimizer_that_decays_without_a_gradient() -> None:
    story = two_layers()
    story.freeze("body", line=3)
    story.optimizer(class_name="Muon")
    story.step(parameters={"body": {"gradient": "none", "moved": True}})
    (fault,) = check(story.trace())
    assert fault.location == at(3)
    assert "Muon.step() changes `body`" in fault.message
    assert "it moves parameters that have no gradient" in fault.message


def test_several_steps_are_one_finding_and_several_freezes_are_several() -> None:
    story = two_layers()
    story.optimizer()
    story.step()
    story.freeze("body.weight", line=12)
    story.freeze("body.bias", line=13)
    for _ in range(2):
        story.step(parameters={"body": {"gradient": "zero", "moved": True}})
    assert [fault.location for fault in check(story.trace())] == [at(12), at(13)]
