"""FRZ401 on traces made by hand."""

from typing import Any

import pytest

from freezelint.checks.heads.untrained_head_full_unfreeze import check
from freezelint.evidence import Schedule
from tests.story import Story, at, norm, plain

LAYERS = {"conv": plain((8, 8), (8,)), "bn": norm(), "layer4": plain((8, 8), (8,)), "fc": plain((2, 8), (2,))}
BACKBONE = ["conv", "bn", "layer4"]


def new_head(**origins: Any) -> Story:
    story = Story()
    story.model(LAYERS, **(origins or {"pretrained": BACKBONE, "fresh": ["fc"]}))
    return story


def found(story: Story) -> list[str]:
    return [fault.message for fault in check(story.trace())]


@pytest.mark.parametrize(
    "class_name", ["Adam", "AdamW", "RAdam", "FusedLAMB", "Lion", "Adafactor", "AdamW8bit"]
)
def test_silent_for_the_published_transformer_recipe(class_name: str) -> None:
    story = new_head()
    story.optimizer(class_name=class_name, lr=1e-4)
    story.step()
    assert not found(story)


def test_silent_for_optimizers_that_find_their_own_rate() -> None:
    story = new_head()
    story.optimizer(class_name="Prodigy", lr=1.0)
    story.step()
    assert not found(story)


def test_silent_during_a_warm_up_that_a_schedule_remembers() -> None:
    story = new_head()
    story.optimizer(lr=0.001, initial_lr=0.1)
    story.step()
    assert not found(story)


def test_silent_where_the_rate_was_lowered_after_the_optimizer_was_built() -> None:
    story = new_head()
    story.optimizer(lr=0.1)
    story.groups[0] = [story.group(lr=0.001)]
    story.step()
    assert not found(story)


def test_silent_where_the_rate_rises_with_the_steps() -> None:
    story = new_head()
    story.optimizer(lr=0.001)
    story.step()
    story.groups[0] = [story.group(lr=0.002)]
    story.step()
    assert not found(story)


def test_silent_for_a_one_cycle_schedule_which_starts_low() -> None:
    story = new_head()
    story.optimizer(lr=0.004, initial_lr=0.004)
    story.schedules.append(Schedule("OneCycleLR", 0))
    story.step()
    assert not found(story)


def test_silent_when_the_head_has_its_own_rate() -> None:
    story = new_head()
    story.optimizer(groups=[story.group(*BACKBONE, lr=0.01), story.group("fc", lr=0.1)])
    story.step()
    assert not found(story)


def test_silent_when_the_rates_grow_towards_the_head() -> None:
    story = new_head()
    rates = {"conv": 0.001, "bn": 0.001, "layer4": 0.1, "fc": 0.1}
    story.optimizer(groups=[story.group(name, lr=rate) for name, rate in rates.items()])
    story.step()
    assert not found(story)


@pytest.mark.parametrize(
    "origins", [{"fresh": True}, {"pretrained": True}, {"fresh": ["fc"]}, {"pretrained": BACKBONE}]
)
def test_silent_when_everything_has_one_origin_or_an_unknown_one(origins: dict[str, Any]) -> None:
    story = new_head(**origins)
    story.optimizer()
    story.step()
    assert not found(story)


def test_silent_when_part_of_the_backbone_is_frozen() -> None:
    story = new_head()
    story.freeze("conv")
    story.optimizer("bn", "layer4", "fc")
    story.step()
    assert not found(story)


def test_silent_when_the_optimizer_holds_the_head_only() -> None:
    story = new_head()
    story.optimizer("fc")
    story.step()
    assert not found(story)


def test_silent_when_no_gradient_reaches_the_backbone() -> None:
    story = new_head()
    story.optimizer()
    story.step(parameters={name: {"gradient": "none"} for name in BACKBONE})
    assert not found(story)


def test_silent_when_the_head_was_trained_alone_first() -> None:
    story = new_head()
    story.freeze(*BACKBONE)
    story.optimizer("fc", line=4)
    story.step()
    story.unfreeze(*BACKBONE)
    story.optimizer(line=9)
    story.step(optimizer=1)
    assert not found(story)


def test_silent_when_the_rate_is_unknown() -> None:
    story = new_head()
    story.optimizer(lr=None)
    story.step()
    assert not found(story)


def test_silent_when_new_adapters_sit_inside_and_the_head_is_pretrained() -> None:
    story = new_head(pretrained=["conv", "layer4", "fc"], fresh=["bn"])
    story.optimizer()
    story.step()
    assert not found(story)


def test_silent_for_a_new_norm_layer_at_the_end() -> None:
    story = Story()
    story.model({"conv": plain((8, 8)), "bn": norm()}, pretrained=["conv"], fresh=["bn"])
    story.optimizer()
    story.step()
    assert not found(story)


def test_silent_when_what_is_new_outweighs_what_is_pretrained() -> None:
    story = Story()
    story.model(
        {"encoder": plain((4, 4)), "decoder": plain((9, 9))}, pretrained=["encoder"], fresh=["decoder"]
    )
    story.optimizer()
    story.step()
    assert not found(story)


@pytest.mark.parametrize(("class_name", "rate"), [("SGD", 0.01), ("SGD", 1e-5), ("Adam", 0.001)])
def test_new_head_and_backbone_at_one_rate(class_name: str, rate: float) -> None:
    story = new_head()
    story.optimizer(class_name=class_name, lr=rate, line=7)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(7)
    assert fault.message.startswith(
        f"{class_name} trains the freshly initialised `fc` (2 parameters) together with the whole "
        f"pretrained backbone at one learning rate ({rate:g}) from the first step"
    )
    assert "model.fc.weight" in fault.subjects
    assert "model.conv.weight" in fault.subjects


def test_groups_that_differ_in_weight_decay_only_still_share_one_rate() -> None:
    story = new_head()
    decayed = [story.group(f"{name}.weight", lr=0.01, weight_decay=0.1) for name in LAYERS]
    others = [story.group(f"{name}.bias", lr=0.01) for name in LAYERS]
    story.optimizer(groups=[*decayed, *others])
    story.step()
    assert len(found(story)) == 1


def test_a_decaying_schedule_is_no_warm_up() -> None:
    story = new_head()
    story.optimizer(lr=0.1, initial_lr=0.1)
    story.schedules.append(Schedule("CosineAnnealingLR", 0))
    story.step()
    story.groups[0] = [story.group(lr=0.09, initial_lr=0.1)]
    story.step()
    assert len(found(story)) == 1
