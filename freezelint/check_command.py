"""What `freezelint check` does, from its options to its exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezelint.baseline import read_baseline, write_baseline
from freezelint.config import Config, load
from freezelint.errors import BadInputError
from freezelint.registry import Rule, rules
from freezelint.report import Outcome, Style, _terminal, render
from freezelint.selection import Exemptions, Selection, severities
from freezelint.suppression.applying import Read
from freezelint.targets import Factory, Plan, Script, plan
from freezelint.texts import Texts
from freezelint.verdict import Verdict, Wishes, decide
from freezelint.wording import plural

if TYPE_CHECKING:
    from freezelint.evidence import Trace
    from freezelint.fix_command import Looked
    from freezelint.fixing.drafts import Drafts
    from freezelint.live.settings import LiveSettings
    from freezelint.source.files.checking import Checked

CLEAN, FOUND = 0, 1
_LISTS = ("select", "ignore", "extend_select", "exclude", "fixable", "unfixable")
_LIVE = ("steps", "timeout", "device", "hermetic")
_MOST_ENTRIES = 10
# The reports that programs read tell of each finding how it can be mended.
_WITH_FIXES = ("json", "sarif")


@dataclass(frozen=True)
class _Sources:
    """What the source reader says, None where it was not asked; the texts that are in no file; the files and
    directories that were looked at.
    """

    checked: Checked | None = None
    texts: dict[str, str] | None = None
    given: tuple[str, bytes, Path | None] | None = None  # standard input: its name, its bytes, its place
    paths: tuple[Path, ...] = ()
    directories: tuple[Path, ...] = ()


def check(targets: tuple[str, ...], given: dict[str, Any], arguments: tuple[str, ...]) -> int:
    """Do it; the exit status. `given` are the options as the command line names them."""
    config = settings(targets, given)
    wishes = wishes_of(config, baseline=given["write_baseline"] is None)
    if given["show_settings"]:
        return _show_settings(config)
    planned = plan(targets, run=given["run"], source=given["source"], config=config)
    if given["show_files"]:
        return _show_files(planned, config)
    if arguments and any(isinstance(target, Factory) for target in planned.run):
        raise BadInputError("A factory takes no arguments; what follows `--` goes to scripts.")
    _require_one_task(given, planned)
    _require_repeatable(given, planned, config)
    output = writable(given["output_file"], "--output-file")
    accepted = writable(given["write_baseline"], "--write-baseline")
    looking = _Looking(planned, arguments, given, config, wishes)
    sources, verdict, outcome = looking.look()
    if accepted is not None:
        write_baseline(accepted, verdict.findings, Texts(outcome.texts))
        _terminal.write(f"Wrote {plural(len(verdict.findings), 'finding')} to {given['write_baseline']}\n")
        return CLEAN
    if given["add_noqa"]:
        return _add_noqa(verdict)
    _tell_unmatched(verdict, config, given)
    if config.fix or config.fix_only or given["diff"]:
        return looking.fix(sources, verdict, outcome, output)
    if outcome.findings and config.output_format in _WITH_FIXES:
        from freezelint import fix_command

        wants = fix_command.wanted(config, given, wishes.rules)
        proposed = fix_command.proposed(looking.looked(sources), outcome.findings, wishes, wants)
        outcome = replace(outcome, findings=tuple(proposed))
    _report(outcome, output, given, config)
    return FOUND if outcome.findings and not config.exit_zero else CLEAN


@dataclass(frozen=True)
class _Looking:
    """How a run looks at its targets, so that it can look again when files have been fixed."""

    planned: Plan
    arguments: tuple[str, ...]
    given: dict[str, Any]
    config: Config
    wishes: Wishes

    def look(self, standard_input: bytes | None = None) -> tuple[_Sources, Verdict, Outcome]:
        """All that the witnesses say now."""
        sources = _read(self.planned, self.given, self.config, standard_input)
        targets = self._runnable(sources.checked)
        traces = [self._watched(target) for target in targets]
        return (sources, *_judged(self.planned, sources, traces, self.wishes))

    def looked(self, sources: _Sources) -> Looked:
        """What was looked at, for who wants to look at drafts of it."""
        from freezelint.fix_command import Looked
        from freezelint.source.files.discovery import excluding

        checked = sources.checked
        return Looked(
            () if checked is None else checked.answers,
            frozenset(() if checked is None else checked.suppressing),
            sources.directories,
            sources.given,
            tuple((str(target), partial(self._drafted, target)) for target in self._runnable(checked)),
            excluding(self.config.exclude or (), self.config.root, self.planned.read),
        )

    def fix(self, sources: _Sources, verdict: Verdict, outcome: Outcome, output: Path | None) -> int:
        """Fix the files, or show how, and tell what is left; the exit status."""
        from freezelint import fix_command

        wants = fix_command.wanted(self.config, self.given, self.wishes.rules)
        done, before = fix_command.fixed(self.looked(sources), verdict.findings, self.wishes, wants)
        if wants.diff:
            fix_command.show(done, before, quiet=self.given["quiet"])
            return FOUND if done.paths and not self.config.exit_zero else CLEAN
        text = fix_command.write(done, sources.given)
        if done.paths:
            sources, verdict, outcome = self.look(text)
        outcome = replace(outcome, fixed=done.applied_titles, unfixed=done.refused, show_fixes=wants.show)
        if wants.only:
            outcome = replace(outcome, findings=())
        _report(outcome, output, self.given, self.config, to_error=sources.given is not None)
        failed = bool(outcome.findings) or (wants.non_zero and bool(done.applied))
        return FOUND if failed and not self.config.exit_zero else CLEAN

    def _runnable(self, checked: Checked | None) -> list[Script | Factory]:
        """What is to be run, but for what is no Python (FRZ002)."""
        found = checked.findings if checked is not None else ()
        broken = {finding.path for finding in found if finding.code == "FRZ002"}
        targets = self.planned.run
        return [each for each in targets if not (isinstance(each, Script) and _shown(each.path) in broken)]

    def _drafted(self, target: Script | Factory, drafts: Drafts) -> Trace:
        return self._watched(target, drafts.changed)

    def _watched(self, target: Script | Factory, drafts: Mapping[str, bytes] | None = None) -> Trace:
        wanted = _live_settings(self.config)
        if self.given["measure"] and drafts is None:
            wanted = replace(wanted, measure=tuple(sorted(self.wishes.selected)))
        return _watched(target, self.arguments, wanted, self.given, drafts)


# -- settings ---------------------------------------------------------------------------------------------


def project_config(targets: tuple[str, ...], given: dict[str, Any]) -> Config:
    """The configuration of the project that the first target lies in, else of the current directory."""
    place = targets[0].rpartition(":")[0] or targets[0] if targets else "."
    path = next((path for path in (Path(t) for t in (*targets[:1], place)) if path.exists()), Path())
    start = path if path.is_dir() else path.parent
    return load(start, isolated=given.get("isolated", False), given=given.get("config", ()))


def settings(targets: tuple[str, ...], given: dict[str, Any]) -> Config:
    """The configuration with the options of the command line on top of it."""
    config = project_config(targets, given)
    values: dict[str, Any] = {}
    for name in (each.name for each in fields(Config)):
        if name in _LISTS and given[name]:
            words = [word.strip() for value in given[name] for word in value.split(",")]
            values[name] = tuple(word for word in words if word)
        elif name not in _LISTS and given.get(name) is not None:
            values[name] = given[name]
    for name in ("cache_dir", "baseline"):  # which on the command line are told from the current directory
        if name in values:
            values[name] = os.path.abspath(values[name])  # noqa: PTH100 - links stay as they are
    return replace(config, **values)


def cache_directory(config: Config) -> Path:
    """Where the cache is: as told, else in the root of the project, else here."""
    from freezelint.source.files.cache import DIRECTORY
    from freezelint.source.files.project import project_root

    told = config.path(config.cache_dir)
    return told if told is not None else (config.root or project_root(Path.cwd()) or Path()) / DIRECTORY


def wishes_of(config: Config, *, baseline: bool = True) -> Wishes:
    """What the configuration wants to be told; all of what the baseline holds, too, where it is left out."""
    table = rules()
    rated = severities(config.severity or {}, table)
    selection = Selection(
        config.select, config.ignore or (), config.extend_select or (), tuple(config.severity or ())
    )
    exemptions = Exemptions(config.per_file_ignores or {}, config.root or Path())
    exemptions.check(table)
    path = config.path(config.baseline) if baseline else None
    return Wishes(
        table,
        selection.codes([_rated(rule, rated) for rule in table]),
        rated,
        exemptions if exemptions.by_glob else None,
        not config.ignore_noqa,
        None if path is None else read_baseline(path),
    )


def _rated(rule: Rule, rated: dict[str, Any]) -> Rule:
    return replace(rule, severity=rated.get(rule.code, rule.severity))


def _live_settings(config: Config) -> LiveSettings:
    from freezelint.live.settings import LiveSettings

    values = {name: getattr(config, name) for name in _LIVE}
    return LiveSettings(**{name: value for name, value in values.items() if value is not None})


def _require_one_task(given: dict[str, Any], planned: Plan) -> None:
    if given["add_noqa"] and given["write_baseline"] is not None:
        raise BadInputError(
            "--add-noqa and --write-baseline each accept the findings in a way of their own: choose"
        )
    if given["add_noqa"] and given["ignore_noqa"]:
        raise BadInputError(
            "--add-noqa with --ignore-noqa would add what is there already: leave one of them out"
        )
    if given["add_noqa"] and planned.standard_input:
        raise BadInputError("--add-noqa writes to files: standard input is none")


def _require_repeatable(given: dict[str, Any], planned: Plan, config: Config) -> None:
    """Measuring takes the same step over and over, with and without the corrections."""
    if not given["measure"]:
        return
    script = next((target.path for target in planned.run if isinstance(target, Script)), None)
    if script is not None or not planned.run:
        raise BadInputError(
            f"--measure repeats a step, and {script or 'what is only read'} has none that can be repeated: "
            "name a factory, such as `train.py:build`, that returns (model, optimizer, step)"
        )
    if config.device == "fake":
        raise BadInputError("--measure with --device fake: fake tensors cost nothing; choose another device")


# -- looking ----------------------------------------------------------------------------------------------


def _read(
    planned: Plan, given: dict[str, Any], config: Config, standard_input: bytes | None = None
) -> _Sources:
    """What the sources say. `standard_input` is what is on it, where it has been read already."""
    from freezelint.source.files import checking
    from freezelint.source.files.source_file import NOTEBOOK, STANDARD_INPUT

    if planned.standard_input:
        name = given["stdin_filename"]
        data = sys.stdin.buffer.read() if standard_input is None else standard_input
        checked, texts = checking.check_text(data, name)
        if name is not None and name.endswith(NOTEBOOK):
            texts = {path: data.decode("utf-8-sig", "replace") for path in texts}
        place = None if name is None else Path(name).absolute()
        shown = STANDARD_INPUT if name is None else _shown(name)
        return _Sources(checked, texts, (shown, data, place))
    if not planned.read:
        return _Sources()
    from freezelint.source.files.cache import Cache

    checking.calm_collector()
    paths = _files(planned, config)
    if not paths and not given["quiet"]:
        _terminal.say("freezelint: no file is left to read: `exclude` or a .gitignore names them all")
    cache = None if config.cache is False else Cache(cache_directory(config))
    if given["verbose"]:
        _terminal.say(
            f"freezelint: {len(paths)} files, {f'cache {cache.directory}' if cache else 'no cache'}"
        )
    directories = tuple(path for path in planned.read if path.is_dir())
    checked = checking.check_files(
        paths, named=frozenset(planned.read), roots=directories, jobs=config.jobs, cache=cache
    )
    return _Sources(checked, {}, None, tuple(paths), directories)


def _files(planned: Plan, config: Config) -> list[Path]:
    from freezelint.source.files.discovery import discover

    return discover(
        planned.read,
        config.exclude or (),
        config.root,
        force_exclude=config.force_exclude or False,
        respect_gitignore=config.respect_gitignore is not False,
    )


def _shown(path: str) -> str:
    from freezelint.source.files.project import shown_path

    return shown_path(Path(path))


def _watched(
    target: Script | Factory,
    arguments: tuple[str, ...],
    wanted: LiveSettings,
    given: dict[str, Any],
    drafts: Mapping[str, bytes] | None = None,
) -> Trace:
    """The evidence of one run."""
    from freezelint.live.process.run import run_factory, run_script

    quiet = given["quiet"]
    if given["verbose"]:
        _terminal.say(f"freezelint: {target}, {wanted}")
    line = _terminal.ProgressLine(wanted=not quiet)
    try:
        if isinstance(target, Script):
            trace = run_script(target.path, arguments, wanted, line.show, quiet=quiet, drafts=drafts)
        else:
            trace = run_factory(
                target.target, wanted, line.show, root=target.root, quiet=quiet, drafts=drafts
            )
    finally:
        line.clear()
    if trace.failure is not None and trace.failure.kind == "bad-factory":
        where = trace.failure.location
        raise BadInputError(trace.failure.message + (f" ({where.path}:{where.line})" if where else ""))
    return trace


def _judged(planned: Plan, sources: _Sources, traces: list[Trace], wishes: Wishes) -> tuple[Verdict, Outcome]:
    """What both witnesses have to tell, each fault once, without what is known."""
    checked, texts = sources.checked, sources.texts or {}
    findings = list(checked.findings) if checked is not None else []
    limits = list(checked.limits) if checked is not None else []
    if traces:
        from freezelint.judge import judge
        from freezelint.merging import merged

        findings = merged(findings, judge(traces))
        limits.extend(limit for trace in traces for limit in trace.limits)
    verdict = decide(
        findings,
        Texts(texts),
        wishes,
        read=_suppressing(sources),
        looked_at=frozenset(map(os.path.realpath, sources.paths)),
        ran=bool(traces),
    )
    outcome = Outcome(
        verdict.findings,
        tuple(dict.fromkeys(limits)),
        planned.names,
        steps=sum(trace.steps_done for trace in traces) if traces else None,
        measurements=tuple(each for trace in traces for each in trace.measurements),
        read=None if checked is None else checked.read,
        passed_over=0 if checked is None else checked.passed_over,
        texts=texts,
        suppressed=verdict.suppressed,
        accepted=verdict.accepted,
    )
    return verdict, outcome


def _suppressing(sources: _Sources) -> list[Read]:
    """The files whose idle comments are told; all that lie in a directory that was checked have company."""
    if sources.checked is None:
        return []
    inside = [os.path.realpath(directory) for directory in sources.directories]

    def alone(path: str) -> bool:
        return not any(os.path.commonpath([os.path.realpath(path), outer]) == outer for outer in inside)

    return [Read(path, alone(path)) for path in sources.checked.suppressing]


# -- telling ----------------------------------------------------------------------------------------------


def _report(
    outcome: Outcome,
    output: Path | None,
    given: dict[str, Any],
    config: Config,
    *,
    to_error: bool = False,
) -> None:
    colored = output is None and _terminal.wants_color(given["color"], sys.stdout)
    style = Style(colored or given["color"] == "always", given["statistics"], given["quiet"])
    report = render(outcome, config.output_format or "full", style)
    if output is None:
        (_terminal.say if to_error else _terminal.write)(report)
        return
    try:
        output.write_text(report, encoding="utf-8")
    except OSError as error:
        raise _unwritable("--output-file", str(output), error.strerror) from error


def _show_settings(config: Config) -> int:
    from freezelint.report import _settings

    _terminal.write(_settings.told(config, _live_settings(config), cache_directory(config)))
    return CLEAN


def _show_files(planned: Plan, config: Config) -> int:
    names = sorted({_shown(str(path)) for path in _files(planned, config)}) if planned.read else []
    _terminal.write("".join(f"{name}\n" for name in names))
    return CLEAN


def _add_noqa(verdict: Verdict) -> int:
    from freezelint.report._words import place
    from freezelint.suppression.adding import add_noqa

    added = add_noqa(verdict.findings)
    for finding, why in added.refused:
        _terminal.say(f"{place(finding.location)}: {finding.code} stays: {why}")
    where = f" in {plural(len(added.files), 'file')}" if added.files else ""
    _terminal.write(f"Suppressed {plural(added.findings, 'finding')}{where}\n")
    return FOUND if added.refused else CLEAN


def _tell_unmatched(verdict: Verdict, config: Config, given: dict[str, Any]) -> None:
    if not verdict.unmatched or given["quiet"]:
        return
    file = _shown(str(config.path(config.baseline)))
    entries = verdict.unmatched[:_MOST_ENTRIES]
    _terminal.say(
        f"freezelint: {file}: {plural(len(verdict.unmatched), 'finding')} of the baseline not found; "
        f"`--write-baseline {file}` brings it up to date"
    )
    for entry in entries:
        _terminal.say(f"  {entry}")
    if len(verdict.unmatched) > len(entries):
        _terminal.say(f"  and {len(verdict.unmatched) - len(entries)} more")


def writable(given: str | None, option: str) -> Path | None:
    """Where to write; asked before anything runs, so that no long run is lost on a misspelt directory."""
    if given is None:
        return None
    path = Path(given)
    if not path.parent.is_dir():
        raise BadInputError(f"{option} {given}: there is no directory {path.parent}")
    try:
        possible = os.access(path if path.exists() else path.parent, os.W_OK)
    except OSError as error:  # the name is too long
        raise _unwritable(option, given, error.strerror) from error
    if not possible:
        raise _unwritable(option, given, "no permission to write there")
    return path


def _unwritable(option: str, given: str, reason: str | None) -> BadInputError:
    return BadInputError(f"{option} {given}: cannot write the report: {reason}; name another file")
