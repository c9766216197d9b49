"""Gradual unfreezing inside Lightning's `Trainer`: the same as a loop written by hand."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

import freezelint
from freezelint import freezing
from freezelint.cli import main
from freezelint.integrations.lightning import GradualUnfreezingCallback, KeepFrozenInEvalCallback
from tests.freezing.models import Net, small_resnet

BATCH, STEPS = 4, 2  # and steps an epoch


def images(alike: bool = False) -> DataLoader[Any]:
    """Batches, all of them the same if `alike`: Lightning resumes an epoch with its first one."""
    generator = torch.Generator().manual_seed(1)
    data = torch.randn(BATCH if alike else BATCH * STEPS, 3, 8, 8, generator=generator)
    data = data.repeat(STEPS, 1, 1, 1)[: BATCH * STEPS]
    return DataLoader(TensorDataset(data, torch.arange(BATCH * STEPS) % 2), batch_size=BATCH)


class Module(pl.LightningModule):  # type: ignore[misc]
    """A classifier around a model; its optimizer holds the head."""

    def __init__(self, net: nn.Module, head: str, schedule: Callable[[Any], Any] | None = None) -> None:
        super().__init__()
        self.net = net
        self.head = head
        self.schedule = schedule
        self.rates: list[list[float]] = []
        self.in_train: list[list[str]] = []

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        self.rates.append([group["lr"] for group in self.trainer.optimizers[0].param_groups])
        self.in_train.append([name for name, module in self.net.named_modules() if module.training])
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        assert not self.net.training
        self.net(batch[0])

    def configure_optimizers(self) -> Any:
        head = self.net.get_submodule(self.head)
        optimizer = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
        if self.schedule is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.schedule(optimizer), "interval": "step"},
        }


def resnet() -> nn.Module:
    torch.manual_seed(0)
    return small_resnet()


def falling(optimizer: Any) -> Any:
    return lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 6)


def trainer_of(directory: Path, *callbacks: Any, epochs: int = 3, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs, accelerator="cpu", callbacks=list(callbacks), default_root_dir=directory,
        logger=False, enable_progress_bar=False, enable_model_summary=False, **options,
    )  # fmt: skip


def fitted(directory: Path, module: Module, *callbacks: Any, data: Any = None, **options: Any) -> pl.Trainer:
    trainer = trainer_of(directory, *callbacks, enable_checkpointing=False, **options)
    trainer.fit(module, data or images())
    return trainer


def differing(one: nn.Module, other: nn.Module) -> list[str]:
    state = other.state_dict()
    return [name for name, value in one.state_dict().items() if not torch.equal(value, state[name])]


def by_hand(model: Any, scheduled: bool) -> Any:
    """Plain torch: the head, then `layer4`, then `layer3`, an epoch each."""
    for p in model.parameters():
        p.requires_grad = False
    for p in model.fc.parameters():
        p.requires_grad = True
    optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    bases, closed, step = [0.1], [model.layer4, model.layer3], 0
    for epoch in range(3):
        if epoch:
            block = closed.pop(0)
            for p in block.parameters():
                p.requires_grad = True
            bases.append(0.1 * 0.5**epoch)
            optimizer.add_param_group({"params": list(block.parameters())})
        model.train()
        for part in (model.bn1, model.layer1, model.layer2, *closed):
            part.eval()
        for data, labels in images():
            for group, base in zip(optimizer.param_groups, bases, strict=True):
                group["lr"] = base * (1 - step / 6) if scheduled else base
            nn.functional.cross_entropy(model(data), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
            step += 1
    return model


@pytest.mark.parametrize("schedule", [None, falling], ids=["constant", "LambdaLR"])
def test_the_same_as_a_loop_written_by_hand(tmp_path: Path, schedule: Any) -> None:
    module = Module(resnet(), "fc", schedule)
    expected = by_hand(copy.deepcopy(module.net), schedule is not None)
    callback = GradualUnfreezingCallback(decay=0.5)
    fitted(tmp_path, module, callback)
    assert differing(module.net, expected) == []
    assert callback.unfreezing is not None
    assert callback.unfreezing.stages == tuple(
        f"net.{name}" for name in ("layer4", "layer3", "layer2", "layer1", "conv1")
    )
    assert callback.unfreezing.stage == 2


SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 6),
    "chained": lambda optimizer: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(optimizer, 0.5, 2), lr_scheduler.ExponentialLR(optimizer, 0.9)]
    ),
    "one after the other": lambda optimizer: lr_scheduler.SequentialLR(
        optimizer,
        [lr_scheduler.LinearLR(optimizer, 0.25, total_iters=3), lr_scheduler.StepLR(optimizer, 1)],
        [3],
    ),
    "ours": lambda optimizer: freezing.warmup_linear(optimizer, 6, 2),
}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_schedules_follow_the_groups_that_are_added(tmp_path: Path, schedule: Any) -> None:
    module = Module(Net(), "head", schedule)
    trainer = fitted(tmp_path, module, GradualUnfreezingCallback(decay=0.5))
    assert [len(row) for row in module.rates] == [1, 1, 2, 2, 3, 3]
    for row in module.rates:
        assert row == pytest.approx([row[0] * 0.5**k for k in range(len(row))])
    assert len({row[0] for row in module.rates}) > 2
    assert [group["initial_lr"] for group in trainer.optimizers[0].param_groups] == [0.1, 0.05, 0.025]


def test_a_schedule_that_waits_for_a_plateau(tmp_path: Path) -> None:
    class Waiting(Module):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            schedule = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, mode="max")
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "nothing"}}

        def on_train_epoch_end(self) -> None:
            self.log("nothing", 0.0)

    module = Waiting(Net(), "head")
    fitted(tmp_path, module, GradualUnfreezingCallback(decay=0.5))
    assert module.rates[2] == pytest.approx([0.1, 0.05])
    assert module.rates[-1][0] == pytest.approx(0.05)
    assert module.rates[-1][1] == pytest.approx(0.025)


@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_a_resumed_training_is_the_same_training(tmp_path: Path, unit: Any) -> None:
    def build() -> tuple[Module, GradualUnfreezingCallback]:
        return Module(resnet(), "fc", falling), GradualUnfreezingCallback(decay=0.5, every=1, unit=unit)

    whole, callback = build()
    fitted(tmp_path, whole, callback, data=images(alike=True))
    first, callback = build()
    saving = pl.callbacks.ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    trainer_of(tmp_path, callback, saving, epochs=2).fit(first, images(alike=True))
    for step in (2, 3, 4):
        resumed, callback = build()
        trainer = trainer_of(tmp_path, callback, enable_checkpointing=False)
        checkpoint = tmp_path / f"step={step}.ckpt"
        trainer.fit(resumed, images(alike=True), ckpt_path=checkpoint)
        assert (step, differing(resumed.net, whole.net)) == (step, [])
        assert callback.unfreezing is not None
        assert callback.unfreezing.stage == (2 if unit == "epoch" else 5)


def test_frozen_norm_layers_stay_in_eval_through_validation(tmp_path: Path) -> None:
    module = Module(Net(), "head")
    before = copy.deepcopy(module.net.state_dict())
    trainer = trainer_of(tmp_path, GradualUnfreezingCallback(), epochs=2, enable_checkpointing=False)
    trainer.fit(module, images(), images())
    assert [any(name.endswith("0.bn") for name in row) for row in module.in_train] == [False] * 4
    assert [any(name.endswith("2.bn") for name in row) for row in module.in_train] == [False] * 2 + [True] * 2
    state = module.net.state_dict()
    changed = {name for name, value in state.items() if not torch.equal(value, before[name])}
    assert {name.rpartition(".")[0] for name in changed} == {"head", "stage.2.conv", "stage.2.bn"}


@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_dropout_of_what_is_frozen_stays_in_eval_and_comes_back(tmp_path: Path, unit: Any) -> None:
    module = Module(Net(2), "head")
    module.net.stage[1].conv.eval()
    every = 1 if unit == "epoch" else STEPS
    unfreezing = GradualUnfreezingCallback(unit=unit, every=every)
    fitted(tmp_path, module, unfreezing, KeepFrozenInEvalCallback(), epochs=2)
    assert module.in_train[:2] == [["", "head"]] * 2
    opened = ["", "stage", "stage.1", "stage.1.bn", "stage.1.drop", "head"]
    assert module.in_train[2:] == [opened] * 2, "and what was in eval before stays there"
    training = [name for name, each in module.net.named_modules() if each.training]
    assert training == [*opened[:2], "stage.0", "stage.0.conv", "stage.0.drop", *opened[2:]]


def test_the_second_of_two_optimizers(tmp_path: Path) -> None:
    class Two(Module):
        def configure_optimizers(self) -> Any:
            other = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
            return [other, super().configure_optimizers()]

        def __init__(self, net: nn.Module, head: str) -> None:
            super().__init__(net, head)
            self.automatic_optimization = False

        def training_step(self, batch: list[Tensor], index: int) -> None:
            loss = super().training_step(batch, index)
            self.manual_backward(loss)
            optimizer = self.optimizers()[1]
            optimizer.step()
            optimizer.zero_grad()

    trainer = fitted(tmp_path, Two(Net(), "head"), GradualUnfreezingCallback(optimizer=1))
    assert [len(optimizer.param_groups) for optimizer in trainer.optimizers] == [1, 3]
    with pytest.raises(ValueError, match="there is no optimizer 2: `configure_optimizers` returned 2"):
        fitted(tmp_path, Two(Net(), "head"), GradualUnfreezingCallback(optimizer=2))


def test_the_audit_finds_nothing(tmp_path: Path) -> None:
    net = Net()
    net.load_state_dict({n: v for n, v in net.state_dict().items() if "head" not in n}, strict=False)
    module = Module(net, "head", falling)
    with freezelint.watch(module) as report:
        fitted(tmp_path, module, GradualUnfreezingCallback(), KeepFrozenInEvalCallback())
    report.raise_for_findings()
    assert report.trace.steps_done == 3 * STEPS


def test_bad_input_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every is a number of steps, at least 1, and is 0"):
        GradualUnfreezingCallback(every=0, unit="step")
    cyclic = Module(Net(), "head", lambda o: lr_scheduler.OneCycleLR(o, 0.1, 6))
    with pytest.raises(ValueError, match=r"OneCycleLR cannot follow groups that are added later: use"):
        fitted(tmp_path, cyclic, GradualUnfreezingCallback())
    whole = Module(nn.Sequential(Net()), "0")
    with pytest.raises(ValueError, match="the optimizer already holds every parameter"):
        fitted(tmp_path, whole, GradualUnfreezingCallback())


def test_parallel_training_is_refused(tmp_path: Path) -> None:
    strategy = pl.strategies.DDPStrategy(process_group_backend="gloo")
    module = Module(Net(), "head")
    try:
        with pytest.raises(ValueError, match="gradual unfreezing needs one process: DDPStrategy fixes"):
            fitted(tmp_path, module, GradualUnfreezingCallback(), strategy=strategy, devices=1)
    finally:
        torch.distributed.destroy_process_group()


# The same training with the library of the other name, the callback of one or the other.
PROGRAM = """\
import sys
import {first}
from freezelint.integrations.lightning import GradualUnfreezingCallback
import {trainer} as pl
import torch
from torch import nn


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(3))

    def training_step(self, batch, _):
        for layer in self.layers:
            batch = layer(batch)
        return batch.square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.layers[2].parameters(), lr=0.1)


