"""FRZ106 on traces made by hand."""

from freezelint.checks.modes.norm_half_frozen import check
from tests.story import Story, at, norm, plain


def network() -> Story:
    story = Story()
    story.model({"conv": plain(), "bn": norm(), "fc": plain()})
    return story


def silent(story: Story) -> bool:
    return not list(check(story.trace()))


def test_silent_when_nothing_or_everything_of_the_norm_is_frozen() -> None:
    story = network()
    story.optimizer()
    story.step()
    story.freeze("bn")
    story.eval("bn")
    story.step()
    assert silent(story)


def test_silent_for_layers_without_statistics() -> None:
    story = Story()
    story.model({"norm": norm(has_statistics=False), "fc": plain()})
    story.freeze("norm.weight")
    story.optimizer()
    story.eval()
    story.step()
    assert silent(story)


def test_silent_where_only_biases_are_trained() -> None:
    story = network()
    story.freeze("conv.weight", "bn.weight", "fc.weight")
    story.optimizer("conv.bias", "bn.bias", "fc.bias")
    story.step()
    assert silent(story)


def test_silent_when_the_optimizer_does_not_train_scale_and_shift() -> None:
    story = network()
    story.optimizer("fc")
    story.eval("bn")
    story.step()
    assert silent(story)


def test_silent_for_a_toggle() -> None:
    story = network()
    story.optimizer()
    story.freeze("bn.weight")
    story.step()
    story.unfreeze("bn.weight")
    story.step()
    assert silent(story)


def test_statistics_frozen_while_scale_and_shift_are_trained() -> None:
    story = network()
    story.optimizer()
    story.train()
    story.eval("bn", line=7)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.message == (
        "`bn` keeps its statistics in eval mode (line 7) while its scale and shift are trained; freeze "
        "both or neither"
    )
    assert fault.location == at(7)
    assert fault.subjects == ("model.bn",)


def test_scale_frozen_without_shift() -> None:
    story = network()
    story.freeze("bn.weight", line=3)
    story.optimizer("conv", "bn.bias", "fc")
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(3)
    assert fault.message == (
        "`bn` has one of scale and shift frozen (line 3) while the other is trained; freeze both or neither"
    )
