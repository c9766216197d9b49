"""FRZ101 on traces made by hand."""

from typing import Any

from freezelint.checks.modes.frozen_norm_in_train_mode import check
from tests.story import Story, at, norm, plain


def backbone_and_head(**settings: Any) -> Story:
    story = Story()
    layers = {"conv": plain(), "bn": norm(**settings), "fc": plain()}
    story.model(layers, pretrained=["conv", "bn"], fresh=["fc"])
    return story


def frozen_backbone_in_train_mode(**settings: Any) -> Story:
    story = backbone_and_head(**settings)
    story.freeze("conv", "bn", line=3)
    story.optimizer("fc")
    story.train(line=6)
    return story


def silent(story: Story) -> bool:
    return not list(check(story.trace()))


def test_silent_when_nothing_is_frozen() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.train()
    story.step()
    assert silent(story)


def test_silent_when_the_frozen_norm_is_put_in_eval_after_every_train() -> None:
    story = frozen_backbone_in_train_mode()
    for _ in range(2):
        story.train(line=6)
        story.eval("bn", line=7)
        story.step()
    assert silent(story)


def test_silent_for_a_class_that_keeps_its_norm_layers_in_eval_by_overriding_train() -> None:
    story = frozen_backbone_in_train_mode(overrides_train=True)
    story.eval("bn", line=2)
    story.train(line=6)
    story.step()
    assert silent(story)


def test_silent_for_a_trainable_norm_in_a_new_head() -> None:
    story = Story()
    story.model({"body": plain(), "head.bn": norm(), "head.fc": plain()}, fresh=["head"])
    story.freeze("body")
    story.optimizer("head")
    story.train()
    story.step()
    assert silent(story)


def test_silent_for_norms_without_running_statistics() -> None:
    for settings in ({"has_statistics": False}, {"tracks": False, "has_statistics": False}):
        story = frozen_backbone_in_train_mode(**settings)
        story.step()
        assert silent(story)


def test_silent_for_a_norm_held_by_a_side_setting() -> None:
    """That is FRZ103."""
    story = frozen_backbone_in_train_mode(momentum=0.0)
    story.step()
    assert silent(story)


def test_silent_where_the_statistics_are_seen_not_to_move() -> None:
    story = frozen_backbone_in_train_mode()
    story.step(modules={"bn": {"statistics_moved": False}})
    assert silent(story)


def test_silent_for_a_class_of_the_user_s_unless_its_statistics_are_seen_to_move() -> None:
    story = frozen_backbone_in_train_mode(library="__main__")
    story.step(modules={"bn": {"statistics_moved": None}})
    assert silent(story)
    story.step(modules={"bn": {"statistics_moved": True}})
    assert not silent(story)


def test_silent_for_frozen_batch_norm_of_torchvision() -> None:
    story = Story()
    frozen = {"class_name": "FrozenBatchNorm2d", "library": "torchvision", "shapes": ()}
    story.model({"block.conv": plain(), "block.bn": norm() | frozen, "fc": plain()})
    story.freeze("block")
    story.optimizer("fc")
    story.train()
    story.step(modules={"block.bn": {"statistics_moved": None}})
    assert silent(story)


def test_silent_when_the_mode_is_unknown() -> None:
    story = frozen_backbone_in_train_mode()
    story.step(modules={"bn": {"training": None}})
    assert silent(story)


def test_silent_when_the_run_in_train_mode_was_not_the_training() -> None:
    """A look at the shapes before the freeze, or a calibration; in the step itself it is in eval mode."""
    story = frozen_backbone_in_train_mode()
    story.eval("bn", line=8)
    story.step(modules={"bn": {"training": True, "cause": None, "statistics_moved": True}})
    assert silent(story)


def test_silent_when_the_layer_did_not_run() -> None:
    story = frozen_backbone_in_train_mode()
    story.step(skipped=["bn"])
    assert silent(story)


def test_silent_for_a_toggle_within_an_iteration() -> None:
    """The discriminator of a GAN, frozen while the generator steps."""
    story = Story()
    story.model({"conv": plain()}, "generator")
    story.optimizer("conv", line=4)
    story.model({"layer": plain(), "bn": norm()}, "discriminator")
    story.optimizer("layer", "bn", line=5)
    story.freeze("layer", "bn")
    story.step(optimizer=0)
    assert silent(story), "only the generator's half was seen, but another optimizer holds the layer"
    story.unfreeze("layer", "bn")
    story.step(optimizer=1)
    assert silent(story)


def test_silent_for_a_momentum_encoder_written_by_hand() -> None:
    story = Story()
    encoder = {"conv": plain(), "bn": norm()}
    layers = {f"{name}.{path}": layer for name in ("query", "key") for path, layer in encoder.items()}
    story.model(layers)
    story.freeze("key")
    story.optimizer("query")
    story.train()
    without = {"with_gradient": False, "without_gradient": True}
    story.step(modules={"key": without})
    assert silent(story), "one step does not tell whether a copy stands still"
    story.step(modules={"key": without}, parameters={"key": {"moved": True}})
    assert silent(story)


