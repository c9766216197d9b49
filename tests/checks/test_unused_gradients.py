"""FRZ301 on traces made by hand."""

from freezelint.checks.gradients.unused_gradients import check
from freezelint.evidence import Group
from tests.story import Story, at, plain


def backbone_and_head() -> Story:
    story = Story()
    story.model(
        {"layer1.conv": plain(), "layer1.act": plain(shapes=()), "layer2": plain(), "fc": plain()},
        pretrained=["layer1", "layer2"],
        fresh=["fc"],
        line=1,
    )
    return story


def test_silent_when_everything_is_optimised() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_rest_is_frozen() -> None:
    story = backbone_and_head()
    story.freeze("layer1", "layer2")
    story.optimizer("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_without_gradients() -> None:
    """Features computed under `no_grad` on purpose."""
    story = backbone_and_head()
    story.optimizer("fc")
    story.step(
        parameters={"layer1": {"gradient": "none"}, "layer2": {"gradient": "zero"}},
    )
    assert not list(check(story.trace()))


def test_silent_for_separate_optimizers() -> None:
    """GANs and actor-critic: every part has an optimizer, whichever steps first."""
    story = backbone_and_head()
    story.optimizer("fc")
    story.step()
    story.optimizer("layer1", "layer2")
    story.step(optimizer=1)
    assert not list(check(story.trace()))


def test_silent_for_updates_by_hand_and_where_they_are_possible() -> None:
    for moved in (True, None):
        story = backbone_and_head()
        story.optimizer("fc")
        story.step(parameters={"layer1": {"moved": None}, "layer2": {"moved": None}})
        story.step(parameters={"layer1": {"moved": moved}, "layer2": {"moved": moved}})
        assert not list(check(story.trace()))


def test_silent_for_what_somebody_set_on_purpose() -> None:
    """Explicitly unfrozen: FRZ210 or FRZ203."""
    story = backbone_and_head()
    story.unfreeze("layer1", "layer2")
    story.optimizer("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_only_biases_are_tuned() -> None:
    story = backbone_and_head()
    story.optimizer("layer1.conv.bias", "layer2.bias", "fc.bias")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_model_whose_gradients_user_code_may_read() -> None:
    """A worker of A3C, a clone of MAML: not loaded, not optimised itself, its gradients copied elsewhere."""
    story = Story()
    story.model({"body": plain()}, name="shared")
    story.optimizer()
    story.model({"body": plain()}, name="worker")
    story.step()
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_loaded_clone_that_is_synchronised() -> None:
    story = Story()
    story.model({"body": plain()}, name="shared", pretrained=True)
    story.optimizer()
    story.model({"copy": plain()}, name="worker", pretrained=True)
    for moved in (None, True):
        story.step(parameters={"copy": {"moved": moved}})
    assert not list(check(story.trace()))


def test_backbone_left_out() -> None:
    story = backbone_and_head()
    story.optimizer("fc", line=4)
    story.step(modules={"layer1": {"saved_bytes": 1024}, "fc": {"saved_bytes": 4096}})
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(4)
    assert fault.message == (
        "No optimizer holds `layer1` and `layer2` (4 parameters), yet backward() computes their gradients: "
        "they take 160 B and their activations 3.0 KiB per step, and SGD.zero_grad() never clears them; "
        "freeze them, or give them to the optimizer"
    )
    assert [related.location for related in fault.related] == [at(1)]
    assert fault.subjects == (
        "model.layer1.conv.weight",
        "model.layer1.conv.bias",
        "model.layer2.weight",
        "model.layer2.bias",
    )


def test_activations_behind_a_trained_layer_are_needed_anyway() -> None:
    story = backbone_and_head()
    story.optimizer("layer1", line=4)
    story.step(modules={"layer2": {"saved_bytes": 1024}})
    (fault,) = check(story.trace())
    assert "they take 160 B per step" in fault.message


def test_loaded_backbone_that_is_a_model_of_its_own() -> None:
    story = Story()
    story.model({"conv": plain()}, name="backbone", pretrained=True, line=1)
    story.model({"fc": plain()}, name="head", line=2)
    story.optimizer("fc", line=4)
    story.step(parameters={})
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(1), "it is to be frozen where it is built"
    assert fault.message.endswith("SGD.zero_grad() never clears them; freeze them where the model is built")
    assert fault.subjects == ("backbone.conv.weight", "backbone.conv.bias")
    assert [related.location for related in fault.related] == [at(4)]


def test_loaded_network_that_measures_an_image_that_is_optimised() -> None:
    """Style transfer without a freeze: every backward adds to gradients that nothing clears."""
    story = Story()
    story.model({"conv": plain()}, name="vgg", pretrained=True, line=1)
    image = story.tensor()
    story.optimizer(groups=[Group((image,), lr=0.1)], line=4)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(1)
    assert fault.subjects == ("vgg.conv.weight", "vgg.conv.bias")
