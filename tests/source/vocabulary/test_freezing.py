"""`freezelint.freezing` as it is read does what it does when it runs."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from freezelint.source.interpreter.values import Module, Optimizer, Unknown
from freezelint.source.semantics.modules import parameters_below
from freezelint.source.semantics.open_ends import rest_of
from tests.source.reading import codes, found_in, read_source, traced, variables
from tests.source.silence import reading, told

IMPORTS = """
import torch
from torch import nn
from torchvision import models
from freezelint import freezing
from freezelint.freezing import norms
"""
RESNET = "model = models.resnet18()"
PRETRAINED = "model = models.resnet18(weights='DEFAULT')"
NET = """
class Net(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.stage = nn.ModuleList(
            nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, affine=i % 3 > 0)) for i in range(length)
        )
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(3, 2))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        for stage in self.stage:
            x = stage(x)
        return self.head(x.mean((2, 3))) * self.scale

model = Net(12)
"""
BERT = """
from transformers import BertConfig, BertForSequenceClassification
model = BertForSequenceClassification(BertConfig(vocab_size=64, hidden_size=16, num_hidden_layers=4,
    num_attention_heads=2, intermediate_size=32))
"""
ADAM = "optimizer = torch.optim.AdamW(model.{head}.parameters(), lr=1e-3, weight_decay=0.1)"


def script(*lines: str) -> str:
    return "\n".join([IMPORTS, *(textwrap.dedent(line) for line in lines)])


def run(text: str) -> dict[str, Any]:
    """What the script leaves behind when torch runs it."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(text, scope)
    model, optimizer = scope["model"], scope.get("optimizer")
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        "trainable": {name: p.requires_grad for name, p in model.named_parameters()},
        "modes": {name: module.training for name, module in model.named_modules()},
        "groups": groups(optimizer.param_groups if optimizer else [], names),
    }


def read(text: str) -> dict[str, Any]:
    """What it leaves behind when it is read."""
    machine = read_source(text)
    assert not machine.limits
    scope = variables(machine)
    model, optimizer = scope["model"], scope.get("optimizer")
    assert isinstance(model, Module)
    names = {id(p): name for name, p in model.own_and_below()}
    assert optimizer is None or (isinstance(optimizer, Optimizer) and optimizer.complete)
    return {
        "trainable": {name: p.requires_grad for name, p in model.own_and_below()},
        "modes": {name: module.training for name, module in model.walk()},
        "groups": groups(optimizer.groups if optimizer else [], names),
    }


def groups(found: list[dict[str, Any]], names: dict[int, str]) -> list[tuple[Any, ...]]:
    """The groups of an optimizer: the names of their parameters, rate, weight decay and name."""
    return [
        (
            sorted(names[id(p)] for p in group["params"]),
            pytest.approx(group["lr"]),
            group["weight_decay"],
            group.get("name", ""),
        )
        for group in found
    ]


def assert_same(text: str) -> None:
    ran, was_read = run(text), read(text)
    assert was_read["trainable"] == ran["trainable"]
    assert {name: ran["modes"][name] for name in was_read["modes"]} == was_read["modes"]
    assert was_read["groups"] == ran["groups"]


CALLS = {
    RESNET: [
        "freezing.freeze(model)",
        "freezing.freeze(model, 'layer1')",
        "freezing.freeze(model, 'layer[12]', 'conv1', '**.bias')",
        "freezing.freeze(model, 'layer1.0.bn1.weight', 'layer1.0.bn1.bias')",
        "freezing.freeze(model, model.layer4[1])",
        "freezing.freeze_all_but(model, 'fc')",
        "freezing.freeze_all_but(nn.DataParallel(model), 'fc', 'layer4.1.')",
        "freezing.freeze_except_last(model, 3)",
        "freezing.freeze_except_last(model, 2, torch.randn(1, 3, 32, 32))",
        "freezing.freeze(model); freezing.unfreeze(model, 'layer4')",
        "freezing.freeze(model); freezing.unfreeze(model, 'layer4', keep_norms=True)",
        "norms.freeze(model)",
        "norms.freeze(model, 'layer1')",
        "norms.freeze_until(model, 'layer3')",
        "freezing.freeze(model); norms.adapt(model, 'layer4', momentum=0.01)",
        "freezing.freeze_all_but(model, 'fc').undo()",
        "first = freezing.freeze(model, 'layer1'); second = freezing.freeze(model); second.undo()",
        "with freezing.freeze(model, 'layer2'): model.eval()",
        "model.requires_grad_(False); model.fc.requires_grad_(True); freezing.keep_frozen_in_eval(model)",
        "freezing.keep_frozen_in_eval(model); freezing.freeze(model, 'layer1', 'layer2'); model.eval()",
        "model.layer1.requires_grad_(False); freezing.keep_frozen_in_eval(model).undo()",
        "model.eval(); freezing.freeze_all_but(model, 'fc', 'layer4')",
    ],
    NET: [
        "freezing.freeze(model, 'stage.1')",
        "freezing.freeze(model, 'stage.1*')",
        "freezing.freeze(model, 'stage.?')",
        "freezing.freeze(model, 'stage.[!0-8]')",
        "freezing.freeze(model, '**.11.**')",
        "freezing.freeze_all_but(model, 'head', 'scale')",
        "freezing.freeze(model, 'stage.0.0.weight', 'stage.0.0.bias')",
        "freezing.freeze_except_last(model, 4)",
        "freezing.freeze(model, 'stage.0', 'stage.1'); model.stage[1][1].training = True",
    ],
    BERT: [
        "freezing.freeze(model, 'bert.embeddings', 'bert.encoder.layer.[0-1]')",
        "freezing.freeze_all_but(model, '**.LayerNorm', 'classifier')",
        "freezing.freeze_except_last(model, 3)",
        "freezing.freeze(model, 'bert'); freezing.keep_frozen_in_eval(model)",
    ],
}
FLAGS = [(model, call) for model, calls in CALLS.items() for call in calls]


