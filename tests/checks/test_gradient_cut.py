"""FRZ303 on traces made by hand."""

from typing import Any

from freezelint.checks.gradients.gradient_cut import check
from tests.story import Story, at, norm, plain

NONE: dict[str, Any] = {"gradient": "none", "moved": False}
NO_GRAD: dict[str, Any] = {"with_gradient": False, "without_gradient": True}
CUT_OFF = {"fc": {"input_requires_grad": False}}


def backbone_and_head() -> Story:
    story = Story()
    story.model({"conv": plain(), "bn": norm(), "fc": plain()})
    return story


def test_silent_when_everything_gets_a_gradient() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_frozen_block_under_no_grad() -> None:
    story = backbone_and_head()
    story.freeze("conv", "bn")
    story.optimizer()
    story.step(modules={"conv": NO_GRAD, "bn": NO_GRAD})
    assert not list(check(story.trace()))


def test_silent_when_the_optimizer_does_not_hold_them() -> None:
    story = backbone_and_head()
    story.optimizer("fc")
    story.step(parameters={"conv": NONE, "bn": NONE}, modules={"conv": NO_GRAD, "bn": NO_GRAD})
    assert not list(check(story.trace()))


def test_silent_for_a_module_that_did_not_run() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step(parameters={"bn": NONE}, skipped=["bn"])
    assert not list(check(story.trace()))


def test_silent_when_no_cut_was_seen() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step(parameters={"conv": NONE})
    assert not list(check(story.trace()))


def test_silent_when_the_gradient_is_zero() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step(parameters={"conv": {"gradient": "zero"}}, modules={"conv": NO_GRAD})
    assert not list(check(story.trace()))


def test_silent_when_it_ran_both_ways() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step(parameters={"conv": NONE}, modules={"conv": {"with_gradient": True, "without_gradient": True}})
    assert not list(check(story.trace()))


def test_silent_when_another_step_gives_them_a_gradient() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step(parameters={"conv": NONE}, modules={"conv": NO_GRAD})
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_another_optimizer_holds_them_too() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.optimizer("conv")
    story.step(parameters={"conv": NONE}, modules={"conv": NO_GRAD})
    assert not list(check(story.trace()))


def test_silent_for_a_detach_of_what_gets_its_gradient_elsewhere() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.event("detached", 9, parameters=tuple(story.ids("conv", "bn")))
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_a_head_that_is_in_no_loss_is_detached_for_a_log() -> None:
    story = Story()
    story.model({"body": plain(), "main": plain(), "other": plain()})
    story.optimizer()
    story.event("detached", 9, parameters=tuple(story.ids("body", "other")))
    story.step(parameters={"other": NONE})
    assert not list(check(story.trace()))


def test_silent_for_a_detach_in_an_earlier_iteration() -> None:
    story = backbone_and_head()
    story.optimizer("fc")
    story.event("detached", 9, parameters=tuple(story.ids("conv")))
    story.step(parameters={"conv": NONE}, modules=CUT_OFF)
    story.groups[0] = [story.group()]
    story.step(parameters={"conv": NONE}, modules=CUT_OFF)
    assert not list(check(story.trace()))


def test_silent_for_a_target_network_that_is_updated_by_hand() -> None:
    story = Story()
    network = {"0": plain(), "1": plain()}
    story.model(
        {f"online.{k}": v for k, v in network.items()} | {f"target.{k}": v for k, v in network.items()}
    )
    story.optimizer()
    story.step(parameters={"target": NONE}, modules={"target": NO_GRAD})
    assert not list(check(story.trace()))


def test_silent_where_a_reentrant_checkpoint_is_the_cause() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step(parameters={"conv": NONE}, modules={"conv": {**NO_GRAD, "cut_by_checkpoint": True}})
    assert not list(check(story.trace()))


def test_silent_when_a_condition_decides_about_no_grad() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step(parameters={"conv": NONE}, modules={"conv": {**NO_GRAD, "conditional_cut": True}})
    assert not list(check(story.trace()))


def test_silent_when_a_condition_decides_about_the_detach() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.event("detached", 9, parameters=tuple(story.ids("conv")), conditional=True)
    story.step(parameters={"conv": NONE}, modules=CUT_OFF)
    assert not list(check(story.trace()))


def test_a_trainable_backbone_under_no_grad() -> None:
    story = backbone_and_head()
    story.optimizer(line=4)
    for _ in range(2):
        story.step(parameters={"conv": NONE, "bn": NONE}, modules={"conv": NO_GRAD, "bn": NO_GRAD})
    (fault,) = check(story.trace())
    assert fault.location == at(4)
    assert fault.message == (
        "`conv` and `bn` (4 parameters) did not train in the steps watched: they are trainable and in the "
        "optimizer, but ran only under `no_grad` (or `inference_mode`) and got no gradient; "
        "run them with gradients, or freeze them and leave "
        "them out of the optimizer"
    )
    assert fault.subjects == ("model.conv.weight", "model.conv.bias", "model.bn.weight", "model.bn.bias")


def test_what_was_unfrozen_is_told_at_the_unfreeze() -> None:
    story = backbone_and_head()
    story.freeze(line=2)
    story.unfreeze("conv", "fc", line=3)
    story.optimizer("conv", "fc")
    story.step(parameters={"conv": NONE}, modules={"conv": NO_GRAD})
    assert [fault.location for fault in check(story.trace())] == [at(3)]


def test_a_detached_backbone() -> None:
    story = backbone_and_head()
    story.optimizer(line=4)
    for _ in range(2):
        story.event("detached", 9, parameters=tuple(story.ids("conv", "bn")))
        story.step(parameters={"conv": NONE, "bn": NONE}, modules=CUT_OFF)
    (fault,) = check(story.trace())
    assert fault.location == at(9)
    assert fault.message == (
        "`conv` and `bn` (4 parameters) did not train in the steps watched: their output is cut from the "
        "graph here, and they got no gradient; remove the "
        "cut, or freeze them and leave them out of the optimizer"
    )
    assert [related.location for related in fault.related] == [at(4)]


def test_of_several_detaches_the_one_that_cuts_is_told() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.event("detached", 9, parameters=tuple(story.ids("conv")))
    story.event("detached", 12, parameters=tuple(story.ids()))
    story.step(parameters={"conv": NONE}, modules=CUT_OFF)
    assert [fault.location for fault in check(story.trace())] == [at(9)]


def test_a_backward_that_fails_because_the_loss_was_detached() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.event("detached", 9, parameters=tuple(story.ids()))
    story.step(parameters={"": NONE}, phase="backward")
    assert [fault.location for fault in check(story.trace())] == [at(9)]
