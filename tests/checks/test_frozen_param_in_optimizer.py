"""FRZ201 on traces made by hand."""

from freezelint.checks.optimizers.frozen_param_in_optimizer import check
from tests.story import Story, at, norm, plain


def backbone_and_head() -> Story:
    story = Story()
    story.model({"conv": plain(), "bn": norm(), "fc": plain()}, pretrained=["conv", "bn"], fresh=["fc"])
    return story


def test_silent_when_nothing_is_frozen() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_optimizer_holds_the_trainable_parameters_only() -> None:
    story = backbone_and_head()
    story.freeze("conv", "bn")
    story.optimizer("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_toggle_within_an_iteration() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.freeze("conv")
    story.step()
    story.unfreeze("conv")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_script_still_has_an_unfreeze_ahead() -> None:
    story = backbone_and_head()
    story.freeze("conv")
    story.optimizer()
    story.step()
    story.pending.append(at(30))
    assert not list(check(story.trace()))


def test_frozen_backbone_in_the_optimizer() -> None:
    story = backbone_and_head()
    story.freeze("conv", "bn", line=3)
    story.optimizer(line=7)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(7)
    assert fault.message == (
        "SGD holds `conv` and `bn` (4 parameters), which cannot train (frozen on line 3); give it the trainable parameters only"
    )
    assert [related.location for related in fault.related] == [at(3)]
    assert fault.subjects == ("model.conv.weight", "model.conv.bias", "model.bn.weight", "model.bn.bias")
