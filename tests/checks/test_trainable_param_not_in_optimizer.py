"""FRZ203 on traces made by hand."""

from dataclasses import replace

from freezelint.checks.optimizers.trainable_param_not_in_optimizer import check
from tests.story import Story, at, plain


def head_first() -> Story:
    """The head is trained first; the body is frozen."""
    story = Story()
    story.model({"body": plain(), "fc": plain()}, pretrained=["body"], fresh=["fc"])
    story.freeze("body", line=2)
    story.optimizer("fc", line=4)
    story.step()
    return story


def test_silent_when_the_unfrozen_parameters_get_a_group() -> None:
    story = head_first()
    story.unfreeze("body", line=15)
    story.add_group("body")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_optimizer_is_built_anew() -> None:
    story = head_first()
    story.unfreeze("body", line=15)
    story.optimizer(line=16)
    story.step(optimizer=1)
    assert not list(check(story.trace()))


def test_silent_when_the_optimizer_held_everything_from_the_start() -> None:
    story = Story()
    story.model({"body": plain(), "fc": plain()})
    story.freeze("body")
    story.optimizer()
    story.step()
    story.unfreeze("body", line=15)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_updates_written_by_hand() -> None:
    story = head_first()
    story.unfreeze("body", line=15)
    story.step(parameters={"body": {"moved": None}})
    story.step(parameters={"body": {"moved": True}})
    assert not list(check(story.trace()))


def learner_of(meta: bool = True) -> Story:
    """Only the learner's head is optimised; with `meta`, an outer optimizer holds its twin."""
    story = Story()
    story.model({"body": plain(), "fc": plain()}, "meta")
    if meta:
        story.optimizer(line=3)
    story.model({"body": plain(), "fc": plain()}, "learner")
    story.freeze("body", line=5)
    story.optimizer("fc", line=6)
    story.unfreeze("body", line=9)
    return story


def test_silent_for_a_learner_whose_gradients_are_copied_into_its_twin() -> None:
    """First-order MAML and ANIL, whether or not the outer optimizer has stepped yet."""
    story = learner_of()
    story.step(optimizer=1)
    assert not list(check(story.trace()))
    story.step(optimizer=0)
    assert not list(check(story.trace()))


def test_silent_without_a_gradient() -> None:
    story = head_first()
    story.unfreeze("body", line=15)
    story.step(parameters={"body": {"gradient": "none"}})
    story.step(parameters={"body": {"gradient": "unknown"}})
    assert not list(check(story.trace()))


def test_silent_when_nothing_else_of_the_model_is_optimised() -> None:
    """A critic that is trained elsewhere is a model of its own."""
    story = head_first()
    story.model({"critic": plain()}, name="other")
    story.unfreeze("critic", line=15)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_what_was_unfrozen_before_the_optimizer_was_built() -> None:
    """That is FRZ210."""
    story = Story()
    story.model({"body": plain(), "fc": plain()})
    story.unfreeze("body", line=3)
    story.optimizer("fc", line=4)
    story.step()
    assert not list(check(story.trace()))


def test_unfrozen_later() -> None:
    story = head_first()
    story.unfreeze("body", line=15)
    story.step(parameters={"body": {"moved": None}})
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(15)
    assert fault.message == (
        "`body` (2 parameters) became trainable after SGD was built (line 4) and no optimizer holds them: "
        "they get gradients but never learn; "
        "add them with `add_param_group`, or build the optimizer afterwards"
    )
    assert [related.location for related in fault.related] == [at(4)]
    assert fault.subjects == ("model.body.weight", "model.body.bias")


def test_added_later() -> None:
    story = Story()
    story.model({"body": plain(), "fc": plain()})
    story.optimizer("body", "fc", line=4)
    story.exchange("extra", line=9)
    story.step(parameters={"extra": {"moved": None}})
    (fault,) = check(story.trace())
    assert fault.location == at(9)
    assert "`extra` (2 parameters) came into the model after SGD was built (line 4)" in fault.message


def test_each_statement_is_a_finding() -> None:
    story = Story()
    story.model({"one": plain(), "two": plain(), "fc": plain()})
    story.freeze("one", "two")
    story.optimizer("fc")
    story.step()
    story.unfreeze("two", line=15)
    story.step()
    story.unfreeze("one", line=17)
    story.step()
    assert [fault.location for fault in check(story.trace())] == [at(15), at(17)]


def test_a_copy_whose_twin_no_optimizer_holds_or_moves() -> None:
    story = learner_of(meta=False)
    story.step()
    assert [fault.location for fault in check(story.trace())] == [at(9)]

    story = learner_of()
    still = story.step(optimizer=0)
    for p in story.models[0].parameters:
        still.parameters[p] = replace(still.parameters[p], moved=False)
    story.step(optimizer=1)
    assert [fault.location for fault in check(story.trace())] == [at(9)]