@pytest.mark.parametrize(("model", "call"), FLAGS, ids=[call for _, call in FLAGS])
def test_flags_and_modes_through_a_later_train(model: str, call: str) -> None:
    assert_same(script(model, call))
    assert_same(script(model, call, "model.train()"))


GROUPS = [
    (RESNET, "lr=1e-3, decay=0.5"),
    (RESNET, "lr=1e-3, decay=1 / 2.6, by='layer'"),
    (RESNET, "lr=1e-3, decay=0.5, weight_decay=0.05, decay_norms_and_biases=False"),
    (NET, "lr=1e-3, decay=0.9"),
    (NET, "lr=1e-3, decay=0.9, by='layer', decay_norms_and_biases=False"),
    (BERT, "lr=2e-5, decay=0.95"),
    (BERT, "2e-5, 0.95, 'layer', decay_norms_and_biases=False"),
]


@pytest.mark.parametrize(("model", "arguments"), GROUPS)
@pytest.mark.parametrize("before", ["", "freezing.freeze_except_last(model, 2)"], ids=["all", "some"])
def test_rates_by_layer(model: str, arguments: str, before: str) -> None:
    made = f"optimizer = torch.optim.AdamW(freezing.layerwise_groups(model, {arguments}), lr=1.0)"
    assert_same(script(model, before, made))


STAGES = [
    (RESNET, "fc", "freezing.GradualUnfreezing(model, optimizer)", ""),
    (RESNET, "fc", "freezing.GradualUnfreezing(model, optimizer, norms='frozen', decay=0.5, every=2)", ""),
    (NET, "head", "freezing.GradualUnfreezing(model, optimizer)", ""),
    (BERT, "classifier", "freezing.GradualUnfreezing(model, optimizer, decay=0.9)", ""),
    (
        RESNET,
        "fc",
        "freezing.GradualUnfreezing(model, optimizer, schedule=schedule)",
        "schedule = freezing.warmup_cosine(optimizer, total_steps=100, warmup_steps=10)",
    ),
    (
        RESNET,
        "fc",
        "freezing.GradualUnfreezing(model, optimizer, schedule=schedule)",
        "schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)",
    ),
]


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(("model", "head", "making", "schedule"), STAGES)
@pytest.mark.parametrize("stages", [0, 1, 3])
def test_stages_of_gradual_unfreezing(model: str, head: str, making: str, schedule: str, stages: int) -> None:
    steps = f"""
        unfreezing = {making}
        for epoch in range({stages} + 1):
            unfreezing.begin_epoch(epoch)
            model.train()
            if {bool(schedule)}:
                optimizer.zero_grad()
                schedule.step()
        assert unfreezing.stage == len(optimizer.param_groups) - 1
    """
    assert_same(script(model, ADAM.format(head=head), schedule, steps))


def test_blocks_opened_by_hand_and_their_names() -> None:
    text = script(
        RESNET,
        ADAM.format(head="fc"),
        """
        unfreezing = freezing.GradualUnfreezing(model, optimizer)
        names = [unfreezing.advance(), unfreezing.advance()]
        while not unfreezing.done:
            names.append(unfreezing.advance())
        names.append(unfreezing.advance())
        """,
    )
    assert variables(read_source(text))["names"] == ["layer4", "layer3", "layer2", "layer1", "conv1", None]
    assert_same(text)


