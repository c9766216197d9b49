"""Order of execution: which layer acts where."""

from dataclasses import replace

from freezelint.facts.layers import Span, gradient_flows, layers, span_of, spans, tail
from tests.story import Story, plain


def test_layers_are_in_order_of_execution_and_leave_out_what_did_not_run() -> None:
    story = Story()
    model = story.model({"late": plain(), "early": plain(), "unused": plain()})
    step = story.step(modules={"late": {"order": 9}}, skipped=["unused"])
    assert [layer.module.path for layer in layers(model, step)] == ["early", "late"]


def test_a_container_is_no_layer_and_its_own_parameters_span_its_children() -> None:
    story = Story()
    model = story.model(
        {"tower": plain((4,)), "tower.first": plain(), "tower.second": plain(), "head": plain()}
    )
    step = story.step()
    assert [layer.module.path for layer in layers(model, step)] == ["tower.first", "tower.second", "head"]
    assert spans(model, step)[story.ids("tower.weight")[0]] == Span(1, 3)


def test_parameters_of_a_layer_that_is_never_called_belong_to_the_one_around_it() -> None:
    story = Story()
    model = story.model({"attention": plain((12, 4)), "attention.out_proj": plain(), "head": plain()})
    step = story.step(skipped=["attention.out_proj"])
    assert span_of(spans(model, step), story.ids("attention")) == Span(1, 1)


def test_tied_parameters_span_all_their_uses() -> None:
    story = Story()
    model = story.model(
        {"embedding": plain((9, 4)), "body": plain(), "lm_head": plain((9, 4))},
        tied={"lm_head.weight": "embedding.weight"},
    )
    assert spans(model, story.step())[story.ids("embedding")[0]] == Span(1, 3)


def test_a_place_is_unknown_where_one_parameter_did_not_take_part() -> None:
    assert span_of({0: Span(1, 1)}, [0, 1]) is None
    assert span_of({}, []) is None


def test_gradient_flows_only_where_every_layer_between_is_known_to_pass_it() -> None:
    story = Story()
    model = story.model({"first": plain(), "second": plain(), "third": plain()})
    assert gradient_flows(model, story.step(), 1, 3)
    assert not gradient_flows(model, story.step(modules={"second": {"input_requires_grad": None}}), 1, 3)


def test_the_tail_of_one_origin() -> None:
    story = Story()
    model = story.model(
        {"body": plain(), "neck": plain(), "head": plain()}, pretrained=["body"], fresh=["neck", "head"]
    )
    run = layers(model, story.step())
    assert [layer.module.path for layer in tail(story.trace(), run, "fresh")] == ["neck", "head"]
    changed = replace(story.trace(), parameters=tuple(replace(p, origin="unknown") for p in story.parameters))
    assert not tail(changed, run, "fresh")
