"""`train()` and `eval()`: which statement put each module in the mode it is in."""

from __future__ import annotations

import copy

from torch import nn

from freezelint.live.recorder import Recorder
from tests.live.observing import events, kinds, line_of, observed


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5)))


def cause(recorder: Recorder, module: nn.Module) -> str:
    index = recorder.modes.cause(module)
    assert index is not None
    return recorder.journal.records[index].kind


def test_a_call_on_the_model_is_one_event_and_reaches_every_child() -> None:
    model = net()
    with observed() as recorder:
        model.eval()
    assert kinds(recorder) == ["to-eval"]
    assert [cause(recorder, module) for module in model.modules()] == ["to-eval"] * 5


def test_the_last_call_on_a_module_or_above_it_counts() -> None:
    model = net()
    with observed() as recorder:
        model.train()
        model[1].eval()
        assert (cause(recorder, model[0]), cause(recorder, model[1][0])) == ("to-train", "to-eval")
        model.train()
        assert cause(recorder, model[1][0]) == "to-train"


def test_a_loop_over_layers_is_one_event_with_every_layer() -> None:
    model = nn.Sequential(*(nn.BatchNorm1d(2) for _ in range(3)))
    with observed() as recorder:
        recorder.watch(model)
        for layer in model:
            layer.eval()  # each
        (event,) = events(recorder, "to-eval")
    assert event.modules == ((0, "0"), (0, "1"), (0, "2"))
    assert line_of(event.location) == "layer.eval()  # each"


def test_train_with_false_is_eval() -> None:
    with observed() as recorder:
        net().train(False)
    assert kinds(recorder) == ["to-eval"]


def test_a_flag_set_by_hand_has_no_known_cause() -> None:
    model = net()
    with observed() as recorder:
        model.eval()
        model[0].training = True
        assert recorder.modes.cause(model[0]) is None
        assert cause(recorder, model[1]) == "to-eval"


def test_a_mode_from_before_the_audit_has_no_known_cause() -> None:
    model = net().eval()
    with observed() as recorder:
        assert recorder.modes.cause(model) is None


def test_a_train_that_keeps_norms_in_eval() -> None:
    class Frozen(nn.Sequential):
        def train(self, mode: bool = True) -> nn.Module:
            super().train(mode)
            self[1][0].eval()  # the norm stays
            return self

    model = Frozen(*net())
    with observed() as recorder:
        model.train()
        assert cause(recorder, model[0]) == "to-train"
        assert cause(recorder, model[1][0]) == "to-eval"
        (event,) = events(recorder, "to-eval")
    assert line_of(event.location) == "self[1][0].eval()  # the norm stays"


def test_a_copy_has_no_cause_of_its_own() -> None:
    model = net()
    with observed() as recorder:
        model.eval()
        assert recorder.modes.cause(copy.deepcopy(model)) is None


def test_events_say_whether_the_receiver_was_wholly_frozen() -> None:
    model = net()
    model[1].requires_grad_(False)
    with observed() as recorder:
        model[1].eval()
        model.eval()
    assert [event.wholly_frozen for event in recorder.trace().events] == [True, False]


def test_only_resets_by_the_user_are_events() -> None:
    with observed() as recorder:
        model = net()
        recorder.watch(model)
        model[1][0].reset_running_stats()  # the reset
        (event,) = events(recorder, "statistics-reset")
    assert event.modules == ((0, "1.0"),)
    assert line_of(event.location) == "model[1][0].reset_running_stats()  # the reset"
