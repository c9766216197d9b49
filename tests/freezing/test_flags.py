"""`freeze`, `unfreeze`, `freeze_all_but`, `freeze_except_last`: flags, gradients, modes that last."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

import freezelint
from freezelint import freezing
from tests.freezing.models import Net, as_pretrained, flags, images, loss_of, modes, small_bert, small_resnet


def frozen(model: nn.Module) -> list[str]:
    """The top of the names of what is frozen."""
    return [name for name, trains in flags(model).items() if not trains]


def statistics(model: nn.Module) -> list[torch.Tensor]:
    return [b.clone() for n, b in model.named_buffers() if "running" in n]


def test_freezes_what_is_named_and_nothing_else() -> None:
    model = Net(12)
    change = freezing.freeze(model, "stage.1")
    assert frozen(model) == [f"stage.1.{own}" for own in ("conv.weight", "conv.bias", "bn.weight", "bn.bias")]
    assert change.parameters == tuple(frozen(model))
    assert change.norms == ("stage.1.bn",)
    assert repr(change) == "<Change: froze 4 parameters, 1 norm layers in eval>"


def test_without_patterns_it_is_the_whole_model() -> None:
    model = Net()
    freezing.freeze(model)
    assert not any(flags(model).values())
    freezing.unfreeze(model)
    assert all(flags(model).values())
    assert all(modes(model).values())


def test_nothing_is_changed_where_a_pattern_matches_nothing() -> None:
    model = Net()
    with pytest.raises(freezing.NoMatchError):
        freezing.freeze(model, "stage.0", "stage.7")
    assert all(flags(model).values())


def test_norm_layers_stay_in_eval_through_train() -> None:
    model = Net()
    freezing.freeze(model, "stage.0")
    before = statistics(model.stage[0])
    for _ in range(2):
        model.eval()
        model.train()
        assert not model.stage[0].bn.training
        assert model.stage[0].drop.training
        assert model.stage[1].bn.training
        loss_of(model).backward()
    assert all(map(torch.equal, statistics(model.stage[0]), before))
    assert model.stage[0].bn.train() is model.stage[0].bn


def test_layers_of_every_kind_with_or_without_scale_and_shift() -> None:
    """Helpers that know BatchNorm2d alone, or compare layers by value, lose some of these."""
    layers = {
        "one": nn.BatchNorm1d(4),
        "same": nn.BatchNorm1d(4),
        "plain": nn.BatchNorm1d(4, affine=False),
        "volume": nn.BatchNorm3d(4),
        "synchronised": nn.SyncBatchNorm(4),
        "instance": nn.InstanceNorm2d(4, track_running_stats=True),
        "group": nn.GroupNorm(2, 4),
        "linear": nn.Linear(4, 4),
    }
    model = nn.ModuleDict({"body": nn.ModuleDict(layers), "head": nn.Linear(4, 2)})
    change = freezing.freeze(model, "body")
    model.train()
    held = ("one", "same", "plain", "volume", "synchronised", "instance")
    assert change.norms == tuple(f"body.{name}" for name in held)
    assert [name for name, layer in layers.items() if not layer.training] == list(held)
    assert frozen(model) == [n for n in flags(model) if n.startswith("body.")]


def test_a_layer_without_parameters_is_frozen_with_what_is_around_it() -> None:
    body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, affine=False))
    model = nn.Sequential(body, nn.Linear(4, 2))
    freezing.freeze(model, "0.0.weight", "0.0.bias")
    assert not model.train()[0][1].training
    freezing.unfreeze(model, "0")
    assert body[1].training


def test_a_half_frozen_norm_layer_keeps_its_mode() -> None:
    model = Net()
    freezing.freeze(model, "stage.0.bn.weight")
    assert model.train().stage[0].bn.training


def test_the_mode_survives_copies_pickles_state_dicts_and_compilation() -> None:
    model = Net(2)
    names = list(model.state_dict())
    freezing.freeze(model, "stage.0")
    assert list(model.state_dict()) == names
    stored = io.BytesIO()
    torch.save(model, stored)
    stored.seek(0)
    others = {
        "copied": copy.deepcopy(model),
        "pickled": pickle.loads(pickle.dumps(model)),
        "loaded": torch.load(stored, weights_only=False),
        "moved": copy.deepcopy(model).to(torch.float64),
    }
    for how, other in others.items():
        other.train()
        assert not other.stage[0].bn.training, how
        assert other.stage[1].bn.training, how
        freezing.unfreeze(other)
        assert other.stage[0].bn.training, how
    assert not model.train().stage[0].bn.training, "copies stand on their own"
    compiled = torch.compile(model, backend="eager")
    before = statistics(model.stage[0])
    compiled.train()
    compiled(images()).sum().backward()
    assert all(map(torch.equal, statistics(model.stage[0]), before))


def test_the_mode_survives_data_parallel_training(tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = Net(2)
        freezing.freeze(model, "stage.0")
        before = statistics(model.stage[0])
        wrapped = nn.parallel.DistributedDataParallel(model)
        wrapped.train()
        loss_of(wrapped).backward()
        assert all(map(torch.equal, statistics(model.stage[0]), before))
        with pytest.raises(ValueError, match="freeze and unfreeze before wrapping"):
            freezing.unfreeze(wrapped)
        assert freezing.summary(wrapped).rows[0].block == "stage.0"
    finally:
        torch.distributed.destroy_process_group()


def test_freezing_in_mid_training_stops_momentum_and_weight_decay() -> None:
    """A zeroed gradient that is left in place would let both go on."""
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    loss_of(model).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    freezing.freeze(model, "stage.0")
    before = copy.deepcopy(model.stage[0].state_dict())
    for _ in range(2):
        loss_of(model).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
    assert all(torch.equal(value, before[name]) for name, value in model.stage[0].state_dict().items())


def test_undo_gives_back_flags_and_modes() -> None:
    model = Net()
    model.stage[1].bn.eval()
    model.head.bias.requires_grad = False
    before = flags(model), modes(model)
    with freezing.freeze(model) as change:
        assert not any(flags(model).values())
        model.eval()
        model.train()
    assert (flags(model), modes(model)) == before
    change.undo()
    model.train()
    assert model.stage[1].bn.training, "train() reaches it again"


def test_undo_follows_the_mode_that_the_model_is_in() -> None:
    model = Net()
    change = freezing.freeze(model, "stage.0")
    model.eval()
    change.undo()
    assert not any(modes(model).values())


def test_changes_are_undone_one_by_one() -> None:
    model = Net()
    first = freezing.freeze(model, "stage")
    second = freezing.unfreeze(model, "stage.2")
    second.undo()
    assert not model.train().stage[2].bn.training
    assert frozen(model) == [name for name in flags(model) if name.startswith("stage")]
    first.undo()
    assert all(flags(model).values())
    assert all(modes(model).values())


def test_unfreezing_keeps_the_parameters_that_an_optimizer_holds() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    freezing.freeze(model, "stage")
    change = freezing.unfreeze(model, "stage.2")
    assert change.norms == ("stage.2.bn",)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters()}
    before = copy.deepcopy(model.state_dict())
    loss_of(model).backward()
    optimizer.step()
    moved = [n for n, p in model.named_parameters() if not torch.equal(p, before[n])]
    assert {n.split(".")[1] for n in moved if n.startswith("stage")} == {"2"}


def test_unfreezing_can_leave_norm_layers_frozen() -> None:
    model = Net()
    freezing.freeze(model, "stage")
    freezing.unfreeze(model, "stage.2", keep_norms=True)
    assert [n for n, trains in flags(model).items() if trains] == [
        "stage.2.conv.weight", "stage.2.conv.bias", "head.weight", "head.bias",
    ]  # fmt: skip
    assert not model.train().stage[2].bn.training


def test_all_but_leaves_exactly_what_is_named() -> None:
    model = Net()
    freezing.freeze(model, "head")
    change = freezing.freeze_all_but(model, "head", model.stage[2])
    assert {n.rsplit(".", 2)[0] for n, trains in flags(model).items() if trains} == {"head", "stage.2"}
    assert change.norms == ("stage.0.bn", "stage.1.bn")
    assert model.train().stage[2].bn.training
    change.undo()
    assert frozen(model) == ["head.weight", "head.bias"]
    with pytest.raises(ValueError, match="name at least one part"):
        freezing.freeze_all_but(model)


def test_quantised_weights_are_passed_over() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].weight = nn.Parameter(torch.zeros(2, 2, dtype=torch.int8), requires_grad=False)
    freezing.unfreeze(model)
    assert frozen(model) == ["0.weight"]


def test_except_last_counts_blocks_inside_any_wrapper() -> None:
    bert = small_bert()
    freezing.freeze_except_last(bert, 3)
    trains = {n for n, flag in flags(bert).items() if flag}
    assert {n.split(".")[-2] for n in trains if not n.startswith("bert.encoder")} == {"dense", "classifier"}
    assert {n.split(".")[3] for n in trains if n.startswith("bert.encoder")} == {"1"}

    resnet = small_resnet()
    freezing.freeze_except_last(resnet, 2)
    assert {n.split(".")[0] for n, flag in flags(resnet).items() if flag} == {"layer4", "fc"}
    resnet.train()
    assert [n for n, m in resnet.named_modules() if isinstance(m, nn.BatchNorm2d) and m.training] == [
        "layer4.0.bn1", "layer4.0.bn2", "layer4.0.downsample.1",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="ResNet has 6 blocks, from input to output: `conv1`, `layer1`"):
        freezing.freeze_except_last(resnet, 7)


@pytest.mark.parametrize("last", [1, 2])
def test_the_audit_finds_nothing(last: int) -> None:
    model = as_pretrained(small_resnet(), "fc")
    freezing.freeze_except_last(model, last)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01, momentum=0.9)

    def step() -> None:
        model.train()
        nn.functional.cross_entropy(model(torch.randn(4, 3, 32, 32)), torch.randint(0, 2, (4,))).backward()

    freezelint.audit(model, optimizer, step).raise_for_findings()


def test_lazy_layers_are_frozen_before_they_have_a_shape() -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    freezing.freeze_all_but(model, "3")
    model.train()
    loss_of(model).backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["3.weight", "3.bias"]
    assert not model[1].training
    assert int(model[1].num_batches_tracked) == 0


@pytest.mark.parametrize("count", [-1, 0, 7])
def test_a_count_of_blocks_that_there_are_not_is_told(count: int) -> None:
    model = small_resnet()
    with pytest.raises(ValueError, match=f"count must lie between 1 and 6, and is {count}"):
        freezing.freeze_except_last(model, count)
    assert all(flags(model).values())


def test_a_parallel_model_is_refused_inside_a_compiled_one_too(tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = torch.compile(nn.parallel.DistributedDataParallel(Net()), backend="eager")
        with pytest.raises(ValueError, match="DistributedDataParallel"):
            freezing.freeze(model, "stage.0")
    finally:
        torch.distributed.destroy_process_group()
