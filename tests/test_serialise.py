"""Evidence survives JSON: whatever `evidence.py` can say, `serialise` writes and reads back."""

from __future__ import annotations

import json
import types
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freezelint.evidence import Location, Step, Trace
from freezelint.serialise import dumps, from_data, loads, to_data
from tests.story import Story, norm, plain

DEPTH = 3  # how far locations may nest inside locations


def values(hint: Any, depth: int = DEPTH) -> st.SearchStrategy[Any]:
    """Any value of this type, defaults and all."""
    if is_dataclass(hint):
        return instances(hint, depth - (hint is Location))
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of([st.none() if kind is type(None) else values(kind, depth) for kind in inner])
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple and inner[-1] is Ellipsis:
        if depth == 0 and inner[0] is Location:
            return st.just(())
        return st.lists(values(inner[0], depth), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(kind, depth) for kind in inner))
    if origin is dict:
        return st.dictionaries(values(inner[0], depth), values(inner[1], depth), max_size=2)
    plain_kinds = {
        str: st.text(max_size=8),
        int: st.integers(),
        bool: st.booleans(),
        float: st.floats(allow_nan=False),
    }
    return plain_kinds[hint]


def instances(kind: Any, depth: int = DEPTH) -> st.SearchStrategy[Any]:
    """Any instance of this dataclass."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{each.name: values(hints[each.name], depth) for each in fields(kind)})


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(instances(Trace))
def test_every_trace_survives(trace: Trace) -> None:
    assert loads(dumps(trace)) == trace


@settings(max_examples=60, deadline=None)
@given(instances(Step))
def test_every_step_survives_with_the_types_of_its_facts(step: Step) -> None:
    read = from_data(Step, json.loads(json.dumps(to_data(step))))
    assert repr(read) == repr(step), (
        "`1 == True`, so equality alone would not see a flag turned into a number"
    )


def test_a_story_survives() -> None:
    story = Story()
    story.model({"conv": plain(), "bn": norm(), "fc": plain()}, pretrained=["conv", "bn"])
    story.freeze("conv", "bn", line=3)
    story.optimizer("fc", line=4)
    story.step()
    trace = story.trace()
    read = loads(dumps(trace))
    assert read == trace
    assert list(read.steps[0].parameters) == [0, 1, 2, 3, 4, 5], "keys are numbers again"


def test_defaults_are_left_out() -> None:
    assert to_data(Location("train.py", 3)) == {"path": "train.py", "line": 3}


def test_other_data_are_refused() -> None:
    for data in ({"witness": "live"}, {"witness": "ghost", "target": "train.py"}, {"nothing": 1}):
        with pytest.raises(ValueError, match=r"no Trace|'ghost' is none of 'source', 'live'"):
            from_data(Trace, data)
