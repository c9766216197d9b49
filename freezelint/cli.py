"""The command line. Starts fast: everything but click is imported where it is used, and torch never is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from freezelint import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from freezelint.config import Config
    from freezelint.evidence import Trace
    from freezelint.finding import Finding
    from freezelint.live.settings import LiveSettings
    from freezelint.report import Outcome
    from freezelint.source.checking import Checked
    from freezelint.targets import Factory, Plan, Script

CLEAN, FOUND, FAULT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run freezelint; the exit status. Whatever goes wrong is told in one line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    own = given[: given.index("--")] if "--" in given else given
    verbose = any(option in own for option in ("-v", "--verbose"))
    from freezelint.errors import BadInputError, InternalError

    try:
        status = cli.main(given, prog_name="freezelint", standalone_mode=False)
        return status if isinstance(status, int) else CLEAN
    except click.ClickException as error:
        return _fault(error.format_message())
    except BadInputError as error:
        return _fault(str(error))
    except (KeyboardInterrupt, click.Abort):
        _fault("interrupted")
        return INTERRUPTED
    except InternalError as error:
        return _internal(str(error), error.details if verbose else "")
    except Exception as error:
        import traceback

        return _internal(f"{type(error).__name__}: {error}", traceback.format_exc() if verbose else "")


class _Command(click.Command):
    """A command that keeps what follows `--` apart."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            position = args.index("--")
            args, ctx.meta["freezelint.arguments"] = args[:position], tuple(args[position + 1 :])
        return super().parse_args(ctx, args)


