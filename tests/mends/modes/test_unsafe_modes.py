"""FRZ103, FRZ104 and FRZ106: their fixes choose for the author."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mends.modes.scripts import FROZEN, TESTED_LOOP, indented, script
from tests.mends.scripts import fixed_script

SETTING = """\
for layer in model.stem.modules():
    if isinstance(layer, nn.BatchNorm2d):
        layer.momentum = 0.0
"""


@pytest.mark.parametrize("code", ["FRZ103", "FRZ104", "FRZ106"])
def test_without_unsafe_fixes_nothing_changes(tmp_path: Path, code: str) -> None:
    both = "model.stem.requires_grad_(False)\nmodel.body.requires_grad_(False)\n"
    setup = {"FRZ103": FROZEN + SETTING, "FRZ104": both, "FRZ106": ""}[code]
    kept = {
        "FRZ103": "",
        "FRZ104": "model.stem.eval()\nmodel.body[1].eval()\n",
        "FRZ106": "model.stem.eval()\n",
    }
    text = script(setup, f"model.train()\n{kept[code]}")
    done = fixed_script(tmp_path, text, extend=(code,))
    assert done.text == text
    assert code in done.refused


def test_a_setting_that_stood_for_eval_goes(tmp_path: Path) -> None:
    done = fixed_script(tmp_path, script(FROZEN + SETTING, "model.train()\n"), unsafe=True)
    assert done.text == script(FROZEN, "model.train()\nmodel.stem.eval()\n")
    assert done.applied == ("FRZ103",)


def test_a_single_setting_goes_with_its_line(tmp_path: Path) -> None:
    setting = "model.stem[1].track_running_stats = False\nprint(model)\n"
    done = fixed_script(tmp_path, script(FROZEN + setting, "model.train()\n"), unsafe=True)
    assert done.text == script(f"{FROZEN}print(model)\n", "model.train()\nmodel.stem.eval()\n")


def test_a_frozen_block_with_dropout_is_put_in_eval_whole(tmp_path: Path) -> None:
    frozen = "model.stem.requires_grad_(False)\nmodel.body.requires_grad_(False)\n"
    before = script(frozen, "model.train()\nmodel.stem.eval()\nmodel.body[1].eval()\n")
    done = fixed_script(tmp_path, before, unsafe=True, extend=("FRZ104",))
    after = "model.train()\nmodel.body.eval()\nmodel.stem.eval()\nmodel.body[1].eval()\n"
    assert done.text == script(frozen, after)
    assert done.applied == ("FRZ104",)


def test_scale_and_shift_are_frozen_before_the_optimizer_is_built(tmp_path: Path) -> None:
    epoch = "model.train()\nmodel.stem[1].eval()\n"
    done = fixed_script(tmp_path, script("", epoch), unsafe=True, extend=("FRZ106",))
    assert done.text == script("model.stem[1].requires_grad_(False)\n", epoch)


def test_norm_layers_that_the_flags_choose_stay_so(tmp_path: Path) -> None:
    setup = f"if len(sys.argv) < 3:{indented(FROZEN + SETTING, 1)}\n"
    done = fixed_script(tmp_path, script(setup, "model.train()\n"), unsafe=True)
    assert done.text == script(
        f"if len(sys.argv) < 3:{indented(FROZEN, 1)}\n", f"model.train()\n{TESTED_LOOP}"
    )