def test_silent_for_a_momentum_encoder_that_the_optimizer_of_the_whole_holds() -> None:
    story = Story()
    encoder = {"conv": plain(), "bn": norm()}
    layers = {f"{name}.{path}": layer for name in ("online", "target") for path, layer in encoder.items()}
    story.model(layers, "learner")
    story.freeze("target")
    story.optimizer()
    story.train()
    for _ in range(2):
        story.step(
            modules={"target": {"with_gradient": False, "without_gradient": True}},
            parameters={"target": {"moved": False}},
        )
    assert silent(story), "the optimizer did not move the copy; what moved it between the steps is unknown"


def test_silent_for_a_whole_model_that_is_never_trained() -> None:
    """A teacher in train mode is FRZ107."""
    story = Story()
    story.model({"fc": plain()}, "student")
    story.optimizer("fc")
    story.model({"conv": plain(), "bn": norm()}, "teacher", pretrained=True)
    story.freeze("conv", "bn")
    story.train()
    without = {"with_gradient": False, "without_gradient": True}
    story.step(modules={"": without, "conv": without, "bn": without})
    assert silent(story)


def test_silent_when_the_eval_of_the_freeze_was_undone() -> None:
    """That is FRZ102."""
    story = backbone_and_head()
    story.freeze("conv", "bn", line=3)
    story.eval("bn", line=4)
    story.optimizer("fc")
    story.train(line=6)
    story.step()
    assert silent(story)


def test_frozen_norm_in_train_mode() -> None:
    story = backbone_and_head()
    story.freeze("bn", line=3)
    story.optimizer("conv", "fc")
    story.train(line=6)
    story.step()
    (fault,) = check(story.trace())
    assert fault.message == (
        "`bn` is frozen (line 3) but runs in train mode (line 6): its running statistics drift; "
        "call `.eval()` on it after every `train()`"
    )
    assert fault.location == at(6)
    assert [related.location for related in fault.related] == [at(3)]
    assert fault.subjects == ("model.bn",)


def test_frozen_blocks_are_told_together_and_once_for_all_steps() -> None:
    story = Story()
    layers = {f"layer{i}.{j}": norm() for i in (1, 2, 3) for j in (0, 1)}
    story.model({**layers, "fc": plain()}, pretrained=["layer1", "layer2", "layer3"])
    story.freeze("layer1", "layer2", "layer3", line=12)
    story.optimizer("fc")
    for _ in range(2):
        story.train(line=31)
        story.step()
    (fault,) = check(story.trace())
    assert fault.message == (
        "`layer1`…`layer3` are frozen (line 12) but run in train mode (line 31): 6 BatchNorm layers drift; "
        "call `.eval()` on them after every `train()`"
    )
    assert fault.evidence["layers"] == 6


def test_without_any_train_call_the_freeze_is_to_blame() -> None:
    story = backbone_and_head()
    story.freeze("bn", line=3)
    story.optimizer("fc")
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(3)
    assert fault.message == (
        "`bn` is frozen (line 3) but runs in train mode: its running statistics drift; call `.eval()` on "
        "it before training"
    )


def test_a_norm_without_parameters_counts_as_frozen_inside_a_frozen_block() -> None:
    story = Story()
    bare = norm(settings={"affine": False}) | {"shapes": ()}
    story.model({"block.conv": plain(), "block.bn": bare, "fc": plain()}, pretrained=["block"])
    story.freeze("block", line=3)
    story.optimizer("fc")
    story.train(line=6)
    story.step()
    (fault,) = check(story.trace())
    assert fault.subjects == ("model.block.bn",)
    assert [related.location for related in fault.related] == [at(3)]


def test_the_ordinary_eval_for_validation_is_no_part_of_a_freeze() -> None:
    story = frozen_backbone_in_train_mode()
    for _ in range(2):
        story.train(line=20)
        story.step()
        story.eval(line=30)
    (fault,) = check(story.trace())
    assert fault.location == at(20)


def test_cumulative_averaging_drifts_too() -> None:
    story = frozen_backbone_in_train_mode(momentum=None)
    story.step()
    assert not silent(story)


def test_an_untrained_backbone_run_with_gradients_drifts() -> None:
    story = Story()
    story.model({"conv": plain(), "bn": norm()}, "backbone", pretrained=True)
    story.freeze(line=3)
    story.train(line=6)
    story.model({"fc": plain()}, "head")
    story.optimizer("fc")
    story.step()
    (fault,) = check(story.trace())
    assert fault.message.startswith(
        "`backbone` is frozen (line 3) but runs in train mode (line 6): 1 BatchNorm layer drifts;"
    )


def test_a_frozen_new_head_is_told_apart_from_the_backbone() -> None:
    """Its drift follows from FRZ402, which must not explain away that of the backbone."""
    story = Story()
    story.model({"body": norm(), "head": norm(), "fc": plain()}, pretrained=["body"], fresh=["head", "fc"])
    story.freeze("body", "head", line=3)
    story.optimizer("fc")
    story.train(line=6)
    story.step()
    assert [fault.subjects for fault in check(story.trace())] == [("model.body",), ("model.head",)]