torch.manual_seed(0)
module = Module()
callback = GradualUnfreezingCallback()
trainer = pl.Trainer(
    max_epochs=2, accelerator="cpu", callbacks=[callback], logger=False, enable_progress_bar=False,
    enable_model_summary=False, default_root_dir=sys.argv[1],
)
trainer.fit(module, torch.utils.data.DataLoader(torch.ones(4, 3), batch_size=2))
assert isinstance(callback, pl.Callback) or {first!r} != {trainer!r}
assert "GradualUnfreezingCallback" in trainer._checkpoint_connector.dump_checkpoint()["callbacks"]
print(callback.unfreezing.stage, float(module.layers[1].weight.sum()))
"""


def test_both_names_of_the_library(tmp_path: Path) -> None:
    told = set()
    for first, trainer in (
        ("pytorch_lightning", "pytorch_lightning"),
        ("lightning.pytorch", "pytorch_lightning"),
    ):
        program = PROGRAM.format(first=first, trainer=trainer)
        command = [sys.executable, "-c", program, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told.add(done.stdout.splitlines()[-1])
    assert len(told) == 1
    assert told.pop().startswith("1 ")


SCRIPT = """\
import torch
import lightning.pytorch as pl
from torch import nn
from torchvision.models import resnet18
from freezelint.integrations.lightning import GradualUnfreezingCallback, KeepFrozenInEvalCallback


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = resnet18(weights="DEFAULT")
        self.net.fc = nn.Linear(512, 4)

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.net.fc.parameters(), lr=0.01, momentum=0.9)


data = torch.utils.data.TensorDataset(torch.randn(8, 3, 32, 32), torch.randint(0, 4, (8,)))
callbacks = [GradualUnfreezingCallback(), KeepFrozenInEvalCallback()]
trainer = pl.Trainer(max_epochs=3, callbacks=callbacks)
trainer.fit(Module(), torch.utils.data.DataLoader(data, batch_size=4))
"""


def test_the_source_reader_finds_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    assert main(["check", "--no-cache", str(tmp_path / "train.py")]) == 0
    assert "No freezing bugs found" in capfd.readouterr().out


def test_the_framework_is_named_where_it_is_missing(without: Callable[..., str]) -> None:
    assert "freezelint.integrations.lightning needs Lightning: pip install lightning" in without(
        "freezelint.integrations.lightning", "lightning", "lightning.pytorch", "pytorch_lightning"
    )


def test_the_model_gets_its_train_back_after_a_training_that_failed() -> None:
    model = torch.nn.Linear(2, 2)
    callback = KeepFrozenInEvalCallback()
    callback.on_train_start(None, model)  # and no end, since an exception was raised
    callback.on_train_start(None, model)
    callback.on_train_end()
    assert "train" not in vars(model)
