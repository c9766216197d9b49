"""FRZ402 on traces made by hand."""

from typing import Any

from freezelint.checks.heads.frozen_head import check
from tests.story import Story, at, plain

LAYERS = {"conv": plain(), "layer4": plain(), "fc": plain()}
BACKBONE = ["conv", "layer4"]


def new_head(**origins: Any) -> Story:
    story = Story()
    story.model(LAYERS, **(origins or {"pretrained": BACKBONE, "fresh": ["fc"]}))
    return story


def test_silent_when_the_head_is_trained() -> None:
    story = new_head()
    story.freeze("conv")
    story.optimizer("layer4", "fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_head_was_unfrozen_again() -> None:
    story = new_head()
    story.freeze()
    story.unfreeze("layer4", "fc")
    story.optimizer("layer4", "fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_head_of_unknown_origin_that_is_fixed_by_design() -> None:
    story = new_head(pretrained=BACKBONE)
    story.freeze("conv", "fc")
    story.optimizer("layer4")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_head_is_pretrained_too() -> None:
    story = new_head(pretrained=True)
    story.freeze("conv", "fc")
    story.optimizer("layer4")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_nothing_is_pretrained() -> None:
    story = new_head(fresh=True)
    story.freeze("fc")
    story.optimizer("conv", "layer4")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_nothing_trains_as_in_evaluation_or_a_target_network() -> None:
    story = new_head()
    story.freeze()
    story.optimizer("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_no_gradient_passes_the_head_as_in_a_frozen_copy_beside_the_trained_model() -> None:
    story = Story()
    story.model(
        {"online.conv": plain(), "online.fc": plain(), "target.conv": plain(), "target.fc": plain()},
        pretrained=["online.conv", "target.conv"],
        fresh=["online.fc", "target.fc"],
    )
    story.freeze("target")
    story.optimizer("online")
    story.step(modules={"target": {"input_requires_grad": False}})
    assert not list(check(story.trace()))


def test_silent_for_a_head_frozen_only_for_a_part_of_each_iteration() -> None:
    story = new_head()
    story.freeze("fc")
    story.optimizer()
    story.step()
    story.unfreeze("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_head_that_was_trained_before_it_was_frozen() -> None:
    story = new_head()
    story.freeze(*BACKBONE)
    story.optimizer()
    story.step()
    story.freeze("fc")
    story.unfreeze(*BACKBONE)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_code_that_froze_the_head_is_unknown() -> None:
    story = new_head()
    story.trainable.update(dict.fromkeys(story.ids("fc"), (False, None)))
    story.optimizer("conv", "layer4")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_another_new_head_before_it_is_trained() -> None:
    story = Story()
    story.model({**LAYERS, "other": plain()}, pretrained=BACKBONE, fresh=["fc", "other"])
    story.freeze("other")
    story.optimizer("conv", "layer4", "fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_backward_does_not_come_through_the_frozen_head_after_a_trained_one() -> None:
    story = Story()
    story.model({**LAYERS, "other": plain()}, pretrained=BACKBONE, fresh=["fc", "other"])
    story.freeze("other")
    story.optimizer("conv", "layer4", "fc")
    story.step(modules={"other": {"reached_by_backward": False}})
    assert not list(check(story.trace()))


def test_silent_when_the_frozen_module_did_not_run() -> None:
    story = new_head()
    story.freeze("fc")
    story.optimizer("conv", "layer4")
    story.step(skipped=["fc"])
    assert not list(check(story.trace()))


def test_head_frozen_with_everything_but_one_block() -> None:
    story = new_head()
    story.freeze("conv", "fc", line=5)
    story.optimizer("layer4")
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(5)
    assert fault.message.startswith(
        "`fc` (2 parameters) at the end of the model are freshly initialised and frozen"
    )
    assert fault.subjects == ("model.fc.weight", "model.fc.bias")


def test_every_layer_of_the_frozen_head_is_named() -> None:
    story = Story()
    story.model({"conv": plain(), "head.0": plain(), "head.2": plain()}, pretrained=["conv"], fresh=["head"])
    story.freeze("head.0", line=5)
    story.freeze("head.2", line=6)
    story.optimizer("conv")
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(5)
    assert [related.location for related in fault.related] == [at(6)]
    assert fault.message.startswith("`head` (4 parameters)")


def test_a_frozen_classifier_after_a_new_layer_that_was_unfrozen_again() -> None:
    """`pre_classifier` of a DistilBERT is unfrozen, `classifier` behind it is forgotten."""
    story = Story()
    story.model(
        {"body": plain(), "pre_classifier": plain(), "classifier": plain()},
        pretrained=["body"],
        fresh=["pre_classifier", "classifier"],
    )
    story.freeze(line=5)
    story.unfreeze("pre_classifier")
    story.optimizer()
    story.step(modules={"classifier": {"reached_by_backward": True}})
    (fault,) = check(story.trace())
    assert fault.location == at(5)
    assert fault.subjects == ("model.classifier.weight", "model.classifier.bias")
