"""FRZ105 on traces made by hand."""

from dataclasses import replace
from typing import Any

from freezelint.checks.modes.trained_in_eval_mode import check
from tests.story import Story, at, dropout, norm, plain


def network(**fields: Any) -> Story:
    story = Story()
    story.model({"conv": plain(), "bn": norm(), "drop": dropout(), "fc": plain()}, **fields)
    return story


def silent(story: Story) -> bool:
    return not list(check(story.trace()))


def test_silent_when_train_is_called_every_epoch() -> None:
    story = network()
    story.optimizer()
    for _ in range(2):
        story.train()
        story.step()
        story.eval()
    assert silent(story)


def test_silent_for_a_model_that_was_tested_before_the_next_one_is_trained() -> None:
    """It ran in eval mode since the last step, and has the gradients of its own last step still."""
    story = network()
    story.optimizer()
    story.train()
    story.step()
    story.eval(line=9)
    story.model({"conv": plain(), "bn": norm(), "fc": plain()}, name="second")
    story.optimizer()
    story.step(optimizer=1)
    assert silent(story)


def test_silent_for_eval_on_purpose_from_start_to_end() -> None:
    story = network(pretrained=True)
    story.optimizer()
    story.eval(line=5)
    story.step()
    story.step()
    assert silent(story)


def test_silent_when_a_part_is_in_eval_only() -> None:
    story = network()
    story.optimizer()
    story.train()
    story.eval("bn")
    story.step()
    assert silent(story)


def test_silent_without_dropout_and_norm_layers_in_what_is_trained() -> None:
    story = Story()
    story.model({"body.fc": plain(), "body.drop": dropout(), "body.bn": norm(), "head": plain()})
    story.freeze("body")
    story.optimizer("head")
    story.train()
    story.eval(line=9)
    story.step()
    assert silent(story)


def test_silent_when_nothing_of_the_model_is_trained() -> None:
    """An adversarial example: the model is in eval mode and the input is optimised."""
    story = network()
    story.train()
    story.eval()
    story.model({"input": plain()}, "image")
    story.optimizer("input")
    story.step()
    assert silent(story)


def test_silent_when_the_user_asked_for_eval_where_the_model_is_loaded() -> None:
    """`from_pretrained(…).eval()`: the library's call and the user's, in one statement."""
    story = network(pretrained=True, training=False)
    story.eval(line=1)
    event = story.eval(line=1)
    story.parameters = [replace(p, built=event.location) for p in story.parameters]
    story.optimizer()
    story.step()
    assert silent(story)


def test_silent_for_a_new_model_in_eval_mode() -> None:
    story = network(fresh=True, training=False)
    story.optimizer()
    story.step()
    assert silent(story)


def test_eval_for_validation_and_never_back() -> None:
    story = network()
    story.optimizer()
    story.train(line=10)
    story.step()
    story.eval(line=15)
    story.step()
    (fault,) = check(story.trace())
    assert fault.message == (
        "`model` is trained in eval mode since line 15: 1 dropout layer does nothing and 1 BatchNorm layer "
        "uses stored statistics; "
        "call `model.train()` before the training steps of every epoch"
    )
    assert fault.location == at(15)
    assert [related.location for related in fault.related] == [at(10)]
    assert fault.subjects == ("model.bn", "model.drop")


def test_a_step_in_train_mode_shows_the_intention_as_well() -> None:
    story = network()
    story.optimizer()
    story.step()
    story.eval(line=15)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(15)


def test_loaded_in_eval_mode_and_never_put_in_train() -> None:
    story = network(pretrained=True, training=False, line=2)
    story.optimizer()
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.message == (
        "`model` came in eval mode and is trained without a call of `train()`: 1 dropout layer does "
        "nothing and 1 BatchNorm layer "
        "uses stored statistics; call `model.train()` before the training steps"
    )
    assert fault.location == at(2)


def test_the_eval_of_from_pretrained_is_not_the_user_s() -> None:
    story = network(pretrained=True, training=False)
    event = story.eval(line=2)
    story.parameters = [replace(p, built=event.location) for p in story.parameters]
    story.optimizer()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(2)


def test_a_loaded_backbone_inside_the_user_s_own_class() -> None:
    """The class itself is in train mode, as every new module; what it loaded is not."""
    story = Story()
    story.model(
        {"bert.fc": plain(), "bert.drop": dropout(), "head": plain()}, pretrained=["bert"], fresh=["head"]
    )
    for path in ("bert", "bert.fc", "bert.drop"):
        story.training[0, path] = (False, None)
    story.optimizer()
    story.step()
    (fault,) = check(story.trace())
    assert fault.message.startswith("`model.bert` came in eval mode")
    assert fault.subjects == ("model.bert.drop",)


def test_silent_for_a_frozen_loaded_backbone_inside_the_user_s_own_class() -> None:
    story = Story()
    story.model({"bert.fc": plain(), "bert.drop": dropout(), "head": plain()}, pretrained=["bert"])
    for path in ("bert", "bert.fc", "bert.drop"):
        story.training[0, path] = (False, None)
    story.freeze("bert")
    story.optimizer("head")
    story.step()
    assert silent(story)
