"""Gradual unfreezing inside transformers' `Trainer`: the same as a loop written by hand."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainingArguments

import freezelint
from freezelint import freezing
from freezelint.cli import main
from freezelint.integrations.transformers import GradualUnfreezingCallback, KeepFrozenInEvalCallback

BATCH, STEPS = 4, 3  # and steps an epoch
STAGES = ("bert.pooler", "bert.encoder.layer.1", "bert.encoder.layer.0", "bert.embeddings")


def bert(dropout: float = 0.0) -> Any:
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            hidden_size=16, num_attention_heads=2, intermediate_size=32, vocab_size=32, num_hidden_layers=2,
            num_labels=2, pad_token_id=0, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
        )
    )  # fmt: skip


def sentences() -> list[dict[str, Tensor]]:
    """The data set, in the order in which a Trainer without shuffling takes it."""
    generator = torch.Generator().manual_seed(1)
    return [
        {"input_ids": torch.randint(2, 32, (6,), generator=generator), "labels": torch.tensor(i % 2)}
        for i in range(BATCH * STEPS)
    ]


class InOrder(Trainer):  # type: ignore[misc]
    """A Trainer that does not shuffle."""

    def _get_train_sampler(self, *_: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def trainer_of(model: Any, directory: Path, data: Any = None, **options: Any) -> Trainer:
    given: dict[str, Any] = {
        "num_train_epochs": 3, "learning_rate": 0.01, "weight_decay": 0.1, "optim": "adamw_torch",
        "lr_scheduler_type": "linear", "warmup_steps": 2, "save_strategy": "epoch",
    }  # fmt: skip
    other = {key: options.pop(key) for key in ("optimizers", "callbacks") if key in options}
    arguments = TrainingArguments(
        str(directory), per_device_train_batch_size=BATCH, report_to=[], use_cpu=True, disable_tqdm=True,
        max_grad_norm=0.0, **(given | options),
    )  # fmt: skip
    return InOrder(model=model, args=arguments, train_dataset=data or sentences(), **other)


def batches() -> list[dict[str, Tensor]]:
    data = sentences()
    parts = [data[k : k + BATCH] for k in range(0, len(data), BATCH)]
    return [{key: torch.stack([row[key] for row in part]) for key in part[0]} for part in parts]


def decays(name: str) -> bool:
    return not ("bias" in name or "LayerNorm" in name)


def by_hand(model: Any, decay: float, epochs: int = 3, accumulate: int = 1) -> Any:
    """Plain torch: the head, then a block an epoch, at the rate that a linear schedule with warm-up gives."""
    base, warmup, total = 0.01, 2, epochs * STEPS // accumulate
    opened: list[tuple[str, float]] = [("classifier", base)]
    for p in model.parameters():
        p.requires_grad = False

    def groups(prefix: str, rate: float) -> list[dict[str, Any]]:
        named = [(n, p) for n, p in model.named_parameters() if n.startswith(f"{prefix}.")]
        for _, p in named:
            p.requires_grad = True
        return [
            {"params": [p for n, p in named if decays(n)], "lr": rate, "base": rate, "weight_decay": 0.1},
            {"params": [p for n, p in named if not decays(n)], "lr": rate, "base": rate, "weight_decay": 0.0},
        ]

    optimizer = torch.optim.AdamW(groups(*opened[0]), lr=base)
    step = 0
    for epoch in range(epochs):
        if epoch:
            for group in groups(STAGES[epoch - 1], base * decay**epoch):
                optimizer.add_param_group(group)
        model.train()
        data = batches()
        for position in range(0, len(data), accumulate):
            factor = step / warmup if step < warmup else (total - step) / (total - warmup)
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * factor
            for batch in data[position : position + accumulate]:
                (model(**batch).loss / accumulate).backward()
            optimizer.step()
            optimizer.zero_grad()
            step += 1
    return model


def differing(one: nn.Module, other: nn.Module) -> list[str]:
    state = other.state_dict()
    return [name for name, value in one.state_dict().items() if not torch.equal(value, state[name])]


class Watcher(TrainerCallback):  # type: ignore[misc]
    """What trains, the rates and the modes at each step, as the optimizer steps."""

    def __init__(self) -> None:
        self.rates: list[list[float]] = []
        self.training: list[list[str]] = []
        self.optimizers: set[int] = set()

    def on_pre_optimizer_step(self, *_: Any, model: Any, optimizer: Any, **__: Any) -> None:
        self.optimizers.add(id(optimizer))
        self.rates.append([float(group["lr"]) for group in optimizer.param_groups])
        self.training.append([name for name, module in model.named_modules() if module.training])


def test_the_same_as_a_loop_written_by_hand(tmp_path: Path) -> None:
    model = bert()
    expected = by_hand(copy.deepcopy(model), 0.5)
    freezing.freeze_all_but(model, "classifier")
    trainer = trainer_of(model, tmp_path)
    callback = GradualUnfreezingCallback(trainer, decay=0.5)
    trainer.add_callback(callback)
    trainer.train()
    assert differing(model, expected) == []
    assert callback.unfreezing is not None
    assert callback.unfreezing.stages == STAGES
    assert callback.unfreezing.stage == 2


def test_the_optimizer_stays_and_the_schedule_follows(tmp_path: Path) -> None:
    model = bert()
    freezing.freeze_all_but(model, "classifier")
    trainer = trainer_of(model, tmp_path, callbacks=[watcher := Watcher()])
    trainer.add_callback(GradualUnfreezingCallback(trainer, decay=0.5))
    trainer.train()
    assert len(watcher.optimizers) == 1
    assert type(trainer.optimizer).__name__ == "AcceleratedOptimizer"
    assert [len(row) for row in watcher.rates] == [2, 2, 2, 4, 4, 4, 6, 6, 6]
    factor = [0.0, 0.5, *(k / 7 for k in range(7, 0, -1))]
    base = [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025]
    for row, part in zip(watcher.rates, factor, strict=True):
        assert row == pytest.approx([part * rate for rate in base[: len(row)]])
    names = [group.get("name") for group in trainer.optimizer.param_groups]
    assert names[2:] == ["bert.pooler", "bert.pooler (no decay)", STAGES[1], f"{STAGES[1]} (no decay)"]
    assert trainer.lr_scheduler.base_lrs == pytest.approx(base)


def test_a_resumed_training_is_the_same_training(tmp_path: Path) -> None:
    def build(directory: Path, **options: Any) -> tuple[Any, Trainer, GradualUnfreezingCallback]:
        model = bert()
        freezing.freeze_all_but(model, "classifier")
        trainer = trainer_of(model, directory, **options)
        trainer.add_callback(callback := GradualUnfreezingCallback(trainer, decay=0.5))
        return model, trainer, callback

    whole, trainer, _ = build(tmp_path)
    trainer.train()
    for checkpoint, options in (
        (2 * STEPS, {}),
        (2 * STEPS, {"restore_callback_states_from_checkpoint": True}),
    ):
        resumed, trainer, callback = build(tmp_path, **options)
        trainer.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{checkpoint}"))
        assert differing(resumed, whole) == []
        assert callback.unfreezing is not None
        assert callback.unfreezing.stage == 2


def test_by_step_with_accumulated_gradients_and_resumed_within_an_epoch(tmp_path: Path) -> None:
    def build() -> tuple[Any, Trainer, GradualUnfreezingCallback]:
        model = bert()
        freezing.freeze_all_but(model, "classifier")
        trainer = trainer_of(
            model, tmp_path, data=sentences() + sentences()[:4], gradient_accumulation_steps=2,
            num_train_epochs=2, save_strategy="steps", save_steps=1,
        )  # fmt: skip
        trainer.add_callback(callback := GradualUnfreezingCallback(trainer, every=2, unit="step"))
        return model, trainer, callback

    whole, trainer, callback = build()
    trainer.train()
    assert trainer.state.global_step == 4
    assert callback.unfreezing is not None
    assert callback.unfreezing.stage == 1
    resumed, trainer, callback = build()
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert callback.unfreezing is not None
    assert callback.unfreezing.stage == 1
    assert differing(resumed, whole) == []


def test_another_schedule_and_an_optimizer_of_the_user_s(tmp_path: Path) -> None:
    model = bert()
    freezing.freeze_all_but(model, "classifier")
    optimizer = torch.optim.SGD(model.classifier.parameters(), lr=0.1, momentum=0.9)
    schedule = freezing.warmup_cosine(optimizer, 9, 2)
    trainer = trainer_of(model, tmp_path, optimizers=(optimizer, schedule), callbacks=[watcher := Watcher()])
    trainer.add_callback(GradualUnfreezingCallback(trainer, decay=0.5))
    trainer.train()
    assert [len(row) for row in watcher.rates] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert watcher.rates[3][0] == pytest.approx(0.1 * 0.5 * (1 + math.cos(math.pi / 7)) / 2), "it warms up"
    assert watcher.rates[3][1] == pytest.approx(watcher.rates[3][0] / 2)
    assert trainer.optimizer.optimizer is optimizer


class WithNorm(nn.Module):
    """A user's model with running statistics and dropout, as a Trainer takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleList(
            nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Dropout(0.5)) for _ in range(2)
        )
        self.head = nn.Linear(6, 2)

    def forward(self, input_ids: Tensor, labels: Tensor) -> dict[str, Tensor]:
        values = input_ids.float()
        for layer in self.body:
            values = layer(values)
        logits = self.head(values)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def test_frozen_norm_layers_and_dropout_stay_in_eval(tmp_path: Path) -> None:
    model = WithNorm()
    freezing.freeze_all_but(model, "head")
    before = copy.deepcopy(model.body[0].state_dict())
    trainer = trainer_of(model, tmp_path, num_train_epochs=2, save_strategy="no")
    trainer.add_callback(KeepFrozenInEvalCallback())
    trainer.add_callback(GradualUnfreezingCallback(trainer))
    trainer.add_callback(watcher := Watcher())
    trainer.train()
    assert watcher.training[0] == ["", "head"]
    assert watcher.training[-1] == ["", "body", *(f"body.1{own}" for own in ("", ".0", ".1", ".2")), "head"]
    assert all(torch.equal(value, before[name]) for name, value in model.body[0].state_dict().items())
    assert not torch.equal(model.body[1][1].running_mean, torch.zeros(6))
    assert all(module.training for name, module in model.train().named_modules() if name != "body.0.1")


