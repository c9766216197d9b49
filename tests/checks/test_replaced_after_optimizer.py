"""FRZ204 on traces made by hand."""

from dataclasses import replace

from freezelint.checks.optimizers.replaced_after_optimizer import check
from tests.story import Story, at, plain


def backbone() -> Story:
    story = Story()
    story.model({"body": plain(), "fc": plain()}, pretrained=True)
    return story


def test_silent_when_the_head_is_replaced_first() -> None:
    story = backbone()
    story.exchange("fc", line=3)
    story.optimizer(line=4)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_new_head_gets_a_group() -> None:
    story = backbone()
    story.optimizer(line=4)
    story.exchange("fc", line=9)
    story.add_group("fc", line=10)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_new_head_has_an_optimizer_of_its_own() -> None:
    story = backbone()
    story.optimizer(line=4)
    story.exchange("fc", line=9)
    story.optimizer("fc", line=10)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_optimizer_is_built_anew_for_the_next_stage() -> None:
    story = backbone()
    story.optimizer(line=4)
    story.step()
    story.exchange("fc", line=9)
    story.optimizer(line=10)
    story.step(optimizer=1)
    trace = story.trace()
    # The first step knows nothing of the head that came later.
    first = trace.steps[0]
    new = trace.models[0].parameters_within("fc")
    known = {p: state for p, state in first.parameters.items() if p not in new}
    assert not list(check(replace(trace, steps=(replace(first, parameters=known), trace.steps[1]))))


def test_silent_when_the_new_head_is_frozen_or_unused() -> None:
    story = backbone()
    story.optimizer(line=4)
    story.exchange("fc", line=9)
    story.step(parameters={"fc": {"gradient": "none"}})
    story.freeze("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_new_parameters_are_updated_by_hand() -> None:
    story = backbone()
    story.optimizer(line=4)
    story.exchange("fc", line=9)
    story.step(parameters={"fc": {"moved": True}})
    assert not list(check(story.trace()))


def test_silent_for_a_module_that_was_added_where_none_was() -> None:
    """That is FRZ203."""
    story = backbone()
    story.optimizer(line=4)
    story.exchange("extra", line=9)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_tensors_outside_every_model() -> None:
    story = backbone()
    story.optimizer(groups=[replace(story.group("fc"), parameters=(story.tensor(),))])
    story.step()
    assert not list(check(story.trace()))


def test_head_replaced_after_the_optimizer() -> None:
    story = backbone()
    story.optimizer(line=4)
    story.exchange("fc", line=9)
    story.step()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(9)
    assert fault.message == (
        "`fc` (2 parameters) took the place of other parameters on line 9 after SGD was built (line 4): "
        "it goes on training the old ones and the new ones never learn; "
        "replace first, then build the optimizer"
    )
    assert [related.location for related in fault.related] == [at(4)]
    assert fault.subjects == ("model.fc.weight", "model.fc.bias")


def test_new_head_that_names_its_parameters_otherwise() -> None:
    story = backbone()
    story.optimizer(line=4)
    story.exchange("fc", line=9, inner="1")
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(9)
    assert fault.subjects == ("model.fc.1.weight", "model.fc.1.bias")


def test_weights_split_by_weight_norm() -> None:
    story = Story()
    story.model({"fc": plain((4, 4))})
    story.optimizer(line=4)
    story.exchange("fc", (4, 1), (4, 4), line=9)
    for p, name in zip(story.ids("fc"), ("weight_g", "weight_v"), strict=True):
        story.parameters[p] = replace(story.parameters[p], paths=(f"fc.{name}",))
    story.events[-1] = replace(story.events[-1], modules=(), name="")
    story.step()
    (fault,) = check(story.trace())
    assert fault.subjects == ("model.fc.weight_g", "model.fc.weight_v")


def test_replacement_that_nobody_saw_points_to_where_the_parameters_were_made() -> None:
    for made in (12, None):
        story = unseen_replacement()
        for p in story.ids("fc"):
            story.parameters[p] = replace(story.parameters[p], built=at(made))
        assert [fault.location for fault in check(story.trace())] == [at(made or 4)]


def unseen_replacement() -> Story:
    story = backbone()
    story.optimizer(line=4)
    story.exchange("fc", line=9)
    story.events[-1] = replace(story.events[-1], kind="backward")
    story.models[-1] = replace(
        story.models[-1], modules=tuple(replace(m, assigned=None) for m in story.models[-1].modules)
    )
    story.step()
    return story
