"""FRZ206 on traces made by hand."""

from freezelint.checks.optimizers.exhausted_parameter_iterator import check
from tests.story import Story, at, plain


def model() -> Story:
    story = Story()
    story.model({"fc": plain()})
    story.optimizer()
    return story


def test_silent_when_no_iterator_was_spent() -> None:
    story = model()
    story.step()
    assert not list(check(story.trace()))


def test_clipping_with_the_optimizers_generator() -> None:
    story = model()
    for _ in range(2):
        story.event("iterator-exhausted", 9, name="clip_grad_norm_", value="SGD")
        story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(9)
    assert fault.message == (
        "The iterator of parameters given to clip_grad_norm_ was already used up by SGD, "
        "so no gradient is clipped; keep the parameters in a list"
    )


def test_second_optimizer() -> None:
    story = model()
    story.event("iterator-exhausted", 7, name="Adam", parameters=tuple(story.ids("fc")))
    (fault,) = check(story.trace())
    assert fault.message == (
        "The iterator of parameters given to Adam was already used up, "
        "so it gets no parameters; keep the parameters in a list"
    )
    assert fault.subjects == ("model.fc.weight", "model.fc.bias")


def test_each_statement_is_a_finding() -> None:
    story = model()
    story.event("iterator-exhausted", 7, name="clip_grad_value_")
    story.event("iterator-exhausted", 9, name="clip_grad_norm_")
    assert [fault.location for fault in check(story.trace())] == [at(7), at(9)]
