"""`[tool.freezelint]`: found upward, validated; and which rules a selection takes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from freezelint.cli import cli
from freezelint.config import Config, keys, load
from freezelint.errors import BadInputError
from freezelint.registry import Rule
from freezelint.selection import Exemptions, Selection, find_rule, severities


def project(directory: Path, table: str) -> Path:
    """A directory with this `[tool.freezelint]`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pyproject.toml").write_text(f"[tool.freezelint]\n{table}\n")
    return directory


def test_no_configuration_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path) == Config()


def test_every_key(tmp_path: Path) -> None:
    project(
        tmp_path,
        """
        select = ["FRZ1", "gradient-cut"]
        ignore = ["FRZ101"]
        extend-select = ["FRZ104"]
        entry = "train.py:build"
        steps = 3
        timeout = 60
        device = "cpu"
        hermetic = true
        exit-zero = false
        output-format = "concise"
        exclude = ["old", "*_pb2.py"]
        force-exclude = true
        respect-gitignore = false
        jobs = 4
        cache = false
        cache-dir = "/tmp/cache"
        baseline = "known.json"
        ignore-noqa = true
        per-file-ignores = {"old/**" = ["FRZ1"], "*.ipynb" = ["gradient-cut", "FRZ2"]}
        severity = {FRZ201 = "info", gradient-cut = "error"}
        """,
    )
    assert load(tmp_path) == Config(
        root=tmp_path.resolve(),
        select=("FRZ1", "gradient-cut"),
        ignore=("FRZ101",),
        extend_select=("FRZ104",),
        entry="train.py:build",
        steps=3,
        timeout=60.0,
        device="cpu",
        hermetic=True,
        exit_zero=False,
        output_format="concise",
        exclude=("old", "*_pb2.py"),
        force_exclude=True,
        respect_gitignore=False,
        jobs=4,
        cache=False,
        cache_dir="/tmp/cache",
        baseline="known.json",
        ignore_noqa=True,
        per_file_ignores={"old/**": ("FRZ1",), "*.ipynb": ("gradient-cut", "FRZ2")},
        severity={"FRZ201": "info", "gradient-cut": "error"},
    )


# Options that are no keys: they say what this one call is to do, or how it is to look for who calls.
OF_ONE_CALL = {
    *(
        "run",
        "measure",
        "source",
        "stdin_filename",
        "add_noqa",
        "write_baseline",
        "diff",
        "exit_non_zero_on_fix",
    ),
    *("config", "isolated", "show_settings", "show_files"),
    *("statistics", "output_file", "color", "quiet", "verbose"),
}
# Keys that are no options: they name several things, each with something about it; or what the project runs.
OF_THE_PROJECT = {"per_file_ignores", "severity", "entry"}


def test_every_option_is_a_key_but_for_those_of_one_call() -> None:
    options = {each.name for each in cli.commands["check"].params if isinstance(each, click.Option)}
    named = {key.replace("-", "_") for key in keys()}
    assert named == {each.name for each in fields(Config)} - {"root", "file"}
    assert options - named == OF_ONE_CALL
    assert named - options == OF_THE_PROJECT


