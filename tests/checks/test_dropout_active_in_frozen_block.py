"""FRZ104 on traces made by hand."""

from freezelint.checks.modes.dropout_active_in_frozen_block import check
from tests.story import Story, at, dropout, plain


def body_and_head(probability: float = 0.5) -> Story:
    story = Story()
    story.model(
        {"body.fc": plain(), "body.drop": dropout(probability), "head.drop": dropout(), "head.fc": plain()}
    )
    return story


def frozen_body(probability: float = 0.5) -> Story:
    story = body_and_head(probability)
    story.freeze("body", line=3)
    story.optimizer("head")
    story.train(line=6)
    return story


def silent(story: Story) -> bool:
    return not list(check(story.trace()))


def test_silent_when_nothing_is_frozen() -> None:
    story = body_and_head()
    story.optimizer()
    story.train()
    story.step()
    assert silent(story)


def test_silent_when_the_frozen_block_is_in_eval() -> None:
    story = frozen_body()
    story.eval("body")
    story.step()
    assert silent(story)


def test_silent_for_a_dropout_with_probability_zero() -> None:
    story = frozen_body(0.0)
    story.step()
    assert silent(story)


def test_silent_for_a_dropout_among_trainable_parts() -> None:
    """The dropout of a block with adapters (LoRA) in it belongs to these."""
    story = Story()
    story.model({"block.fc": plain(), "block.drop": dropout(), "block.adapter": plain()})
    story.freeze("block.fc")
    story.optimizer("block.adapter")
    story.train()
    story.step()
    assert silent(story)


def test_silent_behind_something_trainable() -> None:
    """Prompts or adapters before a frozen block are regularised by its dropout."""
    story = Story()
    story.model({"prompt": plain(), "body.fc": plain(), "body.drop": dropout()})
    story.freeze("body")
    story.optimizer("prompt")
    story.train()
    story.step()
    assert silent(story)


def test_silent_for_a_toggle() -> None:
    story = frozen_body()
    story.step()
    story.unfreeze("body")
    story.step()
    assert silent(story)


def test_silent_for_a_teacher() -> None:
    """That is FRZ107."""
    story = Story()
    story.model({"fc": plain()}, "student")
    story.optimizer("fc")
    story.model({"body.fc": plain((8, 8)), "body.drop": dropout()}, "teacher")
    story.freeze()
    story.train()
    without = {"with_gradient": False, "without_gradient": True}
    story.step(modules={"": without, "body": without})
    assert silent(story)


def test_dropout_in_a_frozen_block() -> None:
    story = frozen_body()
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.message == (
        "`body` is frozen (line 3) but runs in train mode (line 6): 1 dropout layer adds noise to features "
        "that cannot adapt to it; "
        "call `.eval()` on it after every `train()`"
    )
    assert fault.location == at(6)
    assert [related.location for related in fault.related] == [at(3)]
    assert fault.subjects == ("model.body.drop",)
