from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.modes.scripts import FROZEN, script
from tests.mends.scripts import fixed_script

SET_EVAL = """\
def set_eval(module):
    if isinstance(module, nn.BatchNorm2d):
        module.eval()
        module.requires_grad_(False)


"""

FREEZE_NORMS = """\
def freeze_norms(net):
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
            module.requires_grad_(False)


"""

FREEZE_STEM = "\n\ndef freeze_stem(self):\n    self.stem.eval()\n    self.stem.requires_grad_(False)\n"


def test_an_eval_that_is_repeated_stays_as_it_is(tmp_path: Path) -> None:
    text = script("model.stem.eval()\n" + FROZEN, "model.train()\nmodel.stem.eval()\n")
    assert fixed_script(tmp_path, text).text == text


@pytest.mark.parametrize(
    ("functions", "methods", "setup", "again"),
    [
        (SET_EVAL, "", "model.apply(set_eval)\n", "model.apply(set_eval)\n"),
        (SET_EVAL, "", "model.body.apply(set_eval)\n", "model.body.apply(set_eval)\n"),
        (FREEZE_NORMS, "", "freeze_norms(model)\n", "freeze_norms(model)\n"),
        ("", FREEZE_STEM, "model.freeze_stem()\n", "model.freeze_stem()\n"),
    ],
)
def test_the_user_s_own_function_is_called_again(
    tmp_path: Path, functions: str, methods: str, setup: str, again: str
) -> None:
    done = fixed_script(tmp_path, script(setup, "model.train()\n", functions=functions, methods=methods))
    after = script(setup, f"model.train()\n{again}", functions=functions, methods=methods)
    assert done.text == after
    assert done.applied == ("FRZ102",)


def test_in_another_function_it_is_called_on_what_is_called_the_model_there(tmp_path: Path) -> None:
    def text(more: str) -> str:
        train = f"def train(net):\n    net.train()\n{more}\n\n"
        return script("freeze_norms(model.body)\n", "train(model)\n", functions=FREEZE_NORMS + train)

    assert fixed_script(tmp_path, text("")).text == text("    freeze_norms(net.body)\n")


def test_a_function_that_does_more_is_not_called_again(tmp_path: Path) -> None:
    freeze = "    net.stem.eval()\n    net.stem.requires_grad_(False)\n"
    build = f"def build(net):\n{freeze}    print(len(sys.argv))\n\n\n"
    setup = "build(model)\n"
    done = fixed_script(tmp_path, script(setup, "model.train()\n", functions=build))
    assert done.text == script(setup, "model.train()\nmodel.stem.eval()\n", functions=build)


def test_a_block_is_named_as_it_was(tmp_path: Path) -> None:
    setup = f"model.stem.eval()\n{FROZEN}"
    done = fixed_script(tmp_path, script(setup, "model.train()\n"))
    assert done.text == script(setup, "model.train()\nmodel.stem.eval()\n")
