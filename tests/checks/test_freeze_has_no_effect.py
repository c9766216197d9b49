"""FRZ504 on traces made by hand."""

from typing import Any

import pytest

from freezelint.checks.freezes.freeze_has_no_effect import check
from freezelint.evidence import Event
from freezelint.finding import Fault
from tests.story import Story, at, norm, plain


def residual() -> Story:
    story = Story()
    story.model({"conv1": plain(), "layer4.0.conv": plain(), "layer4.1.conv": plain(), "fc": plain()})
    return story


def searched(story: Story, *patterns: str, line: int = 2, **fields: Any) -> Event:
    """A loop of three lines over all parameters, none of which has such a name."""
    fields = {
        "end_line": line + 2,
        "reason": "pattern",
        "certain": True,
        "patterns": patterns,
        "value": " or ".join(f'"{pattern}" in name' for pattern in patterns),
        "modules": ((0, ""),),
        "parameters": tuple(story.ids()),
        "name": "named_parameters",
        **fields,
    }
    return story.event("froze-nothing", line, **fields)


def faults(story: Story) -> list[Fault]:
    return list(check(story.trace("source")))


# --- silent ---


@pytest.mark.parametrize("certain", [None, False])
def test_silent_when_not_everything_is_known(certain: bool | None) -> None:
    story = residual()
    searched(story, "layer5", certain=certain)
    assert not faults(story)


def test_silent_when_another_run_of_the_statement_is_not_known() -> None:
    story = residual()
    searched(story, "layer5")
    searched(story, "layer5", certain=None)
    assert not faults(story)


def test_silent_when_the_loop_froze_something_in_another_call() -> None:
    story = residual()
    searched(story, "layer5", calls=[at(20)])
    story.freeze("layer4", line=4, calls=[at(21)])
    assert not faults(story)


def test_silent_when_something_was_frozen_below_the_call() -> None:
    story = residual()
    story.event("froze-nothing", 9, reason="recursion", certain=True, name="freeze", value="freeze(child, 0)")
    story.freeze("layer4.0", line=5, calls=[at(9), at(20)])
    assert not faults(story)


def test_silent_for_a_loop_that_selects_what_is_trained() -> None:
    story = residual()
    searched(story, "layer5")
    story.unfreeze(line=4)
    assert not faults(story)


def test_silent_for_an_empty_list_of_names() -> None:
    story = residual()
    searched(story)
    assert not faults(story)


@pytest.mark.parametrize("pattern", ["bn", "norm", "batch_norm", ".bias_", "lora_A", "adapter"])
def test_silent_for_a_kind_of_parameter_that_the_model_does_not_have(pattern: str) -> None:
    story = residual()
    searched(story, pattern)
    assert not faults(story)


def test_silent_for_a_copy_of_what_is_frozen_anyway() -> None:
    story = residual()
    fields: dict[str, Any] = {"certain": True, "parameters": tuple(story.ids("conv1"))}
    story.event("froze-nothing", 2, reason="tensor-copy", name="data", **fields)
    story.freeze("conv1", line=3)
    story.step()
    assert not faults(story)


def test_silent_for_a_bare_name_at_the_end_of_a_cell() -> None:
    story = residual()
    story.event("froze-nothing", 2, reason="not-called", certain=True, value="model.freeze", observed=True)
    assert not faults(story)


def test_silent_for_a_map_over_what_is_frozen_anyway() -> None:
    story = residual()
    fields: dict[str, Any] = {"certain": True, "parameters": tuple(story.ids())}
    story.event("froze-nothing", 2, reason="never-run", name="map", **fields)
    story.freeze(line=3)
    assert not faults(story)


# --- names ---


def test_a_name_of_another_architecture() -> None:
    story = residual()
    searched(story, "layer5")
    story.optimizer()
    story.step()
    (fault,) = faults(story)
    assert fault.location == at(2)
    assert fault.message == (
        'this loop freezes nothing: none of the 8 parameters of `model` passes `"layer5" in name`; the names '
        "begin with `conv1`, `layer4` and `fc`: test for one of these"
    )
    assert len(fault.subjects) == 8


def test_a_loop_that_runs_each_epoch_is_one_finding() -> None:
    story = residual()
    searched(story, "layer5")
    searched(story, "layer5")
    assert len(faults(story)) == 1


def test_parts_renamed_by_sequential() -> None:
    story = Story()
    story.model({"0": plain(), "1": norm(), "2.0": plain(), "3.0": plain()})
    searched(story, "layer3", "layer4")
    (fault,) = faults(story)
    assert fault.message.endswith("a Sequential calls its parts by numbers, here `0`…`3`: test for these")


def test_norm_layers_whose_names_do_not_say_so() -> None:
    story = Story()
    story.model({"0": plain(), "1": norm()})
    searched(story, "bn")
    assert len(faults(story)) == 1


