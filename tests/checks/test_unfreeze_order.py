"""FRZ405 on traces made by hand."""

from typing import Any

from freezelint.checks.heads.unfreeze_order import check
from tests.story import Story, at, norm, plain

EMBEDDING = {"class_name": "Embedding", "role": "embedding", "shapes": ((9, 4),)}
LAYERS = {"stem": plain(), "layer1": plain(), "layer2": plain(), "layer3": plain(), "fc": plain()}


def blocks(layers: dict[str, Any] | None = None, **origins: Any) -> Story:
    story = Story()
    story.model(
        layers or LAYERS,
        **(origins or {"pretrained": ["stem", "layer1", "layer2", "layer3"], "fresh": ["fc"]}),
    )
    return story


def trained_without(story: Story, *frozen: str, **overrides: Any) -> Story:
    story.freeze(*frozen, line=3)
    story.optimizer()
    story.step(**overrides)
    return story


def test_silent_for_a_frozen_prefix() -> None:
    assert not list(check(trained_without(blocks(), "stem", "layer1").trace()))


def test_silent_when_nothing_after_the_frozen_block_is_trained() -> None:
    assert not list(check(trained_without(blocks(), "layer2", "layer3", "fc").trace()))


def test_silent_for_trained_embeddings_before_a_frozen_body() -> None:
    story = blocks({"embeddings": EMBEDDING, "layer1": plain(), "fc": plain()}, pretrained=True)
    assert not list(check(trained_without(story, "layer1").trace()))


def test_silent_for_trained_norm_layers_in_a_frozen_body() -> None:
    story = blocks(
        {"conv1": plain(), "bn1": norm(), "conv2": plain(), "bn2": norm(), "fc": plain()}, pretrained=True
    )
    assert not list(check(trained_without(story, "conv1", "conv2").trace()))


def test_silent_for_trained_biases_only() -> None:
    story = trained_without(blocks(), *(f"{name}.weight" for name in LAYERS if name != "fc"))
    assert not list(check(story.trace()))


def test_silent_for_adapters_and_a_replaced_input_layer() -> None:
    """What is new before or inside the frozen part needs the gradient through it, as LoRA does."""
    layers = {"projector": plain(), "body1": plain(), "lora1": plain(), "body2": plain(), "lora2": plain()}
    story = blocks(layers, pretrained=["projector", "body1", "body2"], fresh=["lora1", "lora2"])
    assert not list(check(trained_without(story, "body1", "body2").trace()))
    story = blocks(pretrained=["layer1", "layer2", "layer3", "fc"], fresh=["stem"])
    assert not list(check(trained_without(story, "layer1", "layer2").trace()))


def test_silent_for_a_choice_by_kind_in_every_block_alike() -> None:
    names = [f"blocks.{number}.{kind}" for number in range(3) for kind in ("attn", "mlp")]
    story = blocks({name: plain() for name in (*names, "head")}, pretrained=True)
    assert not list(check(trained_without(story, *(name for name in names if name.endswith("mlp"))).trace()))


def test_silent_for_branches_side_by_side() -> None:
    story = trained_without(blocks(), "layer1", "layer2", modules={"layer1": {"input_requires_grad": False}})
    assert not list(check(story.trace()))


def test_silent_when_origins_are_unknown() -> None:
    assert not list(check(trained_without(blocks(fresh=["fc"]), "layer2").trace()))


def test_silent_when_all_is_fresh() -> None:
    assert not list(check(trained_without(blocks(fresh=True), "layer2").trace()))


def test_silent_for_a_toggle_within_an_iteration() -> None:
    story = trained_without(blocks(), "layer2")
    story.unfreeze("layer2")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_what_runs_after_belongs_to_another_optimizer() -> None:
    """A generator, a frozen perceptual network, and a discriminator in one module."""
    story = blocks({"generator": plain(), "vgg": plain(), "discriminator": plain()}, pretrained=True)
    story.freeze("vgg")
    story.optimizer("generator")
    story.optimizer("discriminator")
    story.step()
    story.step(optimizer=1)
    assert not list(check(story.trace()))


def test_silent_for_gradual_unfreezing_from_the_output() -> None:
    story = trained_without(blocks(), "stem", "layer1", "layer2", "layer3")
    for name in ("layer3", "layer2", "layer1", "stem"):
        story.unfreeze(name)
        story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_chain_thaw_which_trains_one_block_at_a_time() -> None:
    """Freezing everything again before the next block is a method, and nothing after the block is trained."""
    story = trained_without(blocks(pretrained=True), "stem", "layer1", "layer2", "layer3")
    for name in ("stem", "layer1", "layer2"):
        story.freeze()
        story.unfreeze(name)
        story.step()
    assert not list(check(story.trace()))


def test_silent_for_stages_in_two_towers() -> None:
    story = trained_without(blocks(), "stem", "layer1", "layer2", "layer3")
    parallel = {name: {"input_requires_grad": False} for name in ("layer2",)}
    for name in ("layer1", "layer3"):
        story.unfreeze(name)
        story.step(modules=parallel)
    assert not list(check(story.trace()))


def test_gap_between_unfrozen_blocks() -> None:
    story = blocks()
    story.freeze(line=3)
    story.unfreeze("layer1", line=5)
    story.unfreeze("fc", line=6)
    story.optimizer()
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(5)
    assert fault.message.startswith(
        "`layer2` and `layer3` (4 parameters) are frozen (line 3) between trained layers: "
        "`layer1` (2 parameters) run before, `fc` (2 parameters) after"
    )
    assert [related.location for related in fault.related] == [at(3)]


def test_gap_after_a_residual_block_whose_shortcut_starts_from_frozen_features() -> None:
    layers = {
        "stem": plain(),
        "layer1.conv": plain(),
        "layer1.shortcut": plain(),
        "layer2": plain(),
        "fc": plain(),
    }
    story = blocks(layers, pretrained=True)
    shortcut = {"layer1.shortcut": {"input_requires_grad": False}}
    assert len(list(check(trained_without(story, "stem", "layer2", modules=shortcut).trace()))) == 1


def test_gap_by_freezing_a_block_in_the_middle() -> None:
    (fault,) = check(trained_without(blocks(), "layer2").trace())
    assert fault.location == at(3)


def test_gap_in_order_of_execution_though_not_of_registration() -> None:
    orders = {"layer3": {"order": 1}, "stem": {"order": 4}}
    flow = {name: {"input_requires_grad": True} for name in ("layer1", "layer2")}
    stem_runs_late = {**flow, "stem": {"order": 4, "input_requires_grad": True}, "layer3": orders["layer3"]}
    assert len(list(check(trained_without(blocks(), "stem", modules=stem_runs_late).trace()))) == 1
    assert not list(check(trained_without(blocks(), "layer3", modules=orders).trace()))


def test_gradual_unfreezing_from_the_input() -> None:
    story = trained_without(blocks(), "stem", "layer1", "layer2", "layer3")
    for line, name in ((30, "layer1"), (35, "layer2")):
        story.unfreeze(name, line=line)
        story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(35)
    assert fault.message.startswith(
        "`layer1` (2 parameters) are unfrozen (line 30) before `layer2` (2 parameters), nearer to the output"
    )
    assert [related.location for related in fault.related] == [at(30)]