def test_the_nearest_table_upward_holds(tmp_path: Path) -> None:
    project(tmp_path, "steps = 1")
    project(tmp_path / "a", "steps = 2")
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "b" / "pyproject.toml").write_text("[project]\nname = 'no table of ours'\n")
    assert load(inner).steps == 2


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("step = 3", "has no key 'step'; did you mean 'steps'?"),
        ("output_format = 'json'", "has no key 'output_format'; did you mean 'output-format'?"),
        ("zzz = 3", "has no key 'zzz'; did you mean"),
        ("steps = 'two'", "steps must be a positive whole number, not 'two'"),
        ("steps = 0", "steps must be a positive whole number, not 0"),
        ("steps = true", "steps must be a positive whole number, not True"),
        ("timeout = -1", "timeout must be a positive number of seconds, not -1"),
        ("select = 'FRZ1'", "select must be a list of codes, prefixes or names of rules, not 'FRZ1'"),
        ("ignore = [1]", "ignore must be a list of codes, prefixes or names of rules, not [1]"),
        ("device = 'tpu'", "device must be one of auto, cpu, cuda, fake, not 'tpu'"),
        ("device = ['cpu']", "device must be one of auto, cpu, cuda, fake, not ['cpu']"),
        ("hermetic = 'yes'", "hermetic must be true or false, not 'yes'"),
        ("output-format = 'xml'", "output-format must be the name of a format"),
        ("exclude = 'old'", "exclude must be a list of patterns for paths"),
        ("force-exclude = 'yes'", "force-exclude must be true or false, not 'yes'"),
        ("respect-gitignore = 1", "respect-gitignore must be true or false, not 1"),
        ("respect-git-ignore = true", "has no key 'respect-git-ignore'; did you mean 'respect-gitignore'?"),
        ("cache = '.cache'", "cache must be true or false, not '.cache'"),
        ("jobs = 0", "jobs must be a positive whole number, not 0"),
        ("cache-dir = 3", "cache-dir must be a directory, not 3"),
        ("per-file-ignores = ['FRZ1']", "per-file-ignores must be a table of lists of codes, as in"),
        ("per-file-ignores = {a = 'FRZ1'}", "per-file-ignores must be a table of lists of codes, as in"),
        ("severity = {FRZ201 = 'off'}", "severity must be a table of error, warning, info, as in {FRZ201 ="),
        ("baseline = 3", "baseline must be a file that `--write-baseline` made, not 3"),
        ("ignore-noqa = 'no'", "ignore-noqa must be true or false"),
        ("entry = ''", "entry must be a script or a factory"),
        ("steps = ", "cannot be read"),
    ],
)
def test_a_bad_table_is_one_line_that_names_the_file(tmp_path: Path, table: str, complaint: str) -> None:
    project(tmp_path, table)
    with pytest.raises(BadInputError) as raised:
        load(tmp_path)
    message = str(raised.value)
    assert complaint in message
    assert message.startswith(str(tmp_path / "pyproject.toml"))
    assert "\n" not in message


def test_a_tool_table_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\nfreezelint = 3\n")
    with pytest.raises(BadInputError, match="must be a table"):
        load(tmp_path)


def rule(code: str, name: str, severity: Any) -> Rule:
    return Rule(code, name, severity, ("live",), "none", "", "", "family")


RULES = [
    rule("FRZ003", "live-audit-failed", "error"),
    rule("FRZ101", "frozen-norm-in-train-mode", "error"),
    rule("FRZ104", "dropout-active-in-frozen-block", "info"),
    rule("FRZ201", "frozen-param-in-optimizer", "warning"),
]


@pytest.mark.parametrize(
    ("selection", "codes"),
    [
        (Selection(), {"FRZ003", "FRZ101", "FRZ201"}),
        (Selection(select=("ALL",)), {"FRZ003", "FRZ101", "FRZ104", "FRZ201"}),
        (Selection(select=("FRZ1",)), {"FRZ003", "FRZ101", "FRZ104"}),
        (Selection(select=("frozen-norm-in-train-mode",)), {"FRZ003", "FRZ101"}),
        (Selection(extend_select=("FRZ104",)), {"FRZ003", "FRZ101", "FRZ104", "FRZ201"}),
        (Selection(ignore=("FRZ2",)), {"FRZ003", "FRZ101"}),
        (Selection(ignore=("FRZ003",)), {"FRZ101", "FRZ201"}),
        (Selection(select=("FRZ1",), ignore=("FRZ101",)), {"FRZ003", "FRZ104"}),
        (Selection(select=("FRZ101",), ignore=("FRZ1",)), {"FRZ003", "FRZ101"}),
        (Selection(select=("ALL",), ignore=("ALL",)), set()),
    ],
)
def test_what_a_selection_takes(selection: Selection, codes: set[str]) -> None:
    assert selection.codes(RULES) == codes


def test_a_selector_that_selects_nothing_is_an_error() -> None:
    with pytest.raises(BadInputError, match=r"there is no rule 'FRZ110'; did you mean FRZ1"):
        Selection(select=("FRZ110",)).codes(RULES)
    with pytest.raises(BadInputError, match="did you mean live-audit-failed"):
        Selection(ignore=("live-audit-fails",)).codes(RULES)


def test_finding_a_rule_by_code_or_name() -> None:
    assert find_rule("frz101", RULES).code == "FRZ101"
    assert find_rule("frozen-param-in-optimizer", RULES).code == "FRZ201"
    with pytest.raises(BadInputError, match="freezelint rule --all"):
        find_rule("xyzzy", RULES)


@pytest.mark.parametrize(
    ("rated", "codes"),
    [
        (("FRZ101",), {"FRZ003", "FRZ101", "FRZ201"}),
        (("FRZ104",), {"FRZ003", "FRZ101", "FRZ104", "FRZ201"}),
    ],
)
def test_a_rule_that_is_rated_is_wanted(rated: tuple[str, ...], codes: set[str]) -> None:
    assert Selection(rated=rated).codes(RULES) == codes
    assert Selection(select=("FRZ201",), rated=rated).codes(RULES) == {"FRZ003", "FRZ201"}


