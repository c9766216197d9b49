"""FRZ108 on traces made by hand."""

import pytest

from freezelint.checks.modes.statistics_reset_and_frozen import check
from freezelint.evidence import Norm
from tests.story import Story, at, norm, plain


def calibrated(
    batches: int | None, momentum: float | None = 0.1, reset: int | None = 0, times_set: int = 0
) -> Story:
    """Statistics reset on line 5, calibrated over some batches, and frozen by eval mode on line 9."""
    story = Story()
    story.event("statistics-reset", 5)
    for line in range(6, 6 + times_set):
        story.event("norm-set", line, modules=((0, "bn"),), name="momentum")
    settings = {"reset": reset, "batches_since_reset": batches, "set_by": times_set or None}
    story.model({"bn": norm(momentum, settings=settings), "fc": plain()})
    story.freeze("bn")
    story.optimizer("fc")
    story.eval("bn", line=9)
    return story


def silent(story: Story) -> bool:
    return not list(check(story.trace()))


def test_the_settings_are_those_of_the_evidence_model() -> None:
    (bn,) = [m.norm for m in calibrated(3).models[0].modules if m.norm]
    assert bn == Norm(True, True, 0.1, reset=0, batches_since_reset=3)


@pytest.mark.parametrize(
    ("batches", "momentum"), [(44, 0.1), (1, None), (1000, 0.01), (None, 0.1), (50, 0.0)]
)
def test_silent_when_the_calibration_suffices_or_is_unknown(
    batches: int | None, momentum: float | None
) -> None:
    story = calibrated(batches, momentum)
    story.step()
    assert silent(story)


def test_silent_when_no_reset_was_seen() -> None:
    story = calibrated(0, reset=None)
    story.step()
    assert silent(story)


def test_silent_when_the_momentum_was_put_back_after_the_calibration() -> None:
    """Nobody knows at which it was calibrated: with `momentum=None`, if its author knows what to do."""
    story = calibrated(3, times_set=2)
    story.step()
    assert silent(story)


def test_silent_when_the_statistics_are_filled_during_training() -> None:
    story = calibrated(0)
    story.train(line=10)
    story.step()
    assert silent(story)


def test_reset_and_frozen_at_once() -> None:
    story = calibrated(0)
    story.step()
    (fault,) = check(story.trace())
    assert fault.message == (
        "the running statistics of 1 BatchNorm layer were reset and then frozen with their initial mean 0 "
        "and variance 1; "
        "keep the stored statistics, or run training data through the model in train mode, with "
        "`momentum=None`, before `.eval()`"
    )
    assert fault.location == at(5)
    assert [related.location for related in fault.related] == [at(9)]
    assert fault.subjects == ("model.bn",)


def test_calibrated_over_too_few_batches() -> None:
    story = calibrated(3)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.message == (
        "the running statistics of 1 BatchNorm layer were reset and then frozen after 3 batches at "
        "momentum 0.1: their initial "
        "value still weighs 73%; calibrate with `momentum=None` (an exact average) or with at least 44 "
        "batches"
    )


def test_a_momentum_that_was_set_once_is_the_one_of_the_calibration() -> None:
    story = calibrated(3, times_set=1)
    story.step()
    assert not silent(story)


def test_the_boundary_is_one_percent() -> None:
    story = calibrated(43)
    story.step()
    assert not silent(story)