RATES = [
    "freezing.warmup_linear(optimizer, total_steps=10, warmup_steps=4)",
    "freezing.warmup_cosine(optimizer, 10, 3, lowest=0.1)",
    "freezing.slanted_triangular(optimizer, total_steps=20, rising=0.2)",
]


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("schedule", RATES)
@pytest.mark.parametrize(
    "after", ["", "schedule.restart()", "schedule.restart(); optimizer.step(); schedule.step()"]
)
def test_schedules_keep_ratios_and_start_over(schedule: str, after: str) -> None:
    steps = f"""
        optimizer = torch.optim.AdamW(freezing.layerwise_groups(model, lr=1e-3, decay=0.5))
        schedule = {schedule}
        for _ in range(3):
            optimizer.zero_grad()
            schedule.step()
        {after}
    """
    assert_same(script(RESNET, steps))


def test_a_copy_of_a_frozen_layer_stays_in_eval_and_a_converted_one_does_not() -> None:
    kept = script(RESNET, "import copy; freezing.freeze(model); model = copy.deepcopy(model); model.train()")
    assert_same(kept)
    converted = script(
        RESNET,
        "freezing.freeze(model); model = nn.SyncBatchNorm.convert_sync_batchnorm(model); model.train()",
    )
    assert_same(converted)


def test_the_mode_within_train_mode_and_after_it() -> None:
    inside = "with freezing.train_mode(model):\n    model.modes = [m.training for m in model.modules()]"
    text = script(RESNET, "model.eval()\nmodel.layer1.requires_grad_(False)", inside)
    scope: dict[str, Any] = {}
    exec(text, scope)
    assert variables(read_source(text))["model"].attributes["modes"] == scope["model"].modes
    assert_same(text)


# -- evidence ------------------------------------------------------------------------------------------------

TRAINING = """
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
for _ in range(2):
    model.train()
    optimizer.zero_grad()
    model(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
"""


def test_the_mode_of_a_frozen_norm_layer_has_the_freeze_for_its_cause() -> None:
    trace = traced(script(RESNET, "freezing.freeze_all_but(model, 'fc')", TRAINING))
    state = trace.steps[-1].modules[0]["layer1.0.bn1"]
    assert state.training is False
    assert state.cause is not None
    assert trace.events[state.cause].kind == "frozen"
    assert trace.steps[-1].modules[0]["fc"].training is True


def test_what_is_frozen_in_mid_training_has_no_gradient() -> None:
    trace = traced(script(RESNET, TRAINING, "freezing.freeze(model, 'layer1')", "optimizer.step()"))
    last = {trace.parameters[p].path: state for p, state in trace.steps[-1].parameters.items()}
    assert last["layer1.0.conv1.weight"].gradient == "none"
    assert last["layer1.0.conv1.weight"].moved is False


def test_frozen_by_flag_alone_it_is_found() -> None:
    """The silence of the strategies is earned."""
    by_flag = "model.requires_grad_(False)\nmodel.fc.requires_grad_(True)"
    assert "FRZ101" in codes(found_in(script(PRETRAINED, by_flag, TRAINING)))
    assert codes(found_in(script(PRETRAINED, "freezing.freeze_all_but(model, 'fc')", TRAINING))) == []


# -- what raises ---------------------------------------------------------------------------------------------

REFUSED = [
    "freezing.freeze(model, 'layer9')",
    "freezing.freeze(model, 'relu')",
    "freezing.freeze(model, nn.Linear(1, 1))",
    "freezing.freeze(model, '')",
    "freezing.freeze(nn.parallel.DistributedDataParallel(model))",
    "freezing.freeze_all_but(model)",
    "freezing.freeze_except_last(model, 7)",
    "norms.freeze(nn.Linear(1, 1))",
    "norms.freeze_until(model, 'conv1')",
    "norms.adapt(model, momentum=0.0)",
    "freezing.layerwise_groups(model, lr=1e-3, decay=2.6)",
    "freezing.layerwise_groups(model, lr=0, decay=0.5)",
    "freezing.freeze(model); freezing.layerwise_groups(model, lr=1, decay=0.5)",
    "freezing.GradualUnfreezing(model, torch.optim.SGD(model.parameters(), lr=1.0))",
    "freezing.GradualUnfreezing(model, torch.optim.SGD(model.conv1.parameters(), lr=1.0))",
    "freezing.warmup_linear(torch.optim.SGD(model.parameters(), lr=1.0), total_steps=0)",
]


@pytest.mark.parametrize("call", REFUSED)
def test_what_the_library_refuses_raises(call: str) -> None:
    handled = f"""
        outcome = "passed"
        try:
            {call}
        except ValueError:
            outcome = "raised"
    """
    assert variables(read_source(script(RESNET, handled)))["outcome"] == "raised"


