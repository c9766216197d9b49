from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixing.mending import mended
from tests.mends.modes.scripts import (
    ALL_FROZEN,
    FROZEN,
    LOADED,
    NETWORK,
    OPTIMIZER,
    PLAIN_LOOP,
    STEP,
    TESTED_LOOP,
    indented,
    script,
)
from tests.mends.scripts import fixed_script


@pytest.mark.parametrize(
    "epoch",
    [
        "model.train()\nmodel.stem.eval()\n",
        f"model.train()\n{TESTED_LOOP}",
        "model.train()\nmodel.stem[1].eval()\n",
    ],
)
def test_what_is_kept_in_eval_stays_as_it_is(tmp_path: Path, epoch: str) -> None:
    text = script(FROZEN, epoch)
    done = fixed_script(tmp_path, text)
    assert done.text == text
    assert done.refused == {}


@pytest.mark.parametrize(
    ("epoch", "reason"),
    [
        ("model.train(); total = 0\n", "another statement stands on its line"),
        (
            "[part.train() for part in (model.stem, model.body, model.head)]\n",
            "line 24 sets the mode inside an expression",
        ),
        ("getattr(model, 'train')()\n", "the mode is set on line 24 in another way than by a call of it"),
    ],
)
def test_where_lines_have_no_place_nothing_changes(tmp_path: Path, epoch: str, reason: str) -> None:
    text = script(FROZEN, epoch)
    done = fixed_script(tmp_path, text)
    assert done.text == text
    assert done.refused == {"FRZ101": reason}


@pytest.mark.parametrize(
    ("setup", "before", "after"),
    [
        (FROZEN, "model.train()\n", "model.train()\nmodel.stem.eval()\n"),
        (
            "model.stem.requires_grad_(False)\n",
            "model.train(True)  # again\n",
            "model.train(True)  # again\nmodel.stem.eval()\n",
        ),
        (
            "stem = model.stem\nstem.requires_grad_(False)\n",
            "model.train()\n",
            "model.train()\nstem.eval()\n",
        ),
        (
            'for name, p in model.named_parameters():\n    p.requires_grad = "head" in name\n',
            "model.train()\n",
            "model.train()\nmodel.stem.eval()\nmodel.body.eval()\n",
        ),
        (FROZEN, "model.stem.train()\n", "model.stem.eval()\n"),
        (
            FROZEN,
            "model.train() if sys.argv else model.eval()\n",
            "model.train() if sys.argv else model.eval()\nmodel.stem.eval()\n",
        ),
        (
            FROZEN,
            "if sys.argv: model.train()\nelse: model.eval()\n",
            "if sys.argv: model.train()\nelse: model.eval()\nmodel.stem.eval()\n",
        ),
        (
            FROZEN,
            "for part in (model.stem, model.body, model.head):\n    part.train()\n",
            "for part in (model.stem, model.body, model.head):\n    part.train()\nmodel.stem.eval()\n",
        ),
        ("model[0].requires_grad_(False)\n", "model.train()\n", "model.train()\nmodel[0].eval()\n"),
        (
            "model = model.cpu()\n" + FROZEN,
            "model.cpu().train()\n",
            "model.cpu().train()\nmodel.stem.eval()\n",
        ),
    ],
)
def test_a_few_frozen_blocks_are_named(tmp_path: Path, setup: str, before: str, after: str) -> None:
    sequential = "model = nn.Sequential(model.stem, model.body, nn.Flatten(), nn.Linear(128, 2))\n"
    setup = sequential + setup if "model[0]" in setup else setup
    done = fixed_script(tmp_path, script(setup, before))
    assert done.text == script(setup, after)
    assert done.applied == ("FRZ101",)


@pytest.mark.parametrize(
    "setup",
    [
        # An option decides, or it does not last: the flags tell which layers are frozen.
        f"if len(sys.argv) > 1:{indented(FROZEN, 1)}\n",
        "def freeze(net, kept):\n    for name, p in net.named_parameters():\n"
        "        p.requires_grad = name.split('.')[0] in kept\n\n\nfreeze(model, ['body', 'head'])\n",
        f"{FROZEN}model = nn.DataParallel(model)\n",
    ],
)
def test_where_the_freeze_is_a_matter_of_settings_the_flags_decide(tmp_path: Path, setup: str) -> None:
    done = fixed_script(tmp_path, script(setup, "model.train()\n"))
    assert done.text == script(setup, f"model.train()\n{TESTED_LOOP}")


