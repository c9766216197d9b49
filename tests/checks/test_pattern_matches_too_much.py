"""FRZ505 on traces made by hand."""

from typing import Any

from freezelint.checks.freezes.pattern_matches_too_much import check
from tests.story import Story, at, norm, plain


def twelve_layers(**head: dict[str, Any]) -> Story:
    story = Story()
    story.model({**{f"encoder.layer.{i}": plain() for i in range(12)}, **(head or {"head": plain()})})
    return story


def layers(*numbers: int) -> list[str]:
    return [f"encoder.layer.{i}" for i in numbers]


def test_silent_for_a_pattern_that_ends_in_a_dot() -> None:
    story = twelve_layers()
    story.freeze(*layers(1), patterns=("layer.1.",))
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_stem_that_is_no_component_of_its_own() -> None:
    story = Story()
    story.model({"conv1": plain(), "bn1": norm(), "bn2": norm(), "layer1": plain(), "layer2": plain()})
    story.freeze("bn1", "bn2", patterns=("bn",), line=2)
    story.freeze("layer1", "layer2", patterns=("layer",), line=3)
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_an_exact_component() -> None:
    story = Story()
    story.model({"layer1": plain(), "layer4": plain(), "fc": plain()})
    story.freeze("layer4", patterns=("layer4",))
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_other_patterns_name_the_longer_ones() -> None:
    story = twelve_layers()
    story.freeze(*layers(1, 10, 11), patterns=("layer.1", "layer.10", "layer.11"))
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_another_statement_takes_the_longer_ones_too() -> None:
    story = twelve_layers()
    story.freeze(*layers(1, 10, 11), patterns=("layer.1",), line=2)
    story.freeze(*layers(10, 11), line=3)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_longer_ones_got_the_other_flag_back() -> None:
    story = twelve_layers()
    story.freeze(*layers(1, 10, 11), patterns=("layer.1",), line=2)
    story.unfreeze(*layers(10, 11), line=3)
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_the_longer_ones_were_not_taken() -> None:
    story = twelve_layers()
    story.freeze(*layers(1), patterns=("layer.1",))
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_an_unfreeze_changes_nothing_on_the_longer_ones() -> None:
    story = twelve_layers()
    story.freeze(*layers(0, 1))
    story.unfreeze(*layers(1, 10, 11), patterns=("layer.1",))
    story.step()
    assert not list(check(story.trace()))


def test_silent_for_a_word_and_its_longer_sibling_of_the_same_kind() -> None:
    story = Story()
    story.model({"body": plain(), "head": plain(), "head_dist": plain()})
    story.freeze()
    story.unfreeze("head", "head_dist", patterns=("head",))
    story.step()
    assert not list(check(story.trace()))


def test_silent_when_words_continue_by_a_number() -> None:
    story = Story()
    story.model({"fc": plain(), "fc1": norm()})
    story.freeze("fc", "fc1", patterns=("fc",))
    story.step()
    assert not list(check(story.trace()))


def test_one_layer_was_meant_and_three_were_taken() -> None:
    story = twelve_layers()
    story.freeze(*layers(1, 10, 11), patterns=("layer.1",), line=5)
    story.optimizer()
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(5)
    assert fault.message == (
        "the pattern `layer.1` means `encoder.layer.1` but also takes `encoder.layer.10` and "
        "`encoder.layer.11`; compare whole "
        'components of the dotted name, e.g. with `name.startswith("encoder.layer.1.")`'
    )
    assert fault.subjects[0] == "model.encoder.layer.10.weight"
    assert len(fault.subjects) == 4


def test_an_unfreeze_that_takes_more() -> None:
    story = twelve_layers()
    story.freeze(line=2)
    story.unfreeze(*layers(1, 10, 11), patterns=("layer.1",), line=5)
    story.step()
    assert [fault.location for fault in check(story.trace())] == [at(5)]


def test_a_pattern_that_spares_more() -> None:
    story = twelve_layers()
    story.freeze(*layers(0, 2, 3, 4, 5, 6, 7, 8, 9), "head", patterns=("layer.1",), line=5)
    story.step()
    (fault,) = check(story.trace())
    assert fault.evidence == {
        "pattern": "layer.1",
        "meant": "encoder.layer.1",
        "also": ["encoder.layer.10", "encoder.layer.11"],
    }


def test_both_branches_of_one_condition_are_one_finding() -> None:
    story = twelve_layers()
    story.freeze(line=2)
    story.unfreeze(*layers(1, 10, 11), patterns=("layer.1",), line=5)
    story.freeze(*layers(0, 2, 3, 4, 5, 6, 7, 8, 9), "head", patterns=("layer.1",), line=7)
    story.step()
    assert [fault.location for fault in check(story.trace())] == [at(5)]


def test_a_word_that_takes_a_norm_layer_as_well() -> None:
    story = twelve_layers(fc=plain(), fc_norm=norm())
    story.freeze("fc", "fc_norm", patterns=("fc",), line=5)
    story.step()
    (fault,) = check(story.trace())
    assert "the pattern `fc` means `fc` but also takes `fc_norm`" in fault.message


def test_silent_for_a_pairing_by_position_that_takes_everything() -> None:
    story = twelve_layers()
    story.freeze(zipped=True)
    story.step()
    assert not list(check(story.trace()))


def test_a_pairing_by_position() -> None:
    story = twelve_layers()
    story.freeze("encoder.layer.0", zipped=True, line=5)
    story.step()
    (fault,) = check(story.trace())
    assert fault.location == at(5)
    assert fault.message.startswith(
        "`zip` pairs modules with parameters by position, not by owner: this loop froze"
    )