def _known_format(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    from freezelint.report import formats

    if value is not None and value not in formats():
        raise click.BadParameter(f"{value!r} is not one of {', '.join(formats())}.", context, option)
    return value


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="freezelint %(version)s")
@click.pass_context
def cli(context: click.Context) -> int:
    """Finds, explains and mends parameter-freezing bugs in PyTorch transfer learning."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return CLEAN


@cli.command(cls=_Command, options_metavar="[OPTIONS]")
@click.argument("targets", nargs=-1, metavar="[TARGETS]... [-- ARGS]")
@click.option("--run", is_flag=True, help="Run each target, a script, and watch its training steps, too.")
@click.option("--source/--no-source", default=True, help="Read the sources (the default), or only run.")
@click.option("--steps", type=click.IntRange(min=1), help="Optimizer steps to watch (2).")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds that a run may take (600)."
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "fake"]), help="Where to run (auto).")
@click.option(
    "--hermetic/--no-hermetic",
    default=None,
    help="Run without network, data and weights: stand-ins take their place.",
)
@click.option("--exclude", multiple=True, metavar="GLOBS", help="Leave out paths below directories.")
@click.option("--stdin-filename", metavar="PATH", help="What the source on standard input (`-`) is called.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes that read (one for each core).")
@click.option("--no-cache", is_flag=True, help="Neither use nor write the cache of earlier readings.")
@click.option("--cache-dir", type=click.Path(file_okay=False), help="Where that is (.freezelint_cache).")
@click.option(
    "--select", multiple=True, metavar="RULES", help="Report these rules only: codes, prefixes, names, ALL."
)
@click.option("--ignore", multiple=True, metavar="RULES", help="Do not report these rules.")
@click.option("--extend-select", multiple=True, metavar="RULES", help="Report these rules too.")
@click.option(
    "--exit-zero/--no-exit-zero", default=None, help="Exit with status 0 also when there are findings."
)
@click.option("--statistics", is_flag=True, help="Count the findings of each rule instead of listing them.")
@click.option("-o", "--output-file", type=click.Path(dir_okay=False), help="Write the report to this file.")
@click.option("--output-format", callback=_known_format, help="full (default), concise or json.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours (auto)."
)
@click.option(
    "-q", "--quiet", is_flag=True, help="Findings only: no summary, nothing of what the script prints."
)
@click.option(
    "-v", "--verbose", is_flag=True, help="Tell what is done, and tracebacks of freezelint's own faults."
)
@click.pass_context
def check(context: click.Context, /, targets: tuple[str, ...], **given: Any) -> int:
    """Report freezing bugs: read sources, and watch training steps.

    TARGETS are scripts, notebooks and directories, which are read; `-` is standard input. With --run, scripts
    are also run, and watched; so are factories such as `train.py:build` or `package.module:build`, which
    return (model, optimizer, step). Without any, the current directory is read and the `entry` of
    [tool.freezelint] watched. ARGS go to the script.

    Exit status: 0 clean, 1 findings, 2 freezelint or its arguments at fault.
    """
    from freezelint.registry import rules
    from freezelint.report import Style, _terminal, render
    from freezelint.targets import plan

    config = _config(targets)
    selected = _selection(given, config).codes(rules())
    planned = plan(targets, run=given["run"], source=given["source"], config=config)
    arguments = _arguments(context, planned.run)
    output = _output(given["output_file"])
    checked, texts = _read(planned, given, config)
    outcome = _outcome(planned, checked, texts, selected, _traces(planned, checked, arguments, given, config))
    colored = output is None and _terminal.wants_color(given["color"], sys.stdout)
    style = Style(colored or given["color"] == "always", given["statistics"], given["quiet"])
    report = render(outcome, given["output_format"] or config.output_format or "full", style)
    if output is None:
        _terminal.write(report)
    else:
        _save(report, output)
    exit_zero = config.exit_zero if given["exit_zero"] is None else given["exit_zero"]
    return FOUND if outcome.findings and not exit_zero else CLEAN


@cli.command()
@click.option("--cache-dir", type=click.Path(file_okay=False), help="Where the cache is (.freezelint_cache).")
def clean(cache_dir: str | None) -> int:
    """Remove the cache of earlier readings."""
    from freezelint.report import _terminal
    from freezelint.source import cache

    directory = _cache_directory(cache_dir, _config(()))
    try:
        removed = cache.clean(directory)
    except OSError as error:
        from freezelint.errors import BadInputError

        raise BadInputError(f"{directory}: cannot be removed: {error.strerror}") from error
    _terminal.write(f"Removed {directory}\n" if removed else f"There is no cache in {directory}\n")
    return CLEAN


@cli.command()
@click.argument("code", required=False)
@click.option("--all", "every", is_flag=True, help="All rules.")
@click.option(
    "--output-format", type=click.Choice(["text", "json"]), default="text", help="text (default) or json."
)
def rule(code: str | None, every: bool, output_format: str) -> int:
    """Explain a rule, given its CODE or its name; or list them all."""
    from freezelint.registry import rules
    from freezelint.report import _rules, _terminal
    from freezelint.selection import find_rule

    if every == (code is not None):
        raise click.UsageError("Name one rule, or all of them with --all.")
    if code is not None:
        _terminal.write(_rules.page(find_rule(code, rules()), output_format))
    else:
        _terminal.write(_rules.table(rules(), output_format))
    return CLEAN


def _config(targets: tuple[str, ...]) -> Config:
    """The configuration of the project that the first target lies in, else of the current directory."""
    from pathlib import Path

    from freezelint.config import load

    place = targets[0].rpartition(":")[0] or targets[0] if targets else "."
    path = next((path for path in (Path(t) for t in (*targets[:1], place)) if path.exists()), Path())
    return load(path if path.is_dir() else path.parent)


def _selection(given: dict[str, Any], config: Config) -> Any:
    from freezelint.selection import Selection

    def chosen(option: str, configured: tuple[str, ...] | None) -> tuple[str, ...] | None:
        words = [word.strip() for value in given[option] for word in value.split(",")]
        return tuple(word for word in words if word) if given[option] else configured

    return Selection(
        chosen("select", config.select),
        chosen("ignore", config.ignore) or (),
        chosen("extend_select", config.extend_select) or (),
    )


def _settings(given: dict[str, Any], config: Config) -> LiveSettings:
    from freezelint.live.settings import LiveSettings

    values = {name: getattr(config, name) if given[name] is None else given[name] for name in _LIVE}
    return LiveSettings(**{name: value for name, value in values.items() if value is not None})


_LIVE = ("steps", "timeout", "device", "hermetic")


def _arguments(context: click.Context, planned: Sequence[Script | Factory]) -> tuple[str, ...]:
    from freezelint.targets import Factory

    arguments: tuple[str, ...] = context.meta.get("freezelint.arguments", ())
    if arguments and any(isinstance(target, Factory) for target in planned):
        raise click.UsageError("A factory takes no arguments; what follows `--` goes to scripts.")
    return arguments


def _output(given: str | None) -> Path | None:
    """Where to write; asked before anything runs, so that no long run is lost on a misspelt directory."""
    import os
    from pathlib import Path

    from freezelint.errors import BadInputError

    if given is None:
        return None
    path = Path(given)
    if not path.parent.is_dir():
        raise BadInputError(f"--output-file {given}: there is no directory {path.parent}")
    try:
        writable = os.access(path if path.exists() else path.parent, os.W_OK)
    except OSError as error:  # the name is too long
        raise _unwritable(path, error.strerror) from error
    if not writable:
        raise _unwritable(path, "no permission to write there")
    return path


def _save(report: str, path: Path) -> None:
    try:
        path.write_text(report, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error.strerror) from error


def _unwritable(path: Path, reason: str | None) -> Exception:
    from freezelint.errors import BadInputError

    return BadInputError(f"--output-file {path}: cannot write the report: {reason}; name another file")


def _cache_directory(given: str | None, config: Config) -> Path:
    """Where the cache is: as told, else in the root of the project, else here."""
    from pathlib import Path

    from freezelint.source.cache import DIRECTORY
    from freezelint.source.project import project_root

    if given is not None:
        return Path(given)
    if config.cache_dir is not None:
        return (config.root or Path()) / config.cache_dir
    return (config.root or project_root(Path.cwd()) or Path()) / DIRECTORY


def _read(planned: Plan, given: dict[str, Any], config: Config) -> tuple[Checked | None, dict[str, str]]:
    """What the sources say, None where none are asked for; and the text that came on standard input."""
    from freezelint.source import checking

    directories = tuple(path for path in planned.read if path.is_dir())
    if planned.standard_input:
        return checking.check_text(sys.stdin.buffer.read(), given["stdin_filename"])
    if not planned.read:
        return None, {}
    from freezelint.source.cache import Cache
    from freezelint.source.discovery import discover

    exclude = [glob for value in given["exclude"] for glob in value.split(",")] or config.exclude or ()
    checking.calm_collector()
    paths = discover(planned.read, exclude, config.root)
    cache = None if given["no_cache"] else Cache(_cache_directory(given["cache_dir"], config))
    if given["verbose"]:
        from freezelint.report._terminal import say

        say(f"freezelint: {len(paths)} files, {f'cache {cache.directory}' if cache else 'no cache'}")
    checked = checking.check_files(
        paths,
        named=frozenset(planned.read),
        roots=directories,
        jobs=given["jobs"] or config.jobs,
        cache=cache,
    )
    return checked, {}


def _traces(
    planned: Plan,
    checked: Checked | None,
    arguments: tuple[str, ...],
    given: dict[str, Any],
    config: Config,
) -> list[Trace]:
    """The evidence of the runs. What is no Python (FRZ002) is not run."""
    from freezelint.targets import Script

    broken = {finding.path for finding in checked.findings if finding.code == "FRZ002"} if checked else set()
    targets = [each for each in planned.run if not (isinstance(each, Script) and _shown(each.path) in broken)]
    return [_watched(target, arguments, _settings(given, config), given) for target in targets]


def _shown(path: str) -> str:
    from pathlib import Path

    from freezelint.source.project import shown_path

    return shown_path(Path(path))


def _watched(
    target: Script | Factory, arguments: tuple[str, ...], settings: LiveSettings, given: dict[str, Any]
) -> Trace:
    """The evidence of one run."""
    from freezelint.errors import BadInputError
    from freezelint.live.process.run import run_factory, run_script
    from freezelint.report._terminal import ProgressLine, say
    from freezelint.targets import Script

    quiet = given["quiet"]
    if given["verbose"]:
        say(f"freezelint: {target}, {settings}")
    line = ProgressLine(wanted=not quiet)
    try:
        if isinstance(target, Script):
            trace = run_script(target.path, arguments, settings, line.show, quiet=quiet)
        else:
            trace = run_factory(target.target, settings, line.show, root=target.root, quiet=quiet)
    finally:
        line.clear()
    if trace.failure is not None and trace.failure.kind == "bad-factory":
        where = trace.failure.location
        raise BadInputError(trace.failure.message + (f" ({where.path}:{where.line})" if where else ""))
    return trace


def _outcome(
    planned: Plan,
    checked: Checked | None,
    texts: dict[str, str],
    selected: frozenset[str],
    traces: list[Trace],
) -> Outcome:
    """What both witnesses have to tell, each fault once."""
    from freezelint.report import Outcome

    findings: Sequence[Finding] = checked.findings if checked is not None else ()
    limits = list(checked.limits) if checked is not None else []
    if traces:
        from freezelint.judge import judge
        from freezelint.merging import merged

        findings = merged(findings, judge(traces))
        limits.extend(limit for trace in traces for limit in trace.limits)
    return Outcome(
        tuple(finding for finding in findings if finding.code in selected),
        tuple(dict.fromkeys(limits)),
        planned.names,
        sum(trace.steps_done for trace in traces) if traces else None,
        None if checked is None else checked.read,
        0 if checked is None else checked.passed_over,
        texts,
    )


def _fault(message: str) -> int:
    from freezelint.report._terminal import complain

    complain(message)
    return FAULT


def _internal(message: str, details: str) -> int:
    from freezelint.report._terminal import say

    if details:
        say(details.rstrip())
    hint = "" if details else " (-v shows the traceback)"
    return _fault(f"freezelint itself failed: {message}; please report it{hint}")
