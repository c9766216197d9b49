"""FRZ408 on traces made by hand."""

from dataclasses import replace
from typing import Any

import pytest

from freezelint.checks.heads.replaced_wrong_attribute import check
from tests.story import Story, at, plain


def assign(story: Story, path: str, line: int = 5, value: str = "added", **fields: Any) -> None:
    """`model.<path> = …`, which the class did (`exchanged`) or did not (`added`) have before."""
    event = story.event("replaced", line, name=path, value=value, **fields)
    model = story.models[-1]
    modules = tuple(replace(m, assigned=event.index) if m.path == path else m for m in model.modules)
    story.models[-1] = replace(model, modules=modules)


def resnet(library: str = "torchvision", class_name: str = "ResNet", **origins: Any) -> Story:
    story = Story()
    story.model(
        {"conv": plain(), "fc": plain(), "classifier": plain()},
        class_name=class_name,
        library=library,
        **(origins or {"pretrained": ["conv", "fc"], "fresh": ["classifier"]}),
    )
    return story


UNUSED = {"classifier": {"gradient": "none"}}


def test_silent_when_the_new_module_runs() -> None:
    story = resnet()
    assign(story, "classifier")
    story.optimizer()
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_it_runs_in_some_steps_only() -> None:
    story = resnet()
    assign(story, "classifier")
    story.optimizer()
    story.step(skipped=["classifier"], parameters=UNUSED)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_its_parameters_are_used_without_a_call() -> None:
    story = resnet()
    assign(story, "classifier")
    story.optimizer()
    story.step(skipped=["classifier"])
    assert not list(check(story.trace()))


@pytest.mark.parametrize("value", ["exchanged", "", "assigned"])
def test_silent_when_the_class_had_the_attribute_or_may_have_had_it(value: str) -> None:
    """An auxiliary classifier runs in train mode only, but it is used."""
    story = resnet()
    assign(story, "classifier", value=value)
    story.optimizer()
    story.step(skipped=["classifier"], parameters=UNUSED)
    assert not list(check(story.trace()))


@pytest.mark.parametrize(
    ("library", "class_name"), [("__main__", "Net"), ("torch", "Sequential"), ("torch", "ModuleDict")]
)
def test_silent_on_classes_of_the_users_own_and_on_containers(library: str, class_name: str) -> None:
    story = resnet(library, class_name)
    assign(story, "classifier")
    story.optimizer()
    story.step(skipped=["classifier"], parameters=UNUSED)
    assert not list(check(story.trace()))


def test_silent_when_the_model_itself_did_not_run() -> None:
    story = resnet()
    assign(story, "classifier")
    story.optimizer()
    story.step(modules={"": {"ran": False, "order": None}}, skipped=["classifier"], parameters=UNUSED)
    assert not list(check(story.trace()))


def test_silent_when_the_new_module_is_frozen_or_of_unknown_origin() -> None:
    for story in (resnet(), resnet(pretrained=["conv", "fc"])):
        assign(story, "classifier")
        if story.parameters[-1].origin == "fresh":
            story.freeze("classifier")
        story.optimizer("conv", "fc")
        story.step(skipped=["classifier"], parameters=UNUSED)
        assert not list(check(story.trace()))


def test_silent_when_the_real_head_was_replaced_as_well() -> None:
    story = resnet(pretrained=["conv"], fresh=["fc", "classifier"])
    assign(story, "fc", value="exchanged")
    assign(story, "classifier")
    story.optimizer()
    story.step(skipped=["classifier"], parameters=UNUSED)
    assert not list(check(story.trace()))


def test_new_head_under_a_name_that_the_model_does_not_use() -> None:
    story = resnet()
    assign(story, "classifier", line=5)
    story.optimizer()
    story.step(skipped=["classifier"], parameters=UNUSED)
    story.step(skipped=["classifier"], parameters=UNUSED)
    (fault,) = check(story.trace())
    assert fault.location == at(5)
    assert fault.message.startswith("`model.classifier` never runs")
    assert fault.message.endswith("the model ends in `fc`; assign the new module to that")
    assert fault.subjects == ("model.classifier.weight", "model.classifier.bias")


def test_a_script_that_fails_in_backward_because_only_the_unused_head_is_trainable() -> None:
    story = resnet()
    story.freeze("conv", "fc")
    assign(story, "classifier")
    story.optimizer("classifier")
    story.step(phase="backward", skipped=["classifier"], parameters=UNUSED)
    assert len(list(check(story.trace()))) == 1


def test_no_advice_where_the_model_does_not_end_in_a_plain_layer() -> None:
    story = Story()
    last = {"class_name": "BertPooler", "role": "container", "library": "transformers"}
    story.model(
        {"encoder": plain(), "pooler": last, "pooler.dense": plain(), "classifier": plain()},
        class_name="BertModel",
        library="transformers",
        pretrained=["encoder", "pooler"],
        fresh=["classifier"],
    )
    assign(story, "classifier")
    story.optimizer()
    story.step(skipped=["classifier"], parameters=UNUSED)
    (fault,) = check(story.trace())
    assert fault.message.endswith(
        "assign the new module to the attribute that it does use, or call it yourself"
    )