# -- what nobody knows ---------------------------------------------------------------------------------------

UNKNOWN = [
    "freezing.freeze(model, *names)",
    "freezing.freeze_all_but(model, names[0])",
    "freezing.freeze_except_last(model, count)",
    "freezing.freeze_except_last(nn.ModuleList([model, thing()]), 2)",
    "norms.freeze(model, *names)",
    "freezing.GradualUnfreezing(model, torch.optim.SGD(thing(), lr=1.0))",
    "freezing.linear_probe_then_finetune(model, loader)",
    "freezing.Callback(freezing.GradualUnfreezing(model, torch.optim.SGD(model.fc.parameters(), lr=1.0)))",
    "freezing.GradualUnfreezing(model, torch.optim.SGD(model.fc.parameters(), lr=1.0)).load_state_dict({})",
    "plan = freezing.recommend(500, 'low', model); plan.apply(model)",
]


@pytest.mark.parametrize("call", UNKNOWN)
def test_after_an_unknown_pattern_or_plan_no_flag_is_known(call: str) -> None:
    text = script(RESNET, "names = open('names').read().split(); count = len(names)", call)
    machine = read_source(
        text.replace("from freezelint import", "from somewhere import thing, loader\nfrom freezelint import")
    )
    flags = {name: p.requires_grad for name, p in variables(machine)["model"].own_and_below()}
    expected = {None, True} if "norms.freeze" in call else {None}
    assert set(flags.values()) <= expected
    assert flags["bn1.weight"] is None
    assert not any("freezing" in limit.what or "plan" in limit.what for limit in machine.limits.values())


OPEN = "import timm\nmodel = timm.create_model('a_model_of_tomorrow')"


def test_unknown_parts_of_a_model_appear_by_their_names() -> None:
    machine = read_source(script(OPEN, "freezing.freeze_all_but(model, 'head')"))
    model = variables(machine)["model"]
    assert {p.requires_grad for p in parameters_below(model.children["head"])} == {True}
    assert rest_of(model).requires_grad is False
    assert not machine.limits


def test_a_glob_may_name_more_in_a_model_that_is_not_known() -> None:
    model = variables(read_source(script(OPEN, "freezing.freeze_all_but(model, '**.bias')")))["model"]
    assert {p.requires_grad for p in parameters_below(model)} == {None}


def test_groups_of_a_model_that_is_not_known_hold_what_is_trainable() -> None:
    made = "optimizer = torch.optim.SGD(freezing.layerwise_groups(model, lr=1.0, decay=0.5), lr=1.0)"
    machine = read_source(script(OPEN, "freezing.freeze_all_but(model, 'head')", made))
    model, optimizer = variables(machine)["model"], variables(machine)["optimizer"]
    held = [parameter for group in optimizer.groups for parameter in group["params"]]
    assert held == parameters_below(model.children["head"])
    assert isinstance(optimizer.groups[0]["lr"], Unknown)


# -- looking only --------------------------------------------------------------------------------------------


def test_reports_and_freezelints_own_audit_leave_everything_alone() -> None:
    text = script(
        "import freezelint",
        PRETRAINED,
        "freezing.freeze_all_but(model, 'fc')",
        "optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1)",
        """
        def step():
            model(torch.randn(2, 3, 8, 8)).sum().backward()

        print(freezing.summary(model, optimizer), freezing.domain_shift(model, [torch.randn(2, 3, 8, 8)]))
        freezelint.audit(model, optimizer, step).raise_for_findings()
        with freezelint.watch(model, optimizer) as report:
            for _ in range(2):
                model.train()
                optimizer.zero_grad()
                step()
                optimizer.step()
        print(report.findings)
        """,
    )
    found = reading(text)
    assert told(found) == []
    assert not found.limits
    trace = traced(text)
    assert len(trace.steps) == 2
    assert trace.steps[-1].modules[0]["bn1"].training is False


def test_the_library_is_known_where_its_own_source_lies_beside_the_script() -> None:
    """As in this project: the calls are imitated, and its modules are not read."""
    machine = read_source(script(RESNET, "freezing.freeze(model)"))
    assert list(machine.modules) == ["train.py"]


def test_a_module_inside_itself_ends() -> None:
    text = script(
        "model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))\nmodel.a = model.b = model",
        "freezing.freeze(model, '0'); freezing.keep_frozen_in_eval(model)",
        "freezing.freeze_except_last(model, 1)",
    )
    model = variables(read_source(text))["model"]
    assert {p.requires_grad for _, p in model.own_and_below()} == {None}
