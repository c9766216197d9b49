"""FRZ403 on traces made by hand."""

from typing import Any

from freezelint.checks.heads.inverted_layer_rates import check
from tests.story import Story, at, plain

LAYERS = {"layer1": plain(), "layer2": plain(), "layer3": plain(), "fc": plain()}


def rates(story: Story, line: int = 4, **by_layer: float) -> None:
    story.optimizer(groups=[story.group(name, lr=rate) for name, rate in by_layer.items()], line=line)


def layered(**origins: Any) -> Story:
    story = Story()
    story.model(LAYERS, **(origins or {"pretrained": True}))
    return story


def test_silent_when_rates_grow_towards_the_output() -> None:
    story = layered()
    rates(story, layer1=0.001, layer2=0.002, layer3=0.003, fc=0.01)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_all_groups_share_one_rate() -> None:
    story = layered()
    rates(story, layer1=0.01, layer2=0.01, layer3=0.01, fc=0.01)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_groups_split_by_weight_decay() -> None:
    story = layered()
    weights = [f"{name}.weight" for name in LAYERS]
    biases = [f"{name}.bias" for name in LAYERS]
    story.optimizer(groups=[story.group(*weights, lr=0.1), story.group(*biases, lr=0.01)])
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_early_layers_are_new_and_may_learn_faster() -> None:
    story = layered(pretrained=["layer2", "layer3", "fc"], fresh=["layer1"])
    rates(story, layer1=0.1, layer2=0.01, layer3=0.01, fc=0.01)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_origins_are_unknown() -> None:
    story = layered(pretrained=["layer1"])
    rates(story, layer1=0.1, layer2=0.01)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_faster_parameters_are_frozen() -> None:
    story = layered()
    story.freeze("layer1", "layer2")
    rates(story, layer1=0.1, layer2=0.1, layer3=0.01, fc=0.01)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_two_towers_side_by_side() -> None:
    story = layered()
    rates(story, layer1=0.1, layer2=0.1, layer3=0.01, fc=0.01)
    story.step(modules={"layer3": {"input_requires_grad": False}})
    assert not list(check(story.trace()))


def test_silent_for_two_heads_on_one_trunk() -> None:
    story = layered()
    rates(story, layer1=0.001, layer2=0.001, layer3=0.02, fc=0.01)
    story.step()
    assert not list(check(story.trace()))


def test_silent_where_the_flow_between_the_groups_is_unknown() -> None:
    story = layered()
    rates(story, layer1=0.1, fc=0.01)
    story.step(modules={"layer2": {"input_requires_grad": None}})
    assert not list(check(story.trace()))


def test_silent_for_parameters_of_the_model_itself_whose_place_is_unknown() -> None:
    """CLIP's temperature belongs to the model, which starts first, but is used last."""
    story = Story()
    story.model({"clip": plain((1,)), "clip.text": plain(), "clip.image": plain()}, pretrained=True)
    rates(story, **{"clip.weight": 0.1, "clip.text": 0.01, "clip.image": 0.01})
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_different_optimizers() -> None:
    story = layered()
    story.optimizer("layer1", "layer2", lr=0.1)
    story.optimizer("layer3", "fc", lr=0.01)
    story.step()
    story.step(optimizer=1)
    assert not list(check(story.trace()))


def test_silent_for_a_group_added_later_at_another_point_of_its_schedule() -> None:
    story = layered()
    head = story.group("fc", lr=0.0001, initial_lr=0.1)
    story.optimizer(groups=[head])
    story.add_group("layer1", "layer2", "layer3", lr=0.01)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_later_rate_is_zero_which_is_another_fault() -> None:
    story = layered()
    rates(story, layer1=0.1, layer2=0.1, layer3=0.1, fc=0.0)
    story.step()
    assert not list(check(story.trace()))


def test_rates_in_reverse() -> None:
    story = layered()
    rates(story, line=9, layer1=0.1, layer2=0.05, layer3=0.02, fc=0.01)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(9)
    assert fault.message.startswith(
        "the pretrained `layer1` (2 parameters) learn at 0.1, faster than "
        "`fc` (2 parameters) at 0.01 nearer to the output"
    )


def test_backbone_faster_than_its_new_head() -> None:
    story = layered(pretrained=["layer1", "layer2", "layer3"], fresh=["fc"])
    story.optimizer(groups=[story.group("fc", lr=0.001), story.group("layer1", "layer2", "layer3", lr=0.01)])
    story.step()
    assert len(list(check(story.trace()))) == 1


def test_order_of_execution_decides_not_order_of_registration() -> None:
    story = layered()
    rates(story, layer1=0.1, layer2=0.01, layer3=0.01, fc=0.01)
    story.step(modules={"layer1": {"order": 9}, "layer2": {"input_requires_grad": False}})
    assert not list(check(story.trace()))


def test_group_added_with_too_high_a_rate() -> None:
    story = layered()
    story.optimizer("layer3", "fc", lr=0.01, line=4)
    story.add_group("layer1", "layer2", lr=0.1, line=12)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(12)
    assert [related.location for related in fault.related] == [at(4)]
