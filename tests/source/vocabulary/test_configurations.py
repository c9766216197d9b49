"""Where scripts have their settings from: argparse, dataclasses, click, fire, hydra and their kind.

An option is unknown, and its default is a hint: the usual run takes it, other runs may decide otherwise.
"""

from __future__ import annotations

import pytest

from freezelint.source.interpreter.values import MISSING, Instance, Unknown
from tests.source.reading import codes, found_in, read_source, traced, value_of, variables

PARSER = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("--lr", "-l", type=float, default=0.1)
parser.add_argument("--momentum", type=float, default="0.9")
parser.add_argument("--freeze-backbone", action="store_true")
parser.add_argument("--no-eval", dest="eval", action="store_false")
parser.add_argument("--resume")
parser.add_argument("--name", required=True)
group = parser.add_argument_group("model")
group.add_argument("--layers", nargs="+", default=["layer3", "layer4"])
parser.set_defaults(seed=1)
"""


def test_options_have_their_defaults_as_hints() -> None:
    args = value_of(PARSER + "result = parser.parse_args()\n")
    assert isinstance(args, Instance)
    hints = {name: value.hint for name, value in args.attributes.items()}
    assert hints == {
        "data": MISSING,
        "lr": 0.1,
        "momentum": 0.9,
        "freeze_backbone": False,
        "eval": True,
        "resume": None,
        "name": MISSING,
        "layers": ["layer3", "layer4"],
        "seed": 1,
    }


def test_options_are_called_as_the_script_calls_them() -> None:
    assert value_of(PARSER + "opt = parser.parse_args()\nresult = opt.lr\n").text == "opt.lr"
    assert value_of(PARSER + "args, rest = parser.parse_known_args()\nresult = args.lr\n").text == "args.lr"
    assert (
        value_of(PARSER + "def get():\n    return parser.parse_args()\nresult = get().lr\n").text == "args.lr"
    )


def test_conditions_on_options_take_the_default_and_are_remembered() -> None:
    text = (
        PARSER
        + "args = parser.parse_args()\nresult = 'usual'\nif args.freeze_backbone:\n    result = 'frozen'\n"
    )
    machine = read_source(text)
    assert variables(machine)["result"] == "usual"
    assert "args.freeze_backbone" in machine.decisions.taken
    assert variables(read_source(text, **{"args.freeze_backbone": True}))["result"] == "frozen"


def test_an_empty_command_line_gives_exactly_the_defaults() -> None:
    assert value_of(PARSER + "result = parser.parse_args([]).lr\n") == 0.1


def test_options_as_a_dict() -> None:
    assert value_of(PARSER + "args = parser.parse_args()\nresult = vars(args)['lr']\n").hint == 0.1
    assert value_of(PARSER + "args = parser.parse_args()\nresult = [k for k in args.__dict__][1]\n") == "lr"


def test_lists_of_options_are_run_through() -> None:
    assert value_of(PARSER + "args = parser.parse_args()\nresult = [name for name in args.layers]\n") == [
        "layer3",
        "layer4",
    ]


def test_commands_of_a_parser_are_taken_together() -> None:
    assert (
        value_of(
            """
            import argparse
            def train(args):
                return args.lr
            def evaluate(args):
                return None
            parser = argparse.ArgumentParser()
            commands = parser.add_subparsers(dest="command")
            first = commands.add_parser("train")
            first.add_argument("--lr", default=0.5)
            first.set_defaults(run=train)
            second = commands.add_parser("eval")
            second.set_defaults(run=evaluate)
            args = parser.parse_args()
            result = args.run(args)
            """
        ).hint
        == 0.5
    )


def test_fields_of_dataclasses_are_plain_values() -> None:
    assert value_of(
        """
        from dataclasses import dataclass, field, asdict, replace
        @dataclass
        class Base:
            lr: float = 0.1
        @dataclass(frozen=True)
        class Config(Base):
            layers: list = field(default_factory=lambda: ["layer4"])
            epochs: int = 3
            name: str = field(default="x")
            def __post_init__(self):
                self.total = self.epochs * 2
        config = Config(0.2, epochs=5)
        other = Config()
        other.layers.append("fc")
        result = (config.lr, config.layers, config.epochs, config.name, config.total, other.layers,
                  asdict(other)["lr"], replace(config, lr=1).lr)
        """
    ) == (0.2, ["layer4"], 5, "x", 10, ["layer4", "fc"], 0.1, 1)


def test_dataclasses_of_the_command_line_have_hints() -> None:
    value = value_of(
        """
        from dataclasses import dataclass
        from transformers import HfArgumentParser
        @dataclass
        class ModelArguments:
            freeze: bool = False
        @dataclass
        class DataArguments:
            path: str = "x"
        parser = HfArgumentParser((ModelArguments, DataArguments))
        model_args, data_args = parser.parse_args_into_dataclasses()
        result = model_args.freeze
        """
    )
    assert (value.text, value.hint) == ("model_args.freeze", False)


@pytest.mark.parametrize(
    "text",
    [
        """
        import click
        @click.command()
        @click.option("--lr", default=0.1)
        @click.option("--freeze/--no-freeze", default=True)
        def main(lr, freeze):
            global result
            result = lr
        main()
        """,
        """
        import fire
        def main(lr=0.1):
            global result
            result = lr
        fire.Fire(main)
        """,
        """
        import typer
        app = typer.Typer()
        @app.command()
        def main(lr: float = typer.Option(0.1)):
            global result
            result = lr
        app()
        """,
        """
        from absl import app, flags
        FLAGS = flags.FLAGS
        flags.DEFINE_float("lr", 0.1, "rate")
        def main(argv):
            global result
            result = FLAGS.lr
        app.run(main)
        """,
        """
        from tap import Tap
        class Arguments(Tap):
            lr: float = 0.1
        args = Arguments().parse_args()
        result = args.lr
        """,
        """
        import os
        result = os.environ.get("LR", 0.1)
        """,
    ],
)
def test_other_ways_to_options(text: str) -> None:
    value = value_of(text)
    assert isinstance(value, Unknown)
    assert value.hint == 0.1


def test_hydra_calls_with_an_unknown_configuration() -> None:
    value = value_of(
        """
        import hydra
        @hydra.main(config_path="conf", config_name="config")
        def main(cfg):
            global result
            result = cfg.model.freeze
        main()
        """
    )
    assert isinstance(value, Unknown)
    assert value.text == "cfg.model.freeze"


def test_bags_of_attributes() -> None:
    assert value_of(
        """
        from easydict import EasyDict as edict
        from types import SimpleNamespace
        from argparse import Namespace
        cfg = edict({"optim": {"lr": 0.1}})
        cfg.epochs = 5
        result = (cfg.optim.lr, cfg["epochs"], cfg.optim["lr"], SimpleNamespace(a=1).a, Namespace(b=2).b,
                  cfg.get("x", 3))
        """
    ) == (0.1, 5, 0.1, 1, 2, 3)


def test_members_of_enumerations() -> None:
    assert value_of(
        """
        from enum import Enum, auto
        class Mode(Enum):
            FULL = "full"
            HEAD = "head"
        class Level(str, Enum):
            LOW = "low"
        class Step(Enum):
            FIRST = auto()
            SECOND = auto()
        result = (Mode.FULL is Mode("full"), Mode.FULL == Mode.HEAD, Mode.HEAD.value, Mode.HEAD.name,
                  Level.LOW == "low", Mode.FULL == "full", [m.value for m in Mode],
                  Mode["HEAD"] is Mode.HEAD, Step.SECOND.value,
                  Level.LOW in ("low", "high"))
        """
    ) == (True, False, "head", "HEAD", True, False, ["full", "head"], True, 2, True)


def test_what_only_the_machine_knows_is_unknown() -> None:
    scope = variables(
        read_source(
            """
            import os, sys, time, json
            from pathlib import Path
            exists = os.path.exists("checkpoint.pt")
            name = os.path.basename("runs/best.pt")
            now = time.time()
            config = json.load(open("config.json"))
            parsed = json.loads('{"lr": 0.1}')
            root = Path(__file__).parent / "data"
            """
        )
    )
    assert all(isinstance(scope[name], Unknown) for name in ("exists", "now", "config", "root"))
    assert scope["name"] == "best.pt"
    assert scope["parsed"] == {"lr": 0.1}


def test_what_a_module_that_is_not_there_gives_is_unknown() -> None:
    machine = read_source(
        "from settings import FREEZE\nresult = 1\nif FREEZE:\n    result = 2\nsame = FREEZE == 'all'\n"
    )
    assert machine.decisions.taken
    assert isinstance(variables(machine)["same"], Unknown)


# --- options of several words ---

_SEVERAL = """
import argparse
import torch
from torch import nn
parser = argparse.ArgumentParser()
parser.add_argument("--freeze", nargs="*", default=[], choices=["0", "1"])
args = parser.parse_args()
model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
for part in args.freeze:
    for p in model.get_submodule(part).parameters():
        p.requires_grad = False
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    model(torch.randn(4, 2)).sum().backward()
    optimizer.step()
"""


def test_words_are_not_given_unless_somebody_gives_them() -> None:
    steps = traced(_SEVERAL).steps
    assert {state.trainable for state in steps[0].parameters.values()} == {True}


def test_a_word_that_may_be_given_is_tried() -> None:
    found = found_in(_SEVERAL)
    assert codes(found) == ["FRZ201"]
    assert found[0].message.startswith("when `args.freeze`: SGD holds `model.0`")