def test_a_loop_over_the_norm_layers_stands_for_many_blocks(tmp_path: Path) -> None:
    text = _resnet("")
    done = fixed_script(tmp_path, text)
    assert done.text == _resnet(PLAIN_LOOP)


def _resnet(more: str) -> str:
    return (
        "import torch\nfrom torch import nn\nfrom torchvision.models import resnet18\n\n"
        f'model = resnet18(weights="DEFAULT")\n{ALL_FROZEN.replace("head", "fc").replace("8, 3", "512, 3")}'
        f"optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1)\nfor epoch in range(3):"
        f"{indented('model.train()' + chr(10) + more + STEP, 1)}\n"
    )


def test_the_loop_is_written_once_in_a_file(tmp_path: Path) -> None:
    functions = "def validate(net):\n    net.eval()\n    net(torch.randn(4, 3, 8, 8))\n    net.train()\n\n\n"
    setup = f"if len(sys.argv) < 5:{indented(FROZEN, 1)}\n"
    helper = (
        "def keep_frozen_norms_in_eval(model):\n"
        '    """Undo `train()` for frozen norm layers: their statistics must not change."""'
        f"{indented(TESTED_LOOP, 1)}\n\n\n"
    )
    before = script(f"{setup}model.train()\n", "if epoch:\n    validate(model)\n", functions=functions)
    call = "keep_frozen_norms_in_eval"
    after = script(
        f"{setup}model.train()\n{call}(model)\n",
        "if epoch:\n    validate(model)\n",
        functions=helper + functions.replace("    net.train()\n", f"    net.train()\n    {call}(net)\n"),
    )
    assert fixed_script(tmp_path, before).text == after


# -- in the model's class ---------------------------------------------------------------------------------


def test_the_class_that_froze_a_part_of_itself_keeps_it_in_eval(tmp_path: Path) -> None:
    def text(more: str) -> str:
        frozen = "self.stem.requires_grad_(False)\n"
        network = script("", "model.train()\n", construction=frozen)
        return network.replace("\n\n    def forward", f"{indented(more, 1)}\n\n    def forward")

    override = "\ndef train(self, mode=True):\n    super().train(mode)\n    self.stem.eval()\n    return self"
    done = fixed_script(tmp_path, text(""))
    assert done.text == text(override)
    assert done.titles == ("override `train()` in `Net`, which keeps `stem` in eval",)


def test_a_method_that_may_be_called_leaves_the_decision_to_the_flags(tmp_path: Path) -> None:
    method = "\n\ndef freeze(self):\n    for p in self.stem.parameters():\n        p.requires_grad = False\n"
    text = script("model.freeze()\n", "model.train()\n", methods=method)
    override = (
        "\ndef train(self, mode=True):\n    super().train(mode)\n"
        "    for module in self.stem.modules():\n"
        "        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:\n"
        "            module.eval()\n    return self\n"
    )
    assert fixed_script(tmp_path, text).text == script(
        "model.freeze()\n", "model.train()\n", methods=method + override
    )


def test_a_train_of_the_class_s_own_is_extended(tmp_path: Path) -> None:
    frozen = "self.stem.requires_grad_(False)\n"
    own = "\n\ndef train(self, mode=True):\n    super().train(mode)\n{}    print(mode)\n    return self\n"
    text = script("", "model.train()\n", construction=frozen, methods=own.format(""))
    after = script("", "model.train()\n", construction=frozen, methods=own.format("    self.stem.eval()\n"))
    assert fixed_script(tmp_path, text).text == after


