"""FRZ502 on traces made by hand."""

import pytest

from freezelint.checks.freezes.misspelt_requires_grad import check, is_misspelling
from tests.story import Story, at, plain


def two_layers() -> Story:
    story = Story()
    story.model({"conv": plain(), "fc": plain()})
    return story


@pytest.mark.parametrize(
    "name",
    [
        "requires_grad",
        "requires_grad_",
        "_requires_grad",
        "grad",
        "main_grad",
        "grad_fn",
        "retains_grad",
        "needs_grad",
        "require_backward_grad_sync",
        "requires_grad_names",
        "requires_grad2",
        "is_leaf",
        "grad_required",
        "tensor_model_parallel",
    ],
)
def test_names_that_are_no_misspelling(name: str) -> None:
    assert not is_misspelling(name)


@pytest.mark.parametrize(
    "name",
    [
        "require_grad",
        "requires_grads",
        "required_grad",
        "requireds_grad",
        "require_grads",
        "requires_gradient",
        "requires_gradients",
        "require_gradient",
        "requiers_grad",
        "reqires_grad",
        "requires_gard",
        "requiresGrad",
        "requiresgrad",
        "Requires_Grad",
        "require_grad_",
    ],
)
def test_names_that_are_a_misspelling(name: str) -> None:
    assert is_misspelling(name)


def test_silent_for_a_modules_own_setting_that_is_as_it_says() -> None:
    story = two_layers()
    story.event("no-effect", 2, modules=((0, "conv"),), name="require_grad", value="True")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_other_attributes_of_parameters() -> None:
    story = two_layers()
    story.event("no-effect", 2, parameters=tuple(story.ids("conv")), name="main_grad", value="None")
    assert not list(check(story.trace()))


def test_a_misspelt_freeze_of_parameters() -> None:
    story = two_layers()
    for parameter in story.ids("conv"):
        story.event("no-effect", 2, parameters=(parameter,), name="require_grad", value="False")
    story.optimizer()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(2)
    assert fault.message == (
        "`require_grad` is a misspelling that torch does not read: `conv` (2 parameters) stay trainable; "
        "write `requires_grad = False`"
    )
    assert fault.subjects == ("model.conv.weight", "model.conv.bias")


def test_a_misspelling_on_a_module_that_stays_frozen() -> None:
    story = two_layers()
    story.freeze(line=1)
    story.event("no-effect", 2, modules=((0, "fc"),), name="requires_grads", value="True")
    story.step()
    (fault,) = check(story.trace())
    assert "`fc` (2 parameters) stay frozen; write `requires_grad_(True)`" in fault.message


def test_a_misspelling_on_a_parameter_is_told_even_where_it_does_no_harm() -> None:
    story = two_layers()
    story.freeze("conv", line=1)
    story.event("no-effect", 2, parameters=tuple(story.ids("conv")), name="required_grad", value="False")
    (fault,) = check(story.trace())
    assert "it changes nothing on `conv` (2 parameters)" in fault.message
