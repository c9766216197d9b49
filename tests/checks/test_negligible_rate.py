"""FRZ407 on traces made by hand."""

from freezelint.checks.heads.negligible_rate import check
from tests.story import Story, at, plain


def three_layers() -> Story:
    story = Story()
    story.model({"stem": plain(), "body": plain(), "head": plain()})
    return story


def rates(story: Story, stem: float, body: float, head: float) -> None:
    by_layer = {"stem": stem, "body": body, "head": head}
    story.optimizer(groups=[story.group(name, lr=rate) for name, rate in by_layer.items()], line=7)


def test_silent_for_ordinary_discriminative_rates() -> None:
    story = three_layers()
    rates(story, 0.001, 0.01, 1.0)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_what_learns_slowly_is_frozen_anyway() -> None:
    story = three_layers()
    story.freeze("stem")
    rates(story, 1e-6, 0.1, 0.1)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_rate_of_zero_which_is_another_fault() -> None:
    story = three_layers()
    rates(story, 0.0, 0.1, 0.1)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_one_rate_is_unknown_and_the_rest_is_alike() -> None:
    story = three_layers()
    story.optimizer(groups=[story.group("stem", lr=None), story.group("body", "head", lr=0.1)])
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_group_that_is_still_warming_up() -> None:
    story = three_layers()
    story.optimizer(
        groups=[story.group("stem", lr=1e-6, initial_lr=0.1), story.group("head", lr=0.1, initial_lr=0.1)]
    )
    story.step()
    assert not list(check(story.trace()))


def test_rates_that_decay_over_too_many_layers() -> None:
    story = three_layers()
    rates(story, 1e-6, 1e-5, 0.1)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(7)
    assert fault.message.startswith(
        "`stem` and `body` (4 parameters) learn at 1e-05 or less, "
        "under a thousandth of the largest rate (0.1)"
    )
    assert len(fault.subjects) == 4
