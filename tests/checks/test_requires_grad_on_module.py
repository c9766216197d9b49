"""FRZ501 on traces made by hand."""

from freezelint.checks.freezes.requires_grad_on_module import check
from tests.story import Story, at, norm, plain


def backbone_and_head() -> Story:
    story = Story()
    story.model({"conv": plain(), "bn": norm(), "fc": plain()})
    return story


def test_silent_when_the_module_was_frozen_properly_as_well() -> None:
    story = backbone_and_head()
    story.event("no-effect", 2, modules=((0, "conv"),), name="requires_grad", value="False")
    story.freeze("conv", line=3)
    story.optimizer("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_what_it_asks_for_is_so_anyway() -> None:
    story = backbone_and_head()
    story.event("no-effect", 2, modules=((0, ""),), name="requires_grad", value="True")
    story.optimizer()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_what_it_asks_for_was_so_and_was_changed_later() -> None:
    story = backbone_and_head()
    story.event("no-effect", 2, modules=((0, ""),), name="requires_grad", value="True")
    story.freeze("conv", line=4)
    story.optimizer("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_module_without_parameters() -> None:
    story = backbone_and_head()
    story.event("no-effect", 2, name="requires_grad", value="False")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_another_attribute() -> None:
    story = backbone_and_head()
    story.event("no-effect", 2, modules=((0, "conv"),), name="require_grad", value="False")
    assert not list(check(story.trace()))


def test_a_module_that_was_to_be_frozen() -> None:
    story = backbone_and_head()
    story.event("no-effect", 2, modules=((0, "conv"),), name="requires_grad", value="False")
    story.optimizer()
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(2)
    assert fault.message == (
        "`.requires_grad = False` sets an attribute of the module that nothing reads: `conv` (2 "
        "parameters) stay trainable; "
        "call `requires_grad_(False)`"
    )
    assert fault.subjects == ("model.conv.weight", "model.conv.bias")


def test_a_head_that_was_to_be_unfrozen() -> None:
    story = backbone_and_head()
    story.freeze(line=2)
    story.event("no-effect", 3, modules=((0, "fc"),), name="requires_grad", value="True")
    story.step()
    (fault,) = check(story.trace())
    assert "`fc` (2 parameters) stay frozen; call `requires_grad_(True)`" in fault.message


def test_established_without_any_step() -> None:
    story = backbone_and_head()
    story.event("no-effect", 2, modules=((0, "conv"),), name="requires_grad", value="False")
    assert [fault.location for fault in check(story.trace())] == [at(2)]


def test_the_overwritten_method() -> None:
    story = backbone_and_head()
    story.event("no-effect", 2, modules=((0, "conv"),), name="requires_grad_", value="False")
    (fault,) = check(story.trace())
    assert fault.message.startswith("`.requires_grad_ = False` overwrites the method of the module")


def test_a_loop_over_modules_is_one_finding() -> None:
    story = backbone_and_head()
    for path in ("conv", "bn"):
        story.event("no-effect", 2, modules=((0, path),), name="requires_grad", value="False")
    (fault,) = check(story.trace())
    assert fault.evidence["parameters"] == 4