def test_training_again_goes_on(tmp_path: Path) -> None:
    model = bert()
    freezing.freeze_all_but(model, "classifier")
    trainer = trainer_of(model, tmp_path, save_strategy="no")
    trainer.add_callback(callback := GradualUnfreezingCallback(trainer))
    trainer.train()
    trainer.train()
    assert callback.unfreezing is not None
    assert callback.unfreezing.stage == 2
    assert len(trainer.lr_scheduler.base_lrs) == len(trainer.optimizer.param_groups) == 6


def test_the_audit_finds_nothing(tmp_path: Path) -> None:
    model = bert(dropout=0.1)
    model.load_state_dict(
        {n: v for n, v in model.state_dict().items() if "classifier" not in n}, strict=False
    )
    freezing.freeze_all_but(model, "classifier")
    trainer = trainer_of(model, tmp_path, save_strategy="no", learning_rate=1e-3)
    trainer.add_callback(KeepFrozenInEvalCallback())
    trainer.add_callback(GradualUnfreezingCallback(trainer))
    with freezelint.watch(model) as report:
        trainer.train()
    report.raise_for_findings()
    assert report.trace.steps_done == 3 * STEPS


@pytest.mark.parametrize(
    ("freeze", "options", "message"),
    [
        (None, {}, r"the optimizer already holds every parameter: build it from the head's alone"),
        ("bert.pooler", {}, "the optimizer holds nothing of `classifier`, the last block"),
        ("classifier", {"decay": 2.6}, "decay is the factor"),
        ("classifier", {"every": 0, "unit": "step"}, "every is a number of steps, at least 1, and is 0"),
        ("classifier", {"unit": "batch"}, "unit must be 'epoch' or 'step', and is 'batch'"),
    ],
)
def test_bad_input_raises(tmp_path: Path, freeze: str | None, options: dict[str, Any], message: str) -> None:
    model = bert()
    if freeze is not None:
        freezing.freeze_all_but(model, freeze)
    trainer = trainer_of(model, tmp_path)

    def train() -> None:
        trainer.add_callback(GradualUnfreezingCallback(trainer, **options))
        trainer.train()

    with pytest.raises(ValueError, match=message):
        train()


