"""FRZ506 on traces made by hand."""

from typing import Any

import pytest

from freezelint.checks.freezes.eval_is_not_freezing import check
from tests.story import Story, at, dropout, norm, plain

FUNCTION: dict[str, Any] = {
    "says": "freeze",
    "says_where": "function `freeze_backbone`",
    "freezes_otherwise": False,
}
COMMENT: dict[str, Any] = {**FUNCTION, "says_where": 'the comment "freeze the backbone" on line 4'}


def backbone_and_head() -> Story:
    story = Story()
    story.model({"body.conv": plain(), "body.bn": norm(), "body.drop": dropout(), "fc": plain()})
    return story


def trained(story: Story, *names: str) -> Story:
    story.optimizer(*names)
    story.step()
    story.step()
    return story


# --- silent ---


def test_silent_when_nothing_is_claimed() -> None:
    story = backbone_and_head()
    story.eval("body", freezes_otherwise=False)
    assert not list(check(trained(story).trace("source")))


@pytest.mark.parametrize("otherwise", [True, None])
def test_silent_when_the_same_code_freezes_too_or_may(otherwise: bool | None) -> None:
    story = backbone_and_head()
    story.eval("body", **{**FUNCTION, "freezes_otherwise": otherwise})
    assert not list(check(trained(story).trace("source")))


@pytest.mark.parametrize(
    "words",
    [
        "function `freeze_bn`",
        "function `freezeBatchNorm`",
        "function `freeze_norm_layers`",
        "function `freeze_running_stats`",
        "function `freeze_dropout`",
        'the comment "freeze for inference" on line 4',
    ],
)
def test_silent_when_the_words_mean_what_eval_does(words: str) -> None:
    story = backbone_and_head()
    story.eval("body", **{**FUNCTION, "says_where": words})
    assert not list(check(trained(story).trace("source")))


def test_silent_when_only_norm_and_dropout_layers_are_put_in_eval() -> None:
    story = backbone_and_head()
    story.eval("body.bn", "body.drop", **FUNCTION)
    assert not list(check(trained(story).trace("source")))


def test_silent_when_other_code_froze_the_parameters() -> None:
    story = backbone_and_head()
    story.eval("body", **FUNCTION)
    story.freeze("body", line=9)
    assert not list(check(trained(story, "fc").trace("source")))


def test_silent_when_the_optimizer_leaves_them_out() -> None:
    story = backbone_and_head()
    story.eval("body", **FUNCTION)
    assert not list(check(trained(story, "fc").trace("source")))


def test_silent_when_they_run_without_gradient() -> None:
    story = backbone_and_head()
    story.eval("body", **FUNCTION)
    story.optimizer()
    story.step(modules={"body": {"without_gradient": True, "with_gradient": False}})
    assert not list(check(story.trace("source")))


def test_silent_for_a_pause_of_everything_that_is_trained() -> None:
    story = backbone_and_head()
    story.eval(**{**FUNCTION, "says_where": "function `freeze`"})
    story.train()
    assert not list(check(trained(story).trace("source")))


def test_silent_when_an_unfreeze_ended_it() -> None:
    story = backbone_and_head()
    story.eval("body", **FUNCTION)
    story.train("body", says="unfreeze", says_where="function `unfreeze_backbone`")
    assert not list(check(trained(story).trace("source")))


def test_silent_for_a_comment_whose_eval_is_over_before_the_step() -> None:
    story = backbone_and_head()
    story.eval("body", **COMMENT)
    story.train()
    assert not list(check(trained(story).trace("source")))


def test_silent_without_any_training() -> None:
    story = backbone_and_head()
    story.eval("body", **FUNCTION)
    assert not list(check(story.trace("source")))


def test_silent_for_a_comment_in_code_that_nothing_calls() -> None:
    story = Story()
    story.event("to-eval", 5, fragment=True, **COMMENT)
    assert not list(check(story.trace("source")))


# --- findings ---


def test_a_method_that_only_calls_eval() -> None:
    story = backbone_and_head()
    story.eval("body", line=5, **FUNCTION)
    (fault,) = check(trained(story).trace("source"))
    assert fault.location == at(5)
    assert fault.message == (
        "function `freeze_backbone` says that it freezes, but `.eval()` only switches dropout and norm "
        "layers: `body` (4 parameters) are trained all the same; call `requires_grad_(False)` as well"
    )
    assert fault.subjects == ("model.body",)


def test_train_mode_afterwards_is_the_other_half_of_the_fault() -> None:
    story = backbone_and_head()
    story.eval("body", line=5, **FUNCTION)
    story.train()
    assert [fault.location for fault in check(trained(story).trace("source"))] == [at(5)]


@pytest.mark.parametrize("words", ["function `freeze_model`", "function `freeze_latest_generator`"])
def test_words_that_only_look_like_the_others(words: str) -> None:
    story = backbone_and_head()
    story.eval("body", line=5, **{**FUNCTION, "says_where": words})
    assert len(list(check(trained(story).trace("source")))) == 1


def test_a_comment_over_a_module_that_stays_in_eval() -> None:
    story = backbone_and_head()
    story.eval("body", line=5, **COMMENT)
    (fault,) = check(trained(story).trace("source"))
    assert fault.message.startswith('the comment "freeze the backbone" on line 4 says that it freezes')


def test_called_each_epoch_is_one_finding() -> None:
    story = backbone_and_head()
    story.optimizer()
    for _ in range(2):
        story.eval("body", line=5, **FUNCTION)
        story.step()
    assert len(list(check(story.trace("source")))) == 1


def test_a_class_that_nothing_here_uses() -> None:
    story = Story()
    story.event("to-eval", 5, "freeze", fragment=True, **{**FUNCTION, "says_where": "function `freeze`"})
    (fault,) = check(story.trace("source"))
    assert "function `freeze` says that it freezes" in fault.message
    assert "its parameters stay trainable" in fault.message
