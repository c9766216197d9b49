"""FRZ302 on traces made by hand."""

from typing import Any

from freezelint.checks.gradients.backward_through_frozen_prefix import check
from freezelint.evidence import GradientLeaf
from tests.story import Story, at, plain

WALKED = {"conv": {"input_requires_grad": True, "saved_bytes": 2048}}


def frozen_prefix() -> Story:
    story = Story()
    story.model({"conv": plain(), "fc": plain()})
    story.freeze("conv", line=3)
    story.optimizer("fc")
    return story


def image(**fields: Any) -> GradientLeaf:
    return GradientLeaf(**{"model": 0, "module": "", "shape": (16, 4), "used": False, **fields})


def test_silent_when_the_input_requires_no_grad() -> None:
    story = frozen_prefix()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_gradient_of_the_input_is_used_or_may_be() -> None:
    for used in (True, None):
        story = frozen_prefix()
        story.step(leaves=[image(used=used)], modules=WALKED)
        assert not list(check(story.trace()))


def test_silent_when_the_prefix_runs_without_gradients() -> None:
    story = frozen_prefix()
    story.step(leaves=[image()], modules={"conv": {"input_requires_grad": True, "with_gradient": False}})
    assert not list(check(story.trace()))


def test_silent_when_it_is_not_known_whether_gradients_flow_in() -> None:
    story = frozen_prefix()
    story.step(leaves=[image()], modules={"conv": {"input_requires_grad": None}})
    assert not list(check(story.trace()))


def test_silent_when_something_trainable_comes_before() -> None:
    story = Story()
    story.model({"prompt": plain(), "body": plain(), "head": plain()})
    story.freeze("body")
    story.optimizer()
    story.step(leaves=[image()], modules={"body": {"input_requires_grad": True}})
    assert not list(check(story.trace()))


def test_silent_for_a_trainable_tensor_outside_every_module() -> None:
    story = frozen_prefix()
    story.parameters.append(story.parameters[0].__class__(4, None, (), (4,), "float32", 16))
    story.trainable[4] = (True, None)
    story.step(leaves=[image()], modules=WALKED)
    assert not list(check(story.trace()))


def test_silent_for_adapters_inside_the_frozen_layers() -> None:
    story = Story()
    story.model(
        {
            "0.query": plain(),
            "0.adapter": plain((2, 2)),
            "1.query": plain(),
            "1.adapter": plain((2, 2)),
            "1.value": plain(),
        }
    )
    story.freeze("0.query", "1.query", "1.value")
    story.optimizer("0.adapter", "1.adapter")
    walked = {"input_requires_grad": True}
    story.step(leaves=[image()], modules={"0.query": walked, "1.query": walked, "1.value": walked})
    assert not list(check(story.trace()))


def test_silent_when_the_leaf_arises_behind_an_embedding_for_checkpointing() -> None:
    story = Story()
    story.model({"embedding": plain(), "layer": plain(), "head": plain()})
    story.freeze("embedding", "layer")
    story.optimizer("head")
    story.step(leaves=[image(module="layer")], modules={"layer": {"input_requires_grad": True}})
    assert not list(check(story.trace()))


def test_silent_when_a_reentrant_checkpoint_may_need_the_input_to_require_grad() -> None:
    story = frozen_prefix()
    inside: dict[str, Any] = {"input_requires_grad": None, "output_requires_grad": None}
    story.step(leaves=[image()], modules={**WALKED, "fc": inside})
    assert not list(check(story.trace()))


def test_silent_when_nothing_trains_but_the_input() -> None:
    story = Story()
    story.model({"conv": plain()})
    story.freeze()
    story.step(leaves=[image()], modules=WALKED)
    assert not list(check(story.trace()))


def test_an_input_that_requires_grad_for_nothing() -> None:
    story = frozen_prefix()
    forced = story.event("gradient-forced", 8)
    story.step(leaves=[image(forced=forced.index)], modules=WALKED)
    story.step(leaves=[image(forced=forced.index)], modules=WALKED)
    (fault,) = check(story.trace())
    assert fault.location == at(8)
    assert fault.message == (
        "backward walks `conv` (2 frozen parameters) and keeps 2.0 KiB of activations for it, because an "
        "input (16 × 4) requires grad "
        "and nobody reads its gradient; leave `requires_grad` off the input"
    )
    assert [related.location for related in fault.related] == [at(3)]
    assert fault.subjects == ("model.conv",)


def test_a_leaf_of_unknown_making_is_told_at_the_freeze() -> None:
    story = frozen_prefix()
    story.step(leaves=[image()], modules=WALKED)
    assert [fault.location for fault in check(story.trace())] == [at(3)]
