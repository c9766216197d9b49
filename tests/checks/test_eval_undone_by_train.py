"""FRZ102 on traces made by hand."""

from dataclasses import replace

from freezelint.checks.modes.eval_undone_by_train import check
from tests.story import Story, at, norm, plain


def frozen_backbone() -> Story:
    story = Story()
    story.model({"backbone.conv": plain(), "backbone.bn": norm(), "fc": plain()}, pretrained=["backbone"])
    story.freeze("backbone", line=3)
    return story


def silent(story: Story) -> bool:
    return not list(check(story.trace()))


def test_silent_when_eval_is_called_after_train() -> None:
    story = frozen_backbone()
    story.optimizer("fc")
    for _ in range(2):
        story.train(line=6)
        story.eval("backbone", line=7)
        story.step()
    assert silent(story)


def test_silent_when_eval_was_never_called() -> None:
    """That is FRZ101."""
    story = frozen_backbone()
    story.optimizer("fc")
    story.train(line=6)
    story.step()
    assert silent(story)


def test_silent_when_the_eval_was_for_validation() -> None:
    """That is FRZ101, also where the whole model happens to be frozen and a head stands beside it."""
    story = Story()
    story.model({"conv": plain(), "bn": norm()}, "backbone")
    story.freeze(line=3)
    story.train(line=20)
    story.model({"fc": plain()}, "head")
    story.optimizer("fc")
    story.step()
    story.eval(line=30)
    story.train(line=20)
    story.step()
    assert silent(story)


def test_silent_when_the_norm_is_trained() -> None:
    story = Story()
    story.model({"bn": norm(), "fc": plain()})
    story.optimizer()
    story.eval("bn", line=4)
    story.train(line=6)
    story.step()
    assert silent(story)


def test_silent_when_the_eval_came_with_loading() -> None:
    """`from_pretrained` calls `eval()` itself, before anything is frozen."""
    story = frozen_backbone()
    event = story.eval("backbone", line=1)
    for p in story.ids("backbone"):
        story.parameters[p] = replace(story.parameters[p], built=event.location)
    story.optimizer("fc")
    story.train(line=6)
    story.step()
    assert silent(story)


def test_eval_of_the_frozen_block_undone_by_train() -> None:
    story = frozen_backbone()
    story.eval("backbone", line=4)
    story.optimizer("fc", line=5)
    for _ in range(2):
        story.train(line=20)
        story.step()
    (fault,) = check(story.trace())
    assert fault.message == (
        "`backbone` is frozen and put in eval mode (line 4), but `train()` on line 20 undoes that: 1 "
        "BatchNorm layer drifts; "
        "call `.eval()` on it after every `train()`"
    )
    assert fault.location == at(20)
    assert [(r.location, r.message) for r in fault.related] == [
        (at(4), "put in eval mode here"),
        (at(3), "frozen here"),
    ]
    assert fault.subjects == ("model.backbone.bn",)


def test_eval_of_each_norm_layer_undone_by_train() -> None:
    story = Story()
    story.model({"bn1": norm(), "bn2": norm(), "fc": plain()}, pretrained=["bn1", "bn2"])
    for name in ("bn1", "bn2"):
        story.freeze(name, line=9)
        story.eval(name, line=10)
    story.optimizer("fc")
    story.train(line=20)
    story.step()
    (fault,) = check(story.trace())
    assert fault.subjects == ("model.bn1", "model.bn2")
    assert [r.location for r in fault.related] == [at(10), at(9)]


def test_eval_of_the_whole_model_right_with_the_freeze() -> None:
    story = frozen_backbone()
    story.eval(line=5)
    story.optimizer("fc", line=8)
    story.train(line=20)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(20)


def test_eval_of_the_whole_model_far_from_the_freeze_is_not_meant_by_it() -> None:
    story = frozen_backbone()
    story.eval(line=15)
    story.optimizer("fc", line=16)
    story.train(line=20)
    story.step()
    assert silent(story)


def test_eval_while_everything_was_frozen() -> None:
    """`freeze all; model.eval(); new head; model.train()`."""
    story = Story()
    story.model({"bn": norm(), "fc": plain()}, pretrained=["bn"])
    story.freeze(line=3)
    story.eval(line=14)
    story.unfreeze("fc", line=15)
    story.optimizer("fc", line=16)
    story.train(line=20)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(20)