def test_parallel_training_is_refused(tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = bert()
        freezing.freeze_all_but(model, "classifier")
        trainer = trainer_of(model, tmp_path)
        trainer.add_callback(GradualUnfreezingCallback(trainer))
        trainer.model_wrapped = nn.parallel.DistributedDataParallel(model)
        with pytest.raises(ValueError, match="gradual unfreezing needs one process"):
            trainer.train()
    finally:
        torch.distributed.destroy_process_group()


SCRIPT = """\
import torch
from transformers import BertForSequenceClassification, Trainer, TrainingArguments
from freezelint import freezing
from freezelint.integrations.transformers import GradualUnfreezingCallback, KeepFrozenInEvalCallback

model = BertForSequenceClassification.from_pretrained("bert-base-uncased", num_labels=2)
freezing.freeze_all_but(model, "classifier")
data = [{"input_ids": torch.randint(2, 32, (6,)), "labels": torch.tensor(i % 2)} for i in range(8)]
trainer = Trainer(model=model, args=TrainingArguments("out", num_train_epochs=3), train_dataset=data)
trainer.add_callback(KeepFrozenInEvalCallback())
trainer.add_callback(GradualUnfreezingCallback(trainer))
trainer.train()
"""


def test_the_source_reader_finds_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    assert main(["check", "--no-cache", str(tmp_path / "train.py")]) == 0
    assert "No freezing bugs found" in capfd.readouterr().out


def test_the_framework_is_named_where_it_is_missing(without: Callable[..., str]) -> None:
    assert "freezelint.integrations.transformers needs transformers with torch and accelerate" in without(
        "freezelint.integrations.transformers", "transformers"
    )


def test_the_model_gets_its_train_back_after_a_training_that_failed() -> None:
    model = torch.nn.Linear(2, 2)
    callback = KeepFrozenInEvalCallback()
    callback.on_train_begin(model=model)  # and no end, since an exception was raised
    callback.on_train_begin(model=model)
    callback.on_train_end()
    assert "train" not in vars(model)
