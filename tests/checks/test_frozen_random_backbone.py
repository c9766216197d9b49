"""FRZ406 on traces made by hand."""

from typing import Any

import pytest

from freezelint.checks.heads.frozen_random_backbone import check
from tests.story import Story, at, plain

LAYERS = {"layer1": plain((8, 8), (8,)), "layer2": plain((8, 8), (8,)), "fc": plain((2, 8), (2,))}


def resnet(library: str = "torchvision", **origins: Any) -> Story:
    story = Story()
    story.model(LAYERS, class_name="ResNet", library=library, **(origins or {"fresh": True}))
    return story


def frozen_and_trained(story: Story, *frozen: str, head: str = "fc") -> Story:
    story.freeze(*frozen, line=3)
    story.optimizer(head)
    story.step()
    return story


@pytest.mark.parametrize(
    "origins", [{"pretrained": ["layer1", "layer2"], "fresh": ["fc"]}, {"fresh": ["fc"]}]
)
def test_silent_when_the_backbone_is_pretrained_or_its_origin_unknown(origins: dict[str, Any]) -> None:
    assert not list(check(frozen_and_trained(resnet(**origins), "layer1", "layer2").trace()))


def test_silent_for_a_model_of_the_users_own_which_may_be_random_features() -> None:
    assert not list(check(frozen_and_trained(resnet("__main__"), "layer1", "layer2").trace()))


def test_silent_for_a_random_target_network_in_which_nothing_is_trained() -> None:
    story = resnet()
    story.freeze()
    story.model({"predictor": plain()}, name="predictor", fresh=True)
    story.optimizer("predictor")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_random_target_beside_its_predictor_in_one_model() -> None:
    story = Story()
    target = {"target": {"class_name": "ResNet", "role": "container", "library": "torchvision"}}
    story.model({**target, "target.layer1": plain((8, 8)), "predictor": plain((8, 8))}, fresh=True)
    assert not list(check(frozen_and_trained(story, "target", head="predictor").trace()))


def test_silent_for_a_frozen_random_patch_projection() -> None:
    """MoCo v3 trains a vision transformer from scratch with a frozen first layer."""
    story = resnet()
    story.freeze("layer1")
    story.optimizer("layer2", "fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_it_was_pretrained_earlier_in_the_same_script() -> None:
    story = resnet()
    story.optimizer()
    story.step()
    story.freeze("layer1", "layer2")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_it_was_frozen_after_steps_that_were_not_recorded() -> None:
    story = resnet()
    story.optimizer()
    story.step()
    story.freeze("layer1", "layer2")
    story.step()
    del story.steps[0]
    assert not list(check(story.trace()))


def test_silent_when_the_freeze_is_not_in_the_users_code() -> None:
    story = resnet()
    story.trainable.update(dict.fromkeys(story.ids("layer1", "layer2"), (False, None)))
    story.optimizer("fc")
    story.step()
    assert not list(check(story.trace()))


def test_frozen_backbone_without_weights() -> None:
    story = frozen_and_trained(resnet(), "layer1", "layer2")
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(3)
    assert fault.message.startswith(
        "`layer1` and `layer2` (4 parameters) of ResNet are frozen with random weights (built on line 1)"
    )
    assert [related.location for related in fault.related] == [at(1)]


def test_frozen_backbone_inside_a_model_of_the_users_own() -> None:
    story = Story()
    backbone = {"backbone": {"class_name": "BertModel", "role": "container", "library": "transformers"}}
    story.model({**backbone, "backbone.layer": plain((8, 8), (8,)), "head": plain((2, 8), (2,))}, fresh=True)
    (fault,) = check(frozen_and_trained(story, "backbone", head="head").trace())
    assert fault.message.startswith("`backbone` (2 parameters) of BertModel are frozen with random weights")
