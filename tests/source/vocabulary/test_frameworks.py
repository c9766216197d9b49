"""Training loops that a framework runs: Lightning, the Trainer of transformers, fastai."""

from __future__ import annotations

from tests.source.reading import codes, found_in, traced

MODULE = """
import torch
from torch import nn
import lightning as L
class Task(L.LightningModule):
    def __init__(self, lr=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.body = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.head = nn.Linear(2, 2)
    def training_step(self, batch, index):
        x, y = batch
        return nn.functional.cross_entropy(self.head(self.body(x)), y)
    def configure_optimizers(self):
        return torch.optim.SGD([p for p in self.parameters() if p.requires_grad], lr=self.hparams.lr)
"""


def test_fit_trains_a_lightning_module() -> None:
    trace = traced(f"{MODULE}\nL.Trainer(max_epochs=2).fit(Task())")
    assert trace.steps
    assert trace.steps[0].parameters[0].gradient == "nonzero"
    assert trace.optimizers[0].groups[0].lr == 0.1


def test_a_hook_of_a_later_epoch_runs() -> None:
    hook = """
    def on_train_epoch_start(self):
        if self.current_epoch == 3:
            self.body.requires_grad_(False)
"""
    trace = traced(f"{MODULE}{hook}\nL.Trainer(max_epochs=9).fit(Task())")
    assert [event.steps_before > 0 for event in trace.events_of("frozen")] == [True]


def test_a_frozen_norm_in_a_lightning_module_is_found() -> None:
    freeze = "task = Task()\ntask.body.requires_grad_(False)\nL.Trainer().fit(task)"
    assert "FRZ101" in codes(found_in(f"{MODULE}\n{freeze}"))


def test_the_trainer_makes_its_own_optimizer_and_calls_train() -> None:
    trace = traced("""
        from torch import nn
        from transformers import Trainer, TrainingArguments
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Linear(2, 2)
                self.head = nn.Linear(2, 2)
            def forward(self, **batch):
                return {"loss": self.head(self.body(batch["x"])).sum()}
        model = Net()
        model.body.requires_grad_(False)
        model.eval()
        Trainer(model=model, args=TrainingArguments("out", learning_rate=1e-4), train_dataset=data).train()
    """)
    assert trace.optimizers[0].class_name == "AdamW"
    assert trace.optimizers[0].groups[0].lr == 1e-4
    held = {p for group in trace.optimizers[0].groups for p in group.parameters}
    assert all(trace.steps[0].parameters[p].trainable for p in held)
    assert {event.name for event in trace.events_of("to-train")} == {"transformers"}


def test_fastai_is_recognised_and_left_alone() -> None:
    source = "from fastai.vision.all import *\nlearn = vision_learner(dls, resnet34)\nlearn.fine_tune(3)"
    trace = traced(source)
    assert codes(found_in(source)) == []
    assert any("fastai" in limit.what for limit in trace.limits)
