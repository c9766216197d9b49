"""FRZ510 on traces made by hand."""

from typing import Any

from freezelint.checks.freezes.tied_parameter_split import check
from tests.story import Story, at, plain


def language_model(*, output: dict[str, Any] | None = None) -> Story:
    """An embedding whose weight is the output layer's; the output layer has a bias of its own."""
    story = Story()
    story.model(
        {
            "body.tokens": plain((10, 4)),
            "body.mixer": plain(),
            "output": output or plain((10, 4), (10,)),
        },
        tied={"output.weight": "body.tokens.weight"},
    )
    return story


def test_silent_when_nothing_is_frozen() -> None:
    story = language_model()
    story.optimizer()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_everything_is_frozen_and_everything_unfrozen() -> None:
    story = language_model()
    story.freeze()
    story.step()
    assert not list(check(story.trace()))
    story = language_model()
    story.freeze()
    story.unfreeze()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_everything_is_frozen_and_the_output_unfrozen() -> None:
    story = language_model()
    story.freeze()
    story.unfreeze("output")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_both_places_are_frozen() -> None:
    story = language_model()
    story.freeze("body", line=2)
    story.freeze("output", line=3)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_nothing_shows_that_the_output_was_to_train() -> None:
    story = language_model(output=plain((10, 4)))
    story.freeze("body", line=2, modules=((0, "body"),))
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_output_did_not_run() -> None:
    story = language_model()
    story.freeze("body", line=2)
    story.step(skipped=["output"])
    assert not list(check(story.trace()))


def test_freezing_the_body_froze_the_output_layer_whose_bias_trains() -> None:
    story = language_model()
    story.freeze("body", line=2)
    story.optimizer("output", line=4)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(2)
    assert fault.message == (
        "`body.tokens.weight` and `output.weight` are one tied parameter: freezing the one here also froze "
        "the other, which runs in "
        "the step and was to train; treat them alike, or untie them"
    )
    assert fault.subjects == ("model.body.tokens.weight",)


def test_the_optimizer_was_given_the_output_layer() -> None:
    story = language_model(output=plain((10, 4)))
    story.freeze("body", line=2, modules=((0, "body"),))
    story.optimizer("output", line=4)
    story.step()
    assert [fault.location for fault in check(story.trace())] == [at(2)]


def test_a_freeze_that_spares_the_output_by_name() -> None:
    story = language_model(output=plain((10, 4)))
    story.freeze(line=2, patterns=("output",))
    story.step()
    assert [fault.location for fault in check(story.trace())] == [at(2)]


def test_unfreezing_the_output_undoes_the_freeze_of_the_embedding() -> None:
    story = language_model()
    story.freeze("body", line=2)
    story.unfreeze("output", line=3)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(3)
    assert fault.message == (
        "`output.weight` and `body.tokens.weight` are one tied parameter: unfreezing the one here undoes "
        "the other, which was frozen "
        "on line 2; treat them alike, or untie them"
    )
    assert [related.location for related in fault.related] == [at(2)]


def test_freezing_the_embedding_undoes_the_unfreeze_of_the_output() -> None:
    story = language_model()
    story.unfreeze("output", line=2)
    story.freeze("body", line=3)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(3)
    assert "freezing the one here undoes the other, which was unfrozen on line 2" in fault.message
