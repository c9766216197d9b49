"""How corrections are asked for, told and refused."""

from __future__ import annotations

import copy
import gc
import weakref
from pathlib import Path

import pytest
import torch
from torch import nn

import freezelint
from freezelint.live import applying
from freezelint.live.applying import corrections
from freezelint.registry import rules
from tests.live.applying.small import Net, audit, codes, held, loss_of, net, stepping, train


def faulty() -> tuple[Net, torch.optim.Optimizer]:
    """A frozen stem in train mode and in the optimizer."""
    model = net()
    model.stem.requires_grad_(False)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def test_nothing_is_applied_unless_asked_for() -> None:
    model, optimizer = faulty()
    report = audit(model, optimizer)
    assert report.applied == ()
    assert model.stem[1].training
    assert len(held(optimizer)) == 10


def test_a_clean_model_is_left_as_it_is() -> None:
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    train(model, optimizer)
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict(), torch.get_rng_state()))
    assert audit(model, optimizer, apply=True).applied == ()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[0][name])
    assert str(optimizer.state_dict()) == str(before[1])
    assert torch.equal(torch.get_rng_state(), before[2])
    assert "train" not in vars(model.stem[1])


def test_everything_else_stays_as_it_was() -> None:
    model, optimizer = faulty()
    train(model, optimizer)
    before = copy.deepcopy(model.state_dict())
    pointers = [p.data_ptr() for p in model.parameters()]
    random = torch.get_rng_state()
    audit(model, optimizer, apply=True)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [p.data_ptr() for p in model.parameters()] == pointers
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("inside", [True, False], ids=["inside the block", "after the block"])
def test_a_watch_is_applied(inside: bool) -> None:
    model, optimizer = faulty()
    with freezelint.watch(model, optimizer) as report:
        train(model, optimizer)
        if inside:
            applied = report.apply()
            train(model, optimizer)
    if not inside:
        applied = report.apply()
    assert codes(applied) == ["FRZ101", "FRZ201"]
    assert all(each.done and not each.refused for each in applied)
    assert report.applied == tuple(applied)
    assert codes(audit(model, optimizer)) == []


def test_a_second_time_there_is_nothing_left() -> None:
    model, optimizer = faulty()
    report = audit(model, optimizer)
    report.apply()
    again = report.apply()
    assert [each.done for each in again] == [(), ()]
    assert all("nothing left to correct" in each.refused[0] for each in again)


def test_only_what_is_selected_is_corrected() -> None:
    model, optimizer = faulty()
    assert codes(audit(model, optimizer, select=["FRZ2"], apply=True).applied) == ["FRZ201"]
    assert model.train().stem[1].training
    assert codes(audit(model, optimizer, ignore=["FRZ101"], apply=True).applied) == []


def test_what_decides_for_the_author_can_be_refused() -> None:
    model = net()
    model.stem.requires_grad_(False)
    model.stem[1].momentum = 0.0
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    report = audit(model, optimizer)
    (refused,) = report.apply(unsafe=False)
    assert refused.refused == ("it decides something for you: `unsafe=True` allows that",)
    assert str(refused).startswith("FRZ103 norm-frozen-by-side-setting: not corrected: it decides")
    assert model.stem[1].training
    assert report.apply()[0].done


def test_what_lies_in_the_code_is_refused() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> None:
        features = model.body(model.stem(torch.randn(4, 3, 8, 8))).detach()
        model.head(features.mean((2, 3))).sum().backward()

    (cut,) = freezelint.audit(model, optimizer, step, apply=True).applied
    assert cut.code == "FRZ303"
    assert cut.done == ()
    assert "this lies in the code" in cut.refused[0]


def test_what_one_correction_uncovers_is_corrected_too() -> None:
    """Unused gradients of a part explain what is frozen in the optimizer, until they are gone."""
    model = net()
    model.stem.requires_grad_(False)
    rest = [*model.stem.parameters(), *model.head.parameters()]
    optimizer = torch.optim.SGD(rest, lr=0.1)
    report = audit(model, optimizer, apply=True)
    assert {"FRZ101", "FRZ201", "FRZ301"} <= set(codes(report.applied))
    assert all(each.done and not each.refused for each in report.applied)
    assert codes(audit(model, optimizer)) == []


def test_a_model_that_is_gone_is_told() -> None:
    model, optimizer = faulty()
    report = audit(model, optimizer)
    del model
    gc.collect()
    assert {each.refused for each in report.apply()} == {
        ("the model or the optimizer that this is about is gone",)
    }


def test_a_corrected_report_keeps_nothing_alive() -> None:
    def run() -> tuple[freezelint.Report, list[weakref.ref[object]]]:
        model, optimizer = faulty()
        report = audit(model, optimizer, apply=True)
        return report, [weakref.ref(each) for each in (model, optimizer, *model.parameters())]

    report, references = run()
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)
    assert codes(report.applied) == ["FRZ101", "FRZ201"]


def test_a_report_does_not_hinder_torch_from_swapping_tensors() -> None:
    model, optimizer = faulty()
    report = audit(model, optimizer)
    gc.collect()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        model.double()
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)
    assert all(each.done for each in report.apply())


def test_parameters_that_were_exchanged_meanwhile_are_found_by_name() -> None:
    model, optimizer = faulty()
    report = audit(model, optimizer)
    model.stem = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    mode, groups = report.apply()
    assert "nothing left to correct" in mode.refused[0]
    assert "nothing left to correct" in groups.refused[0]
    assert model.stem[1].training
    assert stepping(model, optimizer) is not None
    assert loss_of(model).requires_grad


def test_every_correction_belongs_to_a_rule_that_the_live_audit_sees() -> None:
    """A correction is found by the name of its rule: one that is called otherwise would never run."""
    live = {rule.name.replace("-", "_") for rule in rules() if "live" in rule.witnesses}
    found = {path.stem for path in Path(str(corrections.__file__)).parent.glob("[!_]*.py")}
    assert found
    assert found <= live


def test_safe_fixes_of_states_and_groups_have_a_correction() -> None:
    """What else is safe for the fixer lies in code that the objects do not show."""
    in_the_code = {"FRZ105", "FRZ206", "FRZ304", "FRZ603"}
    for rule in rules():
        if rule.fix == "safe" and "live" in rule.witnesses and rule.code not in in_the_code:
            assert applying._mend(rule.name) is not None, rule.code
