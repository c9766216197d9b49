"""FRZ511 on traces made by hand."""

from freezelint.checks.freezes.inverted_freeze import check
from tests.story import Story, at, plain

FREEZE = {"says": "freeze", "says_where": "function `freeze_backbone`"}
UNFREEZE = {"says": "unfreeze", "says_where": "function `unfreeze_backbone`"}


def two_layers() -> Story:
    story = Story()
    story.model({"conv": plain(), "fc": plain()})
    return story


def test_silent_when_the_function_does_what_it_says() -> None:
    story = two_layers()
    story.freeze("conv", only_writes=False, **FREEZE)
    story.unfreeze("conv", only_writes=True, **UNFREEZE)
    assert not list(check(story.trace()))


def test_silent_when_the_function_writes_both_values() -> None:
    story = two_layers()
    story.unfreeze("fc", only_writes=None, **FREEZE)
    assert not list(check(story.trace()))


def test_silent_when_nothing_is_claimed() -> None:
    story = two_layers()
    story.unfreeze("fc", only_writes=True)
    assert not list(check(story.trace()))


def test_silent_when_the_words_make_an_exception() -> None:
    story = two_layers()
    story.unfreeze("fc", only_writes=True, says="freeze", says_where="function `freeze_all_but_head`")
    comment = 'the comment "freeze everything except fc"'
    story.unfreeze("fc", only_writes=True, says="freeze", says_where=comment)
    assert not list(check(story.trace()))


def test_silent_when_it_enables_again_what_was_frozen_before() -> None:
    story = two_layers()
    story.freeze(line=2)
    story.unfreeze("fc", only_writes=True, **FREEZE)
    assert not list(check(story.trace()))


def test_silent_when_the_same_function_does_the_opposite_elsewhere() -> None:
    story = two_layers()
    story.freeze("conv", line=2, function="freeze_backbone")
    story.unfreeze("fc", line=3, function="freeze_backbone", only_writes=True, **FREEZE)
    assert not list(check(story.trace()))


def test_silent_when_an_unfreeze_leaves_a_part_trainable_by_freezing_the_rest() -> None:
    story = two_layers()
    story.freeze("conv", only_writes=False, says="unfreeze", says_where="function `unfreeze_head`")
    assert not list(check(story.trace()))


def test_a_freeze_that_writes_true() -> None:
    story = two_layers()
    story.unfreeze("conv", line=7, only_writes=True, **FREEZE)
    story.optimizer()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(7)
    assert fault.message == (
        "function `freeze_backbone` says that it freezes, but sets `requires_grad = True` on `conv` (2 "
        "parameters); "
        "set it to False, or say what it does"
    )


def test_an_unfreeze_that_writes_false_over_what_was_frozen() -> None:
    story = two_layers()
    story.freeze("conv", line=2)
    story.freeze("conv", line=9, only_writes=False, **UNFREEZE)
    (fault,) = check(story.trace())
    assert fault.location == at(9)
    assert "but sets `requires_grad = False` on `conv` (2 parameters)" in fault.message


def test_an_unfreeze_that_freezes_the_whole_model() -> None:
    story = two_layers()
    story.freeze(line=9, only_writes=False, **UNFREEZE)
    assert [fault.location for fault in check(story.trace())] == [at(9)]