def test_the_name_of_a_module_compared_with_names_of_parameters() -> None:
    story = residual()
    searched(story, "layer4", value='name == "layer4"')
    (fault,) = faults(story)
    assert fault.message.endswith(
        'passes `name == "layer4"`; names are whole paths, such as `layer4.0.conv.weight`: test for what '
        "they begin with"
    )


def test_names_within_a_part_of_the_model() -> None:
    story = residual()
    searched(story, "layer4.", modules=((0, "layer4"),), parameters=tuple(story.ids("layer4")))
    (fault,) = faults(story)
    assert "none of the 4 parameters of `layer4` passes" in fault.message
    assert fault.message.endswith("a Sequential calls its parts by numbers, here `0` and `1`: test for these")


def test_an_exception_that_takes_everything() -> None:
    story = Story()
    story.model({"net.conv": plain(), "net.fc": plain()})
    searched(story, "net", value='"net" not in name')
    (fault,) = faults(story)
    assert fault.message.endswith("every name contains `net`, as in `net.conv.weight`")


def test_names_of_children() -> None:
    story = residual()
    searched(story, "layer4.0", name="named_children")
    (fault,) = faults(story)
    assert fault.message == (
        'this loop freezes nothing: none of the 3 children of `model` passes `"layer4.0" in name`; the names '
        "begin with `conv1`, `layer4` and `fc`: test for one of these"
    )


def test_where_the_helper_was_called() -> None:
    story = residual()
    searched(story, "layer5", calls=[at(20)])
    (fault,) = faults(story)
    assert [(related.location, related.message) for related in fault.related] == [(at(20), "called here")]


# --- counts ---


def test_a_slice_beyond_the_end() -> None:
    story = residual()
    story.event(
        "froze-nothing",
        2,
        end_line=3,
        reason="count",
        certain=True,
        value="list(model.parameters())[100:]",
        modules=((0, ""),),
        name="parameters",
    )
    (fault,) = faults(story)
    assert fault.message == (
        "this loop freezes nothing: `list(model.parameters())[100:]` leaves none of the 8 parameters of "
        "`model`; count what is there, or choose by name"
    )


def test_a_count_of_modules_without_parameters() -> None:
    story = Story()
    empty = {"class_name": "Flatten", "role": "plain", "shapes": ()}
    story.model({"0": empty, "1": {**empty, "class_name": "ReLU"}, "2": plain()})
    story.event(
        "froze-nothing",
        2,
        end_line=4,
        reason="no-parameters",
        certain=True,
        modules=((0, "0"), (0, "1")),
        name="children",
    )
    (fault,) = faults(story)
    assert fault.message == (
        "this freezes nothing: `model.0` and `model.1` have no parameters (Flatten, ReLU); choose the "
        "modules that have some"
    )
    assert fault.subjects == ("model",)


def test_a_recursion_that_rules_everything_out() -> None:
    story = residual()
    story.freeze("conv1", line=5, calls=[at(20)])
    for _ in range(2):
        story.event(
            "froze-nothing",
            9,
            calls=[at(20)],
            reason="recursion",
            certain=True,
            value="freeze(child, 0)",
            name="freeze",
            modules=((0, "layer4"),),
        )
    (fault,) = faults(story)
    assert fault.location is not None
    assert fault.location.line == 9
    assert fault.message.startswith("the recursive call `freeze(child, 0)` never freezes anything")


# --- what does not run, or runs on something else ---


def test_a_map_that_is_never_run() -> None:
    story = residual()
    story.event("froze-nothing", 2, reason="never-run", certain=True, name="generator expression")
    (fault,) = faults(story)
    assert fault.message.startswith("this generator expression is never run, so that nothing is frozen")


def test_a_method_that_is_not_called() -> None:
    story = residual()
    story.event(
        "froze-nothing", 2, reason="not-called", certain=True, value="model.freeze", modules=((0, ""),)
    )
    (fault,) = faults(story)
    assert fault.message == (
        "`model.freeze` only names the method and does not call it, so that nothing is frozen; write "
        "`model.freeze(…)`"
    )


def test_the_tensors_of_a_state_dict() -> None:
    story = residual()
    fields: dict[str, Any] = {"certain": True, "parameters": tuple(story.ids("conv1"))}
    story.event("froze-nothing", 2, reason="tensor-copy", name="state_dict", **fields)
    story.optimizer()
    story.step()
    (fault,) = faults(story)
    assert fault.message == (
        "this sets the flag of what `state_dict()` gives, which is not the parameter: `conv1` (2 parameters) "
        "stay trainable; set it on the parameter itself"
    )


def test_a_frozen_copy_that_is_thrown_away() -> None:
    story = residual()
    fields: dict[str, Any] = {"certain": True, "parameters": tuple(story.ids())}
    story.event("froze-nothing", 2, reason="object-copy", name="frozen", **fields)
    story.optimizer()
    story.step()
    (fault,) = faults(story)
    assert (
        "`frozen` freezes a copy, which this statement throws away: `model` (8 parameters)" in fault.message
    )
