"""The fixture and the marker for the tests of other projects."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

PARTS = """
import pytest
import torch
from torch import nn

def parts(frozen):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))
    if frozen:
        model[:2].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return model, optimizer, lambda: model(torch.randn(4, 3, 8, 8)).square().mean().backward()
"""


def run(pytester: pytest.Pytester, text: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(PARTS + text)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n0", "--strict-markers", *arguments)


def test_a_clean_step_passes_and_the_report_is_returned(pytester: pytest.Pytester) -> None:
    text = """
def test_clean(freezelint_audit):
    report = freezelint_audit(*parts(False))
    assert list(report) == []
    assert report.trace.steps_done == 2

def test_more_steps(freezelint_audit):
    assert freezelint_audit(*parts(False), steps=3).trace.steps_done == 3
"""
    run(pytester, text).assert_outcomes(passed=2)


def test_a_faulty_step_fails_with_the_report_and_nothing_else(pytester: pytest.Pytester) -> None:
    text = """
def test_faulty(freezelint_audit):
    freezelint_audit(*parts(True))
"""
    result = run(pytester, text)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_faulty*",
            "error[[]FRZ101[]] frozen-norm-in-train-mode",
            "*`model.1` is frozen but runs in train mode*",
            "*test_a_faulty_step*.py:14:*",
            "*freezelint_audit(*parts(True))*",
            "warning[[]FRZ201[]] frozen-param-in-optimizer",
            "Found 1 error, 1 warning in *",
            "FAILED *",
        ]
    )
    for ours in ("pytest_audits", "live/", "Traceback", "def __call__", "assert "):
        assert ours not in result.stdout.str(), ours


def test_what_the_step_raises_is_shown_without_frames_of_freezelint(pytester: pytest.Pytester) -> None:
    text = """
def broken():
    raise KeyError("no such batch")

def test_broken(freezelint_audit):
    model, optimizer, _ = parts(False)
    freezelint_audit(model, optimizer, broken)
"""
    result = run(pytester, text)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*freezelint_audit(model, optimizer, broken)*", "*KeyError: 'no such batch'"]
    )
    for ours in ("pytest_audits.py", "stepping.py", "recorder.py", "api.py"):
        assert ours not in result.stdout.str(), ours


def test_everything_is_left_as_it_was_for_the_rest_of_the_test(pytester: pytest.Pytester) -> None:
    text = """
def test_unchanged(freezelint_audit):
    model, optimizer, step = parts(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    freezelint_audit(model, optimizer, step)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not optimizer.state
"""
    run(pytester, text).assert_outcomes(passed=1)


def test_the_marker_and_the_call_choose_rules(pytester: pytest.Pytester) -> None:
    text = """
@pytest.mark.freezelint(ignore=["FRZ101", "frozen-param-in-optimizer"])
def test_ignored(freezelint_audit):
    freezelint_audit(*parts(True))

@pytest.mark.freezelint(ignore="FRZ101")
def test_ignored_adds_up(freezelint_audit):
    freezelint_audit(*parts(True), ignore=["FRZ201"])

@pytest.mark.freezelint(select=["FRZ3"])
def test_selected(freezelint_audit):
    freezelint_audit(*parts(True))

@pytest.mark.freezelint(select=["FRZ3"])
def test_the_call_is_closer_than_the_marker(freezelint_audit):
    with pytest.raises(pytest.fail.Exception, match="FRZ101"):
        freezelint_audit(*parts(True), select=["FRZ1"])

@pytest.mark.freezelint(select=["FRZ1"])
class TestClass:
    @pytest.mark.freezelint(select=["FRZ3"], steps=3)
    def test_the_closest_marker_holds(self, freezelint_audit):
        assert freezelint_audit(*parts(True)).trace.steps_done == 3
"""
    run(pytester, text).assert_outcomes(passed=5)


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ('ignor=["FRZ101"]', "the marker has no setting 'ignor'; did you mean 'ignore'?"),
        ('ignore=["FRZ999"]', "there is no rule 'FRZ999'; did you mean *"),
        ('device="fake"', "`device = fake` needs a model that was built on fake tensors*"),
    ],
)
def test_settings_that_cannot_hold_are_told(pytester: pytest.Pytester, marker: str, told: str) -> None:
    text = f"""
@pytest.mark.freezelint({marker})
def test_it(freezelint_audit):
    freezelint_audit(*parts(False))
"""
    result = run(pytester, text)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"freezelint: {told}"])
    assert "Traceback" not in result.stdout.str()


def test_the_projects_configuration_and_comments_hold(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml('[tool.freezelint]\nignore = ["FRZ101"]\nsteps = 4\n')
    text = """
def test_commented(freezelint_audit):
    report = freezelint_audit(*parts(True))  # noqa: FRZ201
    assert report.trace.steps_done == 4

def test_not_commented(freezelint_audit):
    freezelint_audit(*parts(True))
"""
    result = run(pytester, text)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*FRZ101*")
    result.stdout.fnmatch_lines(["warning[[]FRZ201[]]*"])


def test_what_the_step_places_on_a_gpu_goes_where_it_is_told(pytester: pytest.Pytester) -> None:
    text = """
def test_on_the_cpu(freezelint_audit):
    model, optimizer, _ = parts(False)
    def step():
        model(torch.randn(4, 3, 8, 8).to("cuda")).square().mean().backward()
    freezelint_audit(model, optimizer, step, device="cpu")
"""
    run(pytester, text).assert_outcomes(passed=1)


def test_in_several_processes(pytester: pytest.Pytester) -> None:
    text = """
@pytest.mark.parametrize("number", range(4))
def test_clean(freezelint_audit, number):
    freezelint_audit(*parts(False))

def test_faulty(freezelint_audit):
    freezelint_audit(*parts(True))
"""
    result = run(pytester, text, "-n2")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["error[[]FRZ101[]]*"])


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import freezelint.integrations.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert loaded == ["freezelint", "freezelint.integrations", "freezelint.integrations.pytest_plugin"]


def test_tests_that_audit_nothing_import_no_torch(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import sys\n\ndef test_it():\n    assert 'torch' not in sys.modules\n")
    pytester.runpytest_subprocess("-n0", "-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_pytest_finds_the_plugin_by_the_installed_package(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures", "-n0", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["freezelint_audit -- *pytest_plugin.py:*"])
    result = pytester.runpytest_subprocess("--markers", "-n0", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(
        ["@pytest.mark.freezelint(select=None, ignore=(), steps=None, device=None):*"]
    )
