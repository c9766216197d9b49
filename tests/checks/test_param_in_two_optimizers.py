"""FRZ205 on traces made by hand."""

from freezelint.checks.optimizers.param_in_two_optimizers import check
from tests.story import Story, at, plain


def two_optimizers(*, second: str = "SGD", shared: bool = True) -> Story:
    story = Story()
    story.model({"encoder": plain(), "classifier": plain(), "decoder": plain()})
    story.optimizer("encoder", "classifier", line=4)
    story.optimizer(*(["encoder"] if shared else []), "decoder", line=5, class_name=second)
    return story


def test_silent_when_nothing_is_shared() -> None:
    story = two_optimizers(shared=False)
    for optimizer in (0, 1, 0, 1):
        story.event("backward", 19)
        story.step(optimizer=optimizer)
    assert not list(check(story.trace()))


def test_silent_when_only_one_of_them_steps() -> None:
    story = two_optimizers()
    story.step()
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_one_optimizer_after_the_other() -> None:
    """Rebuilt at an unfreezing stage, or another algorithm for a second phase: never in turns."""
    story = two_optimizers()
    for optimizer in (0, 0, 1, 1):
        story.event("backward", 19)
        story.step(optimizer=optimizer)
    assert not list(check(story.trace()))


def test_silent_for_adam_and_then_lbfgs() -> None:
    """L-BFGS calls backward inside its step."""
    story = two_optimizers(second="LBFGS")
    story.event("backward", 19)
    story.step(optimizer=0)
    story.step(optimizer=1)
    story.step(optimizer=1)
    assert not list(check(story.trace()))


def test_silent_when_backward_calls_are_unknown() -> None:
    story = two_optimizers()
    story.step(optimizer=0)
    story.step(optimizer=1)
    assert not list(check(story.trace()))


def test_silent_when_the_shared_parameters_are_frozen_for_one_of_them() -> None:
    story = two_optimizers()
    for _ in range(2):
        story.event("backward", 19)
        story.step(optimizer=0)
        story.freeze("encoder")
        story.event("backward", 19)
        story.step(optimizer=1)
        story.unfreeze("encoder")
    assert not list(check(story.trace()))


def test_silent_for_turns_on_losses_of_their_own() -> None:
    """An adversarial autoencoder, SAC-AE: each objective has its backward, its rate and its state."""
    story = two_optimizers()
    for optimizer in (0, 1, 0, 1):
        story.event("backward", 19)
        story.step(optimizer=optimizer)
    assert not list(check(story.trace()))


def test_two_optimizers_on_one_backward() -> None:
    story = two_optimizers(second="Adam")
    story.event("backward", 19)
    story.step(optimizer=0)
    story.step(optimizer=1)
    (fault,) = check(story.trace())
    assert fault.location == at(5)
    assert fault.message == (
        "`encoder` (2 parameters) are stepped by two optimizers, SGD (line 4) and Adam (line 5), "
        "each with its own rate and state; give every parameter to one of them"
    )
    assert [related.location for related in fault.related] == [at(4)]
    assert fault.subjects == ("model.encoder.weight", "model.encoder.bias")