def test_the_closest_severity_holds() -> None:
    given: dict[str, Any] = {"ALL": "info", "FRZ1": "warning", "dropout-active-in-frozen-block": "error"}
    assert severities(given, RULES) == {
        "FRZ003": "info",
        "FRZ101": "warning",
        "FRZ104": "error",
        "FRZ201": "info",
    }
    assert severities({"FRZ2": "info"}, RULES) == {"FRZ201": "info"}
    with pytest.raises(BadInputError, match="there is no rule 'FRZ9'"):
        severities({"FRZ9": "info"}, RULES)


@pytest.mark.parametrize(
    ("glob", "path", "held"),
    [
        ("old", "new/train.py", False),
        ("old/*.py", "older/train.py", False),
        ("train.py", "other.py", False),
        ("train.py", "train.py", True),
        ("train.py", "deep/down/train.py", True),
        ("*.ipynb", "deep/book.ipynb", True),
        ("old", "old/train.py", True),
        ("old/**", "old/deep/train.py", True),
        ("./old/*", "old/train.py", True),
        ("src/*/train.py", "src/a/train.py", True),
    ],
)
def test_rules_that_do_not_hold_in_some_files(tmp_path: Path, glob: str, path: str, held: bool) -> None:
    exemptions = Exemptions({glob: ("FRZ1",)}, tmp_path)
    norm, group = RULES[1], RULES[3]
    assert exemptions.hold(str(tmp_path / path), norm) is held
    assert not exemptions.hold(str(tmp_path / path), group)


def test_an_exemption_from_no_rule_is_an_error() -> None:
    with pytest.raises(BadInputError, match="there is no rule 'FRZ9'"):
        Exemptions({"old": ("FRZ1", "FRZ9")}, Path()).check(RULES)


# freezelint.toml, and the command line


def test_a_file_of_its_own(tmp_path: Path) -> None:
    project(tmp_path, "steps = 1")
    (tmp_path / "freezelint.toml").write_text('steps = 4\nseverity = {FRZ201 = "info"}\n')
    config = load(tmp_path)
    assert (config.steps, config.severity, config.root) == (4, {"FRZ201": "info"}, tmp_path.resolve())
    assert config.file == tmp_path.resolve() / "freezelint.toml"


def test_a_bad_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "freezelint.toml").write_text("step = 3\n")
    with pytest.raises(BadInputError, match=r"freezelint\.toml has no key 'step'; did you mean 'steps'\?"):
        load(tmp_path)


def test_isolated(tmp_path: Path) -> None:
    project(tmp_path, "step = 'misspelt'")
    assert load(tmp_path, isolated=True) == Config()
    assert load(tmp_path, isolated=True, given=["steps=3"]) == Config(steps=3)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["steps=3"], Config(steps=3)),
        (["device=cpu"], Config(device="cpu")),
        (['device="cpu"'], Config(device="cpu")),
        (["exclude=['a', 'b']", "hermetic = true"], Config(exclude=("a", "b"), hermetic=True)),
        (["baseline=a = b.json"], Config(baseline="a = b.json")),
        (
            ['severity.FRZ201="info"', "severity={FRZ1='error'}"],
            Config(severity={"FRZ201": "info", "FRZ1": "error"}),
        ),
        (['per-file-ignores."old/**"=["FRZ1"]'], Config(per_file_ignores={"old/**": ("FRZ1",)})),
    ],
)
def test_settings_of_the_command_line(tmp_path: Path, given: list[str], expected: Config) -> None:
    assert load(tmp_path, given=given) == expected


def test_they_win_over_the_file(tmp_path: Path) -> None:
    project(tmp_path, "steps = 1\njobs = 2")
    config = load(tmp_path, given=["steps=3"])
    assert (config.steps, config.jobs, config.root) == (3, 2, tmp_path.resolve())


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("steps", "--config steps: must be KEY=VALUE, as in `steps=3`"),
        ("=3", "--config =3: must be KEY=VALUE, as in `steps=3`"),
        ("a b=3", "--config a b=3: must be KEY=VALUE, as in `steps=3`"),
        ("step=3", "--config has no key 'step'; did you mean 'steps'?"),
        ("steps=two", "--config steps must be a positive whole number, not 'two'"),
    ],
)
def test_a_bad_setting_is_one_line(tmp_path: Path, given: str, complaint: str) -> None:
    with pytest.raises(BadInputError) as raised:
        load(tmp_path, given=[given])
    assert str(raised.value) == complaint
