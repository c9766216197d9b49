"""FRZ107 on traces made by hand."""

from dataclasses import replace
from typing import Any

from freezelint.checks.modes.teacher_in_train_mode import check
from tests.story import Story, at, dropout, norm, plain

WITHOUT = {"with_gradient": False, "without_gradient": True}


def student_and_teacher(layers: dict[str, Any] | None = None) -> Story:
    story = Story()
    story.model({"fc": plain()}, "student")
    story.optimizer("fc")
    story.model(layers or {"wide": plain((8, 8)), "bn": norm(), "drop": dropout()}, "teacher", line=2)
    return story


def run(story: Story, parameters: dict[str, dict[str, Any]] | None = None) -> None:
    """A step in which the latest model runs without gradients."""
    everywhere = {module.path: WITHOUT for module in story.models[-1].modules}
    story.step(modules=everywhere, parameters=parameters)


def silent(story: Story) -> bool:
    return not list(check(story.trace()))


def test_silent_when_the_teacher_is_in_eval() -> None:
    story = student_and_teacher()
    story.eval()
    run(story)
    assert silent(story)


def test_silent_without_norm_and_active_dropout() -> None:
    story = student_and_teacher(
        {"wide": plain((8, 8)), "drop": dropout(0.0), "ln": norm(has_statistics=False)}
    )
    run(story)
    assert silent(story)


def test_silent_when_an_optimizer_holds_it() -> None:
    """The generator of a GAN runs without gradients while the discriminator steps."""
    story = student_and_teacher()
    story.optimizer("wide", "bn", line=5)
    run(story)
    assert silent(story)


def test_silent_when_it_runs_with_gradients() -> None:
    story = student_and_teacher()
    story.step()
    assert silent(story)


def test_silent_when_it_does_not_run() -> None:
    """An averaged copy that is only kept for later."""
    story = student_and_teacher()
    story.step(skipped=["", "wide", "bn", "drop"])
    assert silent(story)


def test_silent_for_a_copy_that_is_written_by_hand() -> None:
    """Mean teachers and momentum encoders run in train mode by design."""
    story = student_and_teacher()
    story.freeze()
    run(story)
    run(story, {"": {"moved": True}})
    assert silent(story)


def test_silent_for_a_copy_that_may_be_written_by_hand() -> None:
    """One step, or steps that do not tell whether a frozen copy moved, are not enough."""
    story = Story()
    layers = {"fc": plain(), "bn": norm()}
    story.model(layers, "student")
    story.optimizer()
    story.model(layers, "teacher")
    run(story)
    assert silent(story)
    run(story, {"": {"moved": None}})
    assert silent(story)


def test_silent_for_a_copy_that_stands_still_and_may_be_written_every_tenth_step() -> None:
    story = Story()
    layers = {"fc": plain(), "bn": norm()}
    story.model(layers, "student", fresh=True)
    story.optimizer()
    story.model(layers, "teacher", fresh=True)
    for _ in range(2):
        run(story, {"": {"moved": False}})
    assert silent(story)


def test_a_twin_that_stands_still_and_came_with_its_weights_is_a_teacher() -> None:
    story = Story()
    layers = {"fc": plain(), "bn": norm()}
    story.model(layers, "student", fresh=True)
    story.optimizer()
    teacher = story.model(layers, "teacher", pretrained=True, line=2)
    event = story.event("loaded", 2, parameters=teacher.parameters)
    story.parameters = [
        replace(p, built=event.location) if p.id in teacher.parameters else p for p in story.parameters
    ]
    for _ in range(2):
        run(story, {"": {"moved": False}})
    (fault,) = check(story.trace())
    assert fault.location == at(2)


def test_a_network_that_is_only_shallower_is_no_twin() -> None:
    story = Story()
    story.model({"body.0": plain(), "body.1": plain(), "fc": plain((3, 4))}, "student")
    story.optimizer()
    story.model({"body.0": plain(), "fc": plain((3, 4)), "drop": dropout()}, "teacher", line=2)
    run(story)
    (fault,) = check(story.trace())
    assert fault.location == at(2)


def test_silent_for_a_norm_layer_alone_that_normalises_observations() -> None:
    story = Story()
    story.model({"fc": plain()}, "policy")
    story.optimizer("fc")
    story.model({"bn": norm() | {"shapes": ()}}, "normaliser", line=2)
    run(story)
    assert silent(story)


def test_teacher_in_train_mode() -> None:
    story = student_and_teacher()
    story.train(line=6)
    run(story)
    run(story)
    (fault,) = check(story.trace())
    assert fault.message == (
        "nothing trains `teacher`, which only runs without gradients, yet in train mode (line 6): 1 "
        "BatchNorm layer drifts and "
        "1 dropout layer adds noise; call `.eval()` on it after every `train()`"
    )
    assert fault.location == at(6)
    assert [related.location for related in fault.related] == [at(2)]
    assert fault.subjects == ("teacher.bn", "teacher.drop")


def test_teacher_that_was_never_put_in_eval() -> None:
    story = student_and_teacher({"wide": plain((8, 8)), "drop": dropout()})
    run(story)
    (fault,) = check(story.trace())
    assert fault.message == (
        "nothing trains `teacher`, which only runs without gradients, yet in train mode: 1 dropout layer "
        "adds noise; "
        "call `.eval()` on it"
    )
    assert fault.location == at(2)


def test_a_backbone_under_no_grad_inside_the_model() -> None:
    """Not frozen by flag, left out of the optimizer, and put in train mode together with the head."""
    story = Story()
    story.model({"backbone.conv": plain((8, 8)), "backbone.bn": norm(), "fc": plain()})
    story.optimizer("fc")
    story.train(line=6)
    story.step(modules={"backbone": WITHOUT})
    (fault,) = check(story.trace())
    assert fault.message.startswith("nothing trains `backbone`, which only runs without gradients")
    assert fault.subjects == ("model.backbone.bn",)


def test_silent_for_a_frozen_backbone_under_no_grad_inside_the_model() -> None:
    """That is FRZ101."""
    story = Story()
    story.model({"backbone.conv": plain((8, 8)), "backbone.bn": norm(), "fc": plain()})
    story.freeze("backbone")
    story.optimizer("fc")
    story.train(line=6)
    story.step(modules={"backbone": WITHOUT})
    assert silent(story)
