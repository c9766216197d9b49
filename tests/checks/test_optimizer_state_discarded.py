"""FRZ207 on traces made by hand."""

from __future__ import annotations

from dataclasses import replace

from freezelint.checks.optimizers.optimizer_state_discarded import check
from freezelint.evidence import Origin
from tests.story import Story, at, plain


def net() -> Story:
    story = Story()
    layers = {"layer1": plain(), "layer2": plain(), "fc": plain()}
    story.model(layers, pretrained=["layer1", "layer2"], fresh=["fc"])
    story.freeze("layer1", "layer2")
    return story


def stages(*, stateful: bool = True, classes: tuple[str, str, str] = ("Adam", "Adam", "Adam")) -> Story:
    """The head, then the layers before it, with an optimizer each."""
    story = net()
    trained: list[str] = []
    for optimizer, (name, line) in enumerate((("fc", 10), ("layer2", 20), ("layer1", 30))):
        story.unfreeze(name, line=line)
        trained.append(name)
        story.optimizer(*trained, line=line + 1, class_name=classes[optimizer], stateful=stateful)
        story.step(optimizer=optimizer)
    return story


def in_a_loop(*, first: tuple[str, ...] = ("layer2", "fc"), origin: Origin = "pretrained") -> Story:
    """Two stages whose optimizers one statement builds."""
    story = net()
    story.parameters = [replace(p, origin=origin) if "layer" in p.path else p for p in story.parameters]
    story.unfreeze("layer2", line=9)
    story.optimizer(*first, line=10, class_name="AdamW", stateful=True)
    story.step()
    story.unfreeze("layer1", line=9)
    story.optimizer("layer1", "layer2", "fc", line=10, class_name="AdamW", stateful=True)
    story.step(optimizer=1)
    return story


def test_silent_for_two_stages() -> None:
    """The published recipe: the head first, then everything with a new optimizer at another rate."""
    story = net()
    story.optimizer("fc", line=10, class_name="Adam", stateful=True)
    story.step()
    story.unfreeze("layer1", "layer2", line=20)
    story.optimizer(line=21, class_name="Adam", stateful=True)
    story.step(optimizer=1)
    assert not list(check(story.trace()))


def test_silent_for_two_stages_of_a_loop_when_only_a_new_head_trained_first() -> None:
    story = net()
    story.optimizer("fc", line=10, class_name="AdamW", stateful=True)
    story.step()
    story.unfreeze("layer1", "layer2", line=9)
    story.optimizer(line=10, class_name="AdamW", stateful=True)
    story.step(optimizer=1)
    assert not list(check(story.trace()))


def test_silent_for_two_stages_of_a_loop_when_it_is_unknown_what_trained_first() -> None:
    assert not list(check(in_a_loop(origin="unknown").trace()))


def test_silent_for_two_stages_of_a_loop_when_only_the_last_layer_trained_first() -> None:
    """All the weights were loaded, the head's too: folds that begin at one checkpoint."""
    story = net()
    story.parameters = [replace(parameter, origin="pretrained") for parameter in story.parameters]
    story.optimizer("fc", line=10, class_name="AdamW", stateful=True)
    story.step()
    story.unfreeze("layer1", "layer2", line=9)
    story.optimizer(line=10, class_name="AdamW", stateful=True)
    story.step(optimizer=1)
    assert not list(check(story.trace()))


def test_silent_without_state() -> None:
    assert not list(check(stages(stateful=False).trace()))


def test_silent_when_state_is_unknown() -> None:
    story = stages()
    story.optimizers = [replace(optimizer, state_at_start=None) for optimizer in story.optimizers]
    assert not list(check(story.trace()))


def test_silent_when_state_is_carried_over() -> None:
    story = stages()
    for index, names in ((1, ("fc",)), (2, ("fc", "layer2"))):
        inherited = tuple(story.ids(*names))
        story.optimizers[index] = replace(story.optimizers[index], state_at_start=inherited)
    assert not list(check(story.trace()))


def test_silent_for_other_algorithms() -> None:
    assert not list(check(stages(classes=("SGD", "Adam", "SGD")).trace()))


def test_silent_when_weights_are_loaded_between_the_stages() -> None:
    """The best checkpoint of the stage before: the moments belonged to other weights."""
    story = net()
    trained: list[str] = []
    for optimizer, name in enumerate(("fc", "layer2", "layer1")):
        story.unfreeze(name, line=10)
        story.event("loaded", 11, parameters=tuple(story.ids()))
        trained.append(name)
        story.optimizer(*trained, line=12, class_name="Adam", stateful=True)
        story.step(optimizer=optimizer)
    assert not list(check(story.trace()))


def test_silent_when_every_stage_trains_another_layer() -> None:
    """Chain-thaw: one layer at a time."""
    story = net()
    story.freeze()
    for optimizer, name in enumerate(("fc", "layer2", "layer1")):
        story.unfreeze(name, line=10)
        story.optimizer(name, line=11, class_name="Adam", stateful=True)
        story.step(optimizer=optimizer)
        story.freeze(name, line=12)
    assert not list(check(story.trace()))


def test_silent_when_nothing_is_unfrozen() -> None:
    """A restart with the same parameters is a restart."""
    story = Story()
    story.model({"fc": plain()}, pretrained=True)
    for optimizer in range(3):
        story.optimizer("fc", line=5, class_name="Adam", stateful=True)
        story.step(optimizer=optimizer)
    assert not list(check(story.trace()))


def test_silent_for_a_new_model_each_time() -> None:
    """Folds, seeds."""
    story = Story()
    for optimizer in range(3):
        story.model({"fc": plain()}, f"model{optimizer}", fresh=True)
        story.optimizer("fc", line=5, class_name="Adam", stateful=True)
        story.step(optimizer=optimizer)
    assert not list(check(story.trace()))


def test_silent_when_the_old_optimizer_goes_on() -> None:
    story = stages()
    for optimizer in (0, 1, 2):
        story.step(optimizer=optimizer)
    assert not list(check(story.trace()))


def test_three_stages() -> None:
    (fault,) = check(stages().trace())
    assert fault.location == at(21)
    assert fault.message == (
        "Adam is built anew when `layer2` (2 parameters) join, and again on line 31: the momentum or moments "
        "of `fc` (2 parameters), which go on training, are discarded; add the new parameters to the "
        "optimizer that there is (`add_param_group`), or carry its state over"
    )
    assert [related.location for related in fault.related] == [at(31)]
    assert set(fault.subjects) == {
        *("model.fc.weight", "model.fc.bias"),
        *("model.layer2.weight", "model.layer2.bias"),
    }


def test_a_loop_over_stages_that_began_with_pretrained_layers() -> None:
    (fault,) = check(in_a_loop().trace())
    assert fault.location == at(10)
    assert "of `layer2` and `fc` (4 parameters), which go on training" in fault.message
    assert not fault.related
