"""FRZ003 on traces made by hand."""

from dataclasses import replace
from typing import Any

from freezelint.checks.tool.live_audit_failed import check
from freezelint.evidence import Failure
from tests.story import Story, at, plain


def failed(kind: Any, message: str = "it failed", **fields: Any) -> Story:
    story = Story()
    story.model({"fc": plain()})
    story.failure = Failure(kind, message, **fields)
    return story


def silent(story: Story) -> bool:
    return not list(check(story.trace()))


def test_silent_when_nothing_failed() -> None:
    story = Story()
    story.model({"fc": plain()})
    story.optimizer()
    story.step()
    assert silent(story)


def test_silent_when_nothing_is_left_to_train() -> None:
    """That is FRZ209."""
    for kind, phase in (("no-graph", "backward"), ("empty-optimizer", "optimizer-built")):
        story = failed(kind)
        story.freeze()
        story.step(phase=phase)
        assert silent(story)


def test_silent_when_an_exhausted_iterator_left_the_optimizer_empty() -> None:
    """That is FRZ206."""
    story = failed("empty-optimizer")
    story.event("iterator-exhausted", 4, name="SGD")
    assert silent(story)


def head_that_never_runs() -> Story:
    """`model.out_head = nn.Linear(…)` on a library's model that ends in `fc`, everything else frozen."""
    story = Story()
    story.model({"conv": plain(), "fc": plain()}, pretrained=True, class_name="Net", library="transformers")
    story.freeze()
    story.exchange("out_head")
    event = story.events[-1]
    story.events[-1] = replace(event, value="added")
    story.failure = Failure("no-graph", "the loss does not require grad")
    return story


def test_silent_when_only_a_head_that_never_runs_is_left_to_train() -> None:
    """That is FRZ408."""
    story = head_that_never_runs()
    story.step(phase="backward", skipped=["out_head"], parameters={"out_head": {"gradient": "none"}})
    assert silent(story)


def test_a_cut_graph_is_told_where_more_than_a_head_that_never_runs_is_trainable() -> None:
    story = head_that_never_runs()
    story.unfreeze("fc")
    story.step(phase="backward", skipped=["out_head"], parameters={"out_head": {"gradient": "none"}})
    assert not silent(story)


def test_a_cut_graph_of_a_trainable_model_is_told() -> None:
    story = failed("no-graph", "the loss does not require grad", location=at(9))
    story.step(phase="backward")
    (fault,) = check(story.trace())
    assert fault.location == at(9)
    assert fault.message == (
        "no training step was reached: the loss does not require grad (line 9); "
        "compute the loss from trainable parameters, outside `no_grad` and without `detach`"
    )


def test_a_crash_is_told_even_where_everything_is_frozen() -> None:
    story = failed(
        "crash", "FileNotFoundError: no such file: 'train.csv'.", location=at(3), advice="Pass one."
    )
    story.freeze()
    (fault,) = check(story.trace())
    assert fault.message == (
        "no training step was reached: FileNotFoundError: no such file: 'train.csv' (line 3); Pass one"
    )
    assert fault.evidence == {"kind": "crash", "steps": 0}


def test_a_failure_after_some_steps() -> None:
    story = failed("timeout", "still running after 600 seconds")
    story.optimizer()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location is None
    assert fault.message.startswith(
        "the audit ended after 1 training step: still running after 600 seconds; allow"
    )


def test_an_empty_optimizer_without_further_evidence_is_told() -> None:
    assert not silent(failed("empty-optimizer"))