def test_a_method_of_that_name_that_trains_is_not_touched(tmp_path: Path) -> None:
    loop = "\n\ndef train(self, batches):\n    return len(batches)\n"
    text = script(
        "", "nn.Module.train(model)\n", construction="self.stem.requires_grad_(False)\n", methods=loop
    )
    done = fixed_script(tmp_path, text)
    assert "    def train(self, batches):\n        return len(batches)\n" in done.text
    assert done.text.count("def train") == 1


# -- trainers ---------------------------------------------------------------------------------------------


def test_a_method_of_a_trainer_calls_its_own_model(tmp_path: Path) -> None:
    def text(more: str) -> str:
        return (
            NETWORK.format(construction="", methods="")
            + "class Loop:\n    def __init__(self, model):\n        self.model = model\n"
            "        self.optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)\n\n"
            f"    def run(self):\n        self.model.train()\n{more}"
            "        self.model(torch.randn(4, 3, 8, 8)).sum().backward()\n"
            "        self.optimizer.step()\n\n\n"
            f"{LOADED}{FROZEN}model.body.requires_grad_(False)\nloop = Loop(model)\nloop.run()\nloop.run()\n"
        )

    after = text("        self.model.stem.eval()\n        self.model.body.eval()\n")
    assert fixed_script(tmp_path, text("")).text == after


LIGHTNING = """\
import lightning
import torch
from torch import nn


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
        self.body.load_state_dict(torch.load("body.pt"))
        self.head = nn.Linear(8, 2)
        self.body.requires_grad_(False)
{more}
    def training_step(self, batch, index):
        inputs, labels = batch
        return nn.functional.cross_entropy(self.head(self.body(inputs)), labels)

    def configure_optimizers(self):
        return torch.optim.Adam(self.head.parameters(), lr=1e-3)


lightning.Trainer(max_epochs=2).fit(Classifier(), torch.load("batches.pt"))
"""


def test_a_lightning_module_holds_through_fit_and_validation(tmp_path: Path) -> None:
    """Lightning leaves modes as it finds them, puts them back after validation, and once called `train()`."""
    override = (
        "\n\ndef train(self, mode=True):\n    super().train(mode)\n    self.body.eval()\n    return self"
    )
    after = LIGHTNING.format(
        more=f"        self.body.eval(){indented(override, 1)}\n".replace("\n\n\n", "\n\n")
    )
    assert fixed_script(tmp_path, LIGHTNING.format(more="")).text == after


TRAINER = """\
from transformers import AutoModelForImageClassification, Trainer, TrainingArguments

model = AutoModelForImageClassification.from_pretrained("microsoft/resnet-18", num_labels=3)
for p in model.resnet.parameters():
    p.requires_grad = False
{definition}trainer = {name}(model=model, args=TrainingArguments("out"), train_dataset=load())
trainer.train()
"""


def test_the_trainer_of_transformers_is_derived_from(tmp_path: Path) -> None:
    definition = '''class FrozenBackboneTrainer(Trainer):
    """Keeps what is frozen in eval: the Trainer calls `model.train()` before every step."""

    def compute_loss(self, model, inputs, **kwargs):
        self.model.resnet.eval()
        return super().compute_loss(model, inputs, **kwargs)


'''
    done = fixed_script(tmp_path, TRAINER.format(definition="", name="Trainer"))
    assert done.text == TRAINER.format(definition=definition, name="FrozenBackboneTrainer")


def test_a_trainer_of_the_script_s_own_is_extended(tmp_path: Path) -> None:
    own = (
        "class Mine(Trainer):\n    def compute_loss(self, model, inputs, **kwargs):\n{}"
        "        return model(**inputs).loss\n\n\n"
    )
    done = fixed_script(tmp_path, TRAINER.format(definition=own.format(""), name="Mine"))
    line = "        self.model.resnet.eval()\n"
    assert done.text == TRAINER.format(definition=own.format(line), name="Mine")


# -- where nothing calls train() ----------------------------------------------------------------------------


def test_without_any_train_the_mode_is_set_behind_the_freeze(tmp_path: Path) -> None:
    done = fixed_script(tmp_path, script(FROZEN, ""))
    assert done.text == script(f"{FROZEN}model.stem.eval()\n", "")


