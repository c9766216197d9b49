"""FRZ507 on traces made by hand."""

from dataclasses import replace

from freezelint.checks.freezes.freeze_undone import check
from freezelint.evidence import Location, Model
from tests.story import Story, at, norm, plain


def backbone_and_head(line: int = 1) -> Story:
    story = Story()
    story.model({"conv": plain(), "bn": norm(), "fc": plain()}, line=line)
    return story


def test_silent_when_everything_was_frozen_first() -> None:
    story = backbone_and_head()
    story.freeze()
    story.unfreeze("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_all_is_frozen_and_all_unfrozen() -> None:
    story = backbone_and_head()
    story.freeze()
    story.unfreeze()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_exactly_the_frozen_is_unfrozen() -> None:
    story = backbone_and_head()
    story.freeze("conv", "bn")
    story.unfreeze("conv", "bn")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_code_says_that_it_unfreezes() -> None:
    story = backbone_and_head()
    story.freeze("conv", "bn")
    story.unfreeze(says="unfreeze", says_where="function `unfreeze_all`")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_toggle_within_an_iteration() -> None:
    story = backbone_and_head()
    story.freeze("conv")
    story.forwarded = True
    story.unfreeze()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_only_a_part_of_the_freeze_is_undone() -> None:
    story = backbone_and_head()
    story.freeze("conv", "bn")
    story.unfreeze("bn", "fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_it_is_frozen_again() -> None:
    story = backbone_and_head()
    story.freeze("conv", line=2)
    story.unfreeze(line=3)
    story.freeze("conv", line=4)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_constructor_froze_and_the_user_unfreezes() -> None:
    story = backbone_and_head(line=1)
    story.freeze("conv", line=1)
    story.unfreeze(line=3)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_later_stage() -> None:
    story = backbone_and_head()
    story.freeze("conv")
    story.step()
    story.unfreeze()
    story.step()
    assert not list(check(story.trace()))


def test_a_blanket_unfreeze_after_the_freeze() -> None:
    story = backbone_and_head()
    story.freeze("conv", "bn", line=2)
    story.unfreeze(line=6)
    story.optimizer()
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(6)
    assert fault.message == (
        "`conv` and `bn` (4 parameters), frozen on line 2, train again: this statement sets `requires_grad "
        "= True` on all 6 "
        "parameters before the first step; freeze after it, or leave them out here"
    )
    assert [related.location for related in fault.related] == [at(2)]


def two_models(second_line: int = 5) -> tuple[Story, Model, Model]:
    story = backbone_and_head(line=1)
    story.freeze("conv", "bn", line=2)
    story.model({"conv": plain(), "bn": norm(), "fc": plain()}, "model", line=second_line)
    story.optimizer()
    return story, *story.models


def test_silent_when_the_frozen_model_lives() -> None:
    story, first, _ = two_models()
    story.step()
    assert first.name == "model"
    assert not list(check(story.trace()))


def test_silent_when_a_whole_copy_was_frozen_and_thrown_away() -> None:
    story = backbone_and_head()
    story.freeze(line=2)
    story.model({"conv": plain(), "bn": norm(), "fc": plain()}, "student", line=5)
    story.optimizer()
    lose_the_first(story)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_new_model_is_frozen_as_well() -> None:
    story, _, _ = two_models()
    lose_the_first(story)
    story.freeze("conv", line=6)
    story.step()
    assert not list(check(story.trace()))


def built_by_one_function(*, second: int) -> Story:
    """`build(…)` builds on line 11, and freezes on line 14 when told to; the survivor comes from `second`."""
    story, _, _ = two_models()
    story.events[0] = replace(
        story.events[0],
        location=Location("train.py", 14, function="build", calls=(Location("train.py", 17),)),
    )
    for model, line, call in zip(tuple(story.models), (11, second), (17, 18), strict=True):
        built = Location("train.py", line, function="build", calls=(Location("train.py", call),))
        story.models[model.index] = replace(model, built=built)
        for p in model.parameters:
            story.parameters[p] = replace(story.parameters[p], built=built)
    lose_the_first(story)
    story.step()
    return story


def test_silent_when_a_later_call_of_the_function_took_another_branch() -> None:
    """A table of trainable parameters for each strategy, then the chosen one is trained."""
    assert not list(check(built_by_one_function(second=11).trace()))


def test_a_function_that_freezes_and_then_builds_anew() -> None:
    assert [
        fault.location and fault.location.line for fault in check(built_by_one_function(second=15).trace())
    ] == [15]


def test_a_model_built_anew_after_the_freeze() -> None:
    story, _, _ = two_models(second_line=5)
    lose_the_first(story)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(5)
    assert fault.message == (
        "`conv` and `bn` (4 parameters) of `model` train: the freeze on line 2 was made on an earlier "
        "model that is gone; "
        "freeze after this one is built"
    )
    assert [related.location for related in fault.related] == [at(2)]


def test_the_second_construction_is_told_where_it_stands_beside_the_freeze() -> None:
    story, _, second = two_models()
    inside = Location("train.py", 30, function="Net.__init__", calls=(Location("train.py", 5),))
    story.models[1] = replace(second, built=inside)
    lose_the_first(story)
    story.step()
    assert [fault.location for fault in check(story.trace())] == [at(5)]


def lose_the_first(story: Story) -> None:
    for parameter in story.models[0].parameters:
        story.parameters[parameter] = replace(story.parameters[parameter], attached=False)
