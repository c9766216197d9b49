"""FRZ201 on traces made by hand."""

from dataclasses import replace

from freezelint.checks.optimizers.frozen_param_in_optimizer import check
from freezelint.evidence import Location, Origin
from tests.story import Story, at, norm, plain


def backbone_and_head() -> Story:
    story = Story()
    story.model({"conv": plain(), "bn": norm(), "fc": plain()}, pretrained=["conv", "bn"], fresh=["fc"])
    return story


def test_silent_when_nothing_is_frozen() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_optimizer_holds_the_trainable_parameters_only() -> None:
    story = backbone_and_head()
    story.freeze("conv", "bn")
    story.optimizer("fc")
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_toggle_within_an_iteration() -> None:
    story = backbone_and_head()
    story.optimizer()
    story.freeze("conv")
    story.step()
    story.unfreeze("conv")
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_script_still_has_an_unfreeze_ahead() -> None:
    story = backbone_and_head()
    story.freeze("conv")
    story.optimizer()
    story.step()
    story.pending.append(at(30))
    assert not list(check(story.trace()))


def test_silent_when_a_statement_after_the_last_step_unfreezes() -> None:
    story = backbone_and_head()
    story.freeze("conv")
    story.optimizer()
    story.step()
    story.unfreeze("conv", line=30)
    assert not list(check(story.trace()))


def test_silent_for_what_the_models_own_class_froze() -> None:
    """Sinusoidal positions, frozen in the constructor that built the trainable rest."""
    story = backbone_and_head()
    story.parameters = [replace(p, built=at(1)) for p in story.parameters]
    story.freeze("conv.bias", line=1)
    story.trainable[story.ids("bn.bias")[0]] = (False, None)
    story.optimizer(line=7)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_parameter_born_frozen() -> None:
    """`nn.Parameter(…, requires_grad=False)`: Fourier features, alone in their module."""
    story = Story()
    story.model({"fourier": plain((3, 16)), "fc": plain()}, fresh=["fc"])
    story.parameters = [replace(p, built=at(1)) for p in story.parameters]
    story.trainable[story.ids("fourier")[0]] = (False, None)
    story.optimizer(line=7)
    story.step()
    assert not list(check(story.trace()))


def test_what_was_frozen_before_the_audit_began_is_reported() -> None:
    """Nobody saw it built: that it was born frozen is not known."""
    story = backbone_and_head()
    for parameter in story.ids("conv"):
        story.trainable[parameter] = (False, None)
    story.optimizer(line=7)
    story.step()
    assert [fault.location for fault in check(story.trace())] == [at(7)]


def frozen_in_a_constructor(origin: Origin, *, built_in: str = "__init__") -> Story:
    """A layer that `Filters()` on line 12 freezes in its constructor, with an optimizer over everything."""
    story = Story()
    story.model({"filters": plain(), "fc": plain()}, fresh=["fc"])
    called = (Location("train.py", 12),)
    event = story.freeze("filters", line=4)
    frozen = Location("train.py", 4, function="__init__", calls=called)
    story.events[event.index] = replace(event, location=frozen)
    built = Location("train.py", 3, function=built_in, calls=called)
    for p in story.ids("filters"):
        story.parameters[p] = replace(story.parameters[p], origin=origin, built=built)
    story.optimizer(line=14)
    story.step()
    return story


def test_silent_for_fixed_filters_frozen_in_their_constructor() -> None:
    assert not list(check(frozen_in_a_constructor("unknown").trace()))
    assert not list(check(frozen_in_a_constructor("fresh").trace()))


def test_silent_when_everything_it_holds_is_frozen() -> None:
    """That is FRZ209."""
    story = backbone_and_head()
    story.freeze("conv")
    story.optimizer("conv")
    story.step()
    assert not list(check(story.trace()))


def test_silent_where_an_adapter_library_froze_the_base_model() -> None:
    story = backbone_and_head()
    story.freeze("conv", "bn", name="peft")
    story.optimizer()
    story.step()
    assert not list(check(story.trace()))


def test_frozen_backbone_in_the_optimizer() -> None:
    story = backbone_and_head()
    story.freeze("conv", "bn", line=3)
    story.optimizer(line=7)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(7)
    assert fault.message == (
        "SGD holds `conv` and `bn` (4 parameters), which cannot train (frozen on line 3); "
        "give it the trainable parameters only"
    )
    assert [related.location for related in fault.related] == [at(3)]
    assert fault.subjects == ("model.conv.weight", "model.conv.bias", "model.bn.weight", "model.bn.bias")


def test_frozen_by_several_statements_and_seen_in_several_steps() -> None:
    story = backbone_and_head()
    story.freeze("conv", line=3)
    story.freeze("bn", line=5)
    story.optimizer("conv", "fc", line=7)
    story.step()
    story.add_group("bn")
    story.step()
    (fault,) = check(story.trace())
    assert "`conv` (2 parameters), which cannot train (frozen on line 3)" in fault.message

    story = backbone_and_head()
    story.freeze("conv", line=3)
    story.freeze("bn", line=5)
    story.optimizer(line=7)
    story.step()
    (fault,) = check(story.trace())
    assert "(frozen on lines 3 and 5)" in fault.message
    assert [related.location for related in fault.related] == [at(3), at(5)]


def test_frozen_before_anything_was_seen() -> None:
    story = backbone_and_head()
    for p in story.ids("conv"):
        story.trainable[p] = (False, None)
    story.optimizer(line=7)
    story.step()
    (fault,) = check(story.trace())
    assert (
        fault.message
        == "SGD holds `conv` (2 parameters), which cannot train; give it the trainable parameters only"
    )


def test_a_pretrained_backbone_frozen_in_the_constructor() -> None:
    (fault,) = check(frozen_in_a_constructor("pretrained").trace())
    assert "`filters` (2 parameters), which cannot train (frozen on line 4)" in fault.message


def test_frozen_in_the_constructor_of_a_trainer_that_was_handed_the_model() -> None:
    """What the constructor froze was built elsewhere."""
    (fault,) = check(frozen_in_a_constructor("fresh", built_in="build").trace())
    assert "(frozen on line 4)" in fault.message
