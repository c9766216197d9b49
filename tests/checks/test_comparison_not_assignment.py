"""FRZ503 on traces made by hand."""

from freezelint.checks.freezes.comparison_not_assignment import check
from tests.story import Story, at, norm, plain


def backbone_and_head() -> Story:
    story = Story()
    story.model({"conv": plain(), "bn": norm(), "fc": plain()})
    return story


def test_silent_when_the_answer_is_looked_at() -> None:
    story = backbone_and_head()
    story.event("compared", 2, value="False", parameters=tuple(story.ids("conv")), observed=True)
    assert not list(check(story.trace("source")))


def test_silent_when_the_parameters_have_the_flag_anyway() -> None:
    story = backbone_and_head()
    story.event("compared", 2, value="False", parameters=tuple(story.ids("conv")))
    story.freeze("conv", line=3)
    story.event("compared", 4, value="True", parameters=tuple(story.ids("fc")))
    story.optimizer("fc", "bn")
    story.step()
    assert not list(check(story.trace("source")))


def test_a_loop_that_compares_is_one_finding() -> None:
    story = backbone_and_head()
    for parameter in story.ids("conv", "bn"):
        story.event("compared", 2, value="False", parameters=(parameter,))
    story.optimizer()
    story.step()
    story.step()
    (fault,) = check(story.trace("source"))
    assert fault.location == at(2)
    assert fault.message == (
        "this statement compares `requires_grad` with False and throws the answer away: "
        "`conv` and `bn` (4 parameters) stay trainable; write `requires_grad = False`"
    )
    assert fault.subjects == ("model.conv.weight", "model.conv.bias", "model.bn.weight", "model.bn.bias")


def test_only_what_has_the_wrong_flag_is_told() -> None:
    story = backbone_and_head()
    story.freeze("bn", line=2)
    story.event("compared", 3, value="False", parameters=tuple(story.ids("conv", "bn")))
    story.step()
    (fault,) = check(story.trace("source"))
    assert "`conv` (2 parameters) stay trainable" in fault.message


def test_a_head_that_was_to_be_trained() -> None:
    story = backbone_and_head()
    story.freeze(line=2)
    story.event("compared", 3, value="True", parameters=tuple(story.ids("fc.weight")))
    story.step()
    (fault,) = check(story.trace("source"))
    assert "`fc.weight` stays frozen; write `requires_grad = True`" in fault.message


def test_the_flag_of_a_module() -> None:
    story = backbone_and_head()
    story.event("compared", 3, value="False", modules=((0, "conv"),))
    (fault,) = check(story.trace("source"))
    assert "`conv` (2 parameters) stay trainable; write `requires_grad_(False)`" in fault.message


def test_code_that_nothing_calls() -> None:
    story = Story()
    story.event("compared", 3, "freeze", value="False", fragment=True)
    (fault,) = check(story.trace("source"))
    assert fault.message.endswith("throws the answer away: no flag is set; write `requires_grad = False`")
    assert not fault.subjects


def test_a_comparison_with_something_else() -> None:
    story = backbone_and_head()
    story.event("compared", 3, value="", parameters=tuple(story.ids("conv")))
    (fault,) = check(story.trace("source"))
    assert "compares `requires_grad` with a value and throws the answer away: no flag is set" in fault.message