def test_a_helper_that_freezes_is_left_alone(tmp_path: Path) -> None:
    """It may freeze other modules for others."""
    functions = "def freeze(part):\n    for p in part.parameters():\n        p.requires_grad = False\n\n\n"
    done = fixed_script(tmp_path, script("freeze(model.stem)\n", "", functions=functions))
    assert done.text == script("freeze(model.stem)\nmodel.stem.eval()\n", "", functions=functions)


def test_a_freeze_of_everything_is_followed_by_a_plain_loop(tmp_path: Path) -> None:
    loop, flag, head = ALL_FROZEN.splitlines(keepends=True)
    setup = f"if sys.argv:{indented(loop + flag, 1)}\n{head}"
    done = fixed_script(tmp_path, script(setup, ""))
    assert done.text == script(f"if sys.argv:{indented(loop + flag + PLAIN_LOOP, 1)}\n{head}", "")


# -- files, cells, bytes ------------------------------------------------------------------------------------

ENGINE = """\
from torch.nn import functional


def fit(net, optimizer, batches):
    net.train()
    for x, y in batches:
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        optimizer.step()
"""


def test_a_loop_in_another_module_is_mended_there_for_any_model(tmp_path: Path) -> None:
    main = (
        "from engine import fit\n" + NETWORK.format(construction="", methods="") + LOADED + FROZEN + OPTIMIZER
    )
    (tmp_path / "engine.py").write_text(ENGINE)
    (tmp_path / "train.py").write_text(
        f"{main}batches = [(torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 0, 1]))]\n"
        "fit(model, optimizer, batches)\n"
    )
    done = mended(tmp_path, "engine.py", "train.py")
    loop = indented(TESTED_LOOP.replace("model.modules", "net.modules"), 1)
    assert done.text == ENGINE.replace("    net.train()", f"    net.train(){loop}").replace(
        "from torch.nn", "from torch import nn\nfrom torch.nn"
    )
    assert done.texts["train.py"] == (tmp_path / "train.py").read_text()


@pytest.mark.parametrize(("old", "new"), [("\n", "\r\n"), ("    ", "\t"), ("    ", "  ")])
def test_line_ends_and_indentation_are_the_file_s_own(tmp_path: Path, old: str, new: str) -> None:
    setup = f"if len(sys.argv) < 5:{indented(FROZEN, 1)}\n"
    before, after = script(setup, "model.train()\n"), script(setup, f"model.train()\n{TESTED_LOOP}")
    assert fixed_script(tmp_path, before.replace(old, new)).text == after.replace(old, new)


def test_a_variable_of_the_loop_s_name_is_not_overwritten(tmp_path: Path) -> None:
    setup = f"module = sys.argv[0]\nif len(sys.argv) < 5:{indented(FROZEN, 1)}\n"
    done = fixed_script(tmp_path, script(setup, "model.train()\nprint(module)\n"))
    loop = (
        TESTED_LOOP.replace("module.", "layer.")
        .replace("(module,", "(layer,")
        .replace("for module", "for layer")
    )
    assert done.text == script(setup, f"model.train()\n{loop}print(module)\n")


def test_a_notebook_keeps_everything_else(tmp_path: Path) -> None:
    cells = [
        f"{NETWORK.format(construction='', methods='')}{LOADED}{FROZEN}",
        "%matplotlib inline\n" + OPTIMIZER,
    ]
    loop = f"for epoch in range(3):{indented('model.train()' + chr(10) + STEP, 1)}\n"

    def notebook(loop: str) -> str:
        sources = [
            {"cell_type": "code", "metadata": {}, "outputs": [], "source": text.splitlines(True)}
            for text in (*cells, loop)
        ]
        return json.dumps(
            {"cells": sources, "metadata": {"kept": 1}, "nbformat": 4, "nbformat_minor": 5}, indent=1
        )

    (tmp_path / "train.ipynb").write_text(notebook(loop))
    done = mended(tmp_path, "train.ipynb")
    assert done.text == notebook(
        loop.replace("    model.train()\n", "    model.train()\n    model.stem.eval()\n")
    )
