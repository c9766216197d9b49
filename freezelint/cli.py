"""The command line. Starts fast: everything but click is imported where it is used, and torch never is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from freezelint import __version__

CLEAN, FAULT, INTERRUPTED = 0, 2, 130


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
@click.option(
    "--run/--no-run",
    default=None,
    help="Run each target, a script, and watch its training steps, too; or run nothing, not even `entry`.",
)
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
@click.option("--measure", is_flag=True, help="Measure what corrections save: time and memory of a step.")
@click.option("--exclude", multiple=True, metavar="GLOBS", help="Leave out paths below directories.")
@click.option(
    "--force-exclude/--no-force-exclude", default=None, help="Leave them out also where they are named."
)
@click.option(
    "--respect-gitignore/--no-respect-gitignore",
    default=None,
    help="Leave out what git ignores below directories (the default).",
)
@click.option("--stdin-filename", metavar="PATH", help="What the source on standard input (`-`) is called.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes that read (one for each core).")
@click.option(
    "--cache/--no-cache", default=None, help="Use and write the cache of earlier readings (the default)."
)
@click.option("--cache-dir", type=click.Path(file_okay=False), help="Where that is (.freezelint_cache).")
@click.option(
    "--select", multiple=True, metavar="RULES", help="Report these rules only: codes, prefixes, names, ALL."
)
@click.option("--ignore", multiple=True, metavar="RULES", help="Do not report these rules.")
@click.option("--extend-select", multiple=True, metavar="RULES", help="Report these rules too.")
@click.option(
    "--ignore-noqa", is_flag=True, default=None, help="Report what `# noqa` comments suppress, too."
)
@click.option("--add-noqa", is_flag=True, help="Write `# noqa` comments for what is found.")
@click.option("--fix/--no-fix", default=None, help="Mend what can safely be mended, and is proven to be.")
@click.option(
    "--unsafe-fixes/--no-unsafe-fixes",
    default=None,
    help="Fixes that may change what the code is meant to do, too.",
)
@click.option("--fix-only/--no-fix-only", default=None, help="Mend, and report nothing of what is left.")
@click.option("--show-fixes/--no-show-fixes", default=None, help="List what was mended.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and write nothing.")
@click.option("--fixable", multiple=True, metavar="RULES", help="Mend these rules only (ALL).")
@click.option("--unfixable", multiple=True, metavar="RULES", help="Do not mend these rules.")
@click.option("--exit-non-zero-on-fix", is_flag=True, help="Exit with status 1 also when all was mended.")
@click.option("--baseline", metavar="FILE", help="Report only what is not in this baseline.")
@click.option("--write-baseline", metavar="FILE", help="Write what is found to this baseline.")
@click.option("--config", multiple=True, metavar="KEY=VALUE", help="Set a key of the configuration.")
@click.option("--isolated", is_flag=True, help="Read no configuration file.")
@click.option("--show-settings", is_flag=True, help="Show the settings that hold, and do nothing.")
@click.option("--show-files", is_flag=True, help="Show the files that would be read, and do nothing.")
@click.option(
    "--exit-zero/--no-exit-zero", default=None, help="Exit with status 0 also when there are findings."
)
@click.option("--statistics", is_flag=True, help="Count the findings of each rule instead of listing them.")
@click.option("-o", "--output-file", type=click.Path(dir_okay=False), help="Write the report to this file.")
@click.option(
    "--output-format",
    callback=_known_format,
    metavar="FORMAT",
    help="full (default), concise, json, sarif, github, gitlab or junit.",
)
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
    from freezelint import check_command

    return check_command.check(targets, given, context.meta.get("freezelint.arguments", ()))


@cli.command("map", cls=_Command, options_metavar="[OPTIONS]")
@click.argument("target", metavar="TARGET [-- ARGS]")
@click.option("--depth", type=click.IntRange(min=1), help="Rows are modules so many names deep, not blocks.")
@click.option("--run", is_flag=True, help="Run the script, and show what its first step trains.")
@click.option("--hermetic", is_flag=True, help="Run without network, data and weights.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "fake"]), default="auto", help="auto")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=600.0, help="Seconds (600).")
@click.option(
    "--output-format", type=click.Choice(["text", "json"]), default="text", help="text (default) or json."
)
@click.pass_context
def map_(context: click.Context, /, target: str, depth: int | None, run: bool, **given: Any) -> int:
    """Show what of a model is frozen and what trains, block by block.

    TARGET is a script, which is read: the table shows its first training step (with --run it is run instead);
    a factory (`train.py:build` or `package.module:build`) that returns a model, or (model, optimizer, step);
    or the name of a known architecture (`resnet50`, `bert-base-uncased`). ARGS go to the script.
    """
    from freezelint.live.settings import LiveSettings
    from freezelint.mapping import command, maps
    from freezelint.report import _terminal

    tell = maps.as_json if given.pop("output_format") == "json" else maps.as_text
    arguments = context.meta.get("freezelint.arguments", ())
    found = command.maps(target, depth, LiveSettings(**given), run=run, arguments=arguments)
    _terminal.write(tell(found))
    return CLEAN


@cli.command()
@click.option("--cache-dir", type=click.Path(file_okay=False), help="Where the cache is (.freezelint_cache).")
def clean(cache_dir: str | None) -> int:
    """Remove the cache of earlier readings."""
    from pathlib import Path

    from freezelint import check_command
    from freezelint.report import _terminal
    from freezelint.source.files import cache

    told = Path(cache_dir) if cache_dir is not None else None
    directory = told or check_command.cache_directory(check_command.project_config((), {}))
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


@cli.command()
@click.argument("target")
@click.option("--samples", type=click.IntRange(min=1), required=True, help="How many are labelled.")
@click.option(
    "--similarity",
    type=click.Choice(["high", "medium", "low"]),
    required=True,
    help="How similar they are to what the model was trained on.",
)
@click.option(
    "--library",
    type=click.Choice(["torchvision", "timm", "transformers"]),
    help="Where the model is from (the first of them that has it).",
)
@click.option("--classes", type=click.IntRange(min=2), default=2, help="How many classes there are (2).")
@click.option(
    "--output-format", type=click.Choice(["text", "json"]), default="text", help="text (default) or json."
)
def plan(target: str, samples: int, **given: Any) -> int:
    """Write a training script for a published model: what to freeze, by data size and similarity.

    TARGET is a model of torchvision or timm (resnet50), or a checkpoint of transformers (bert-base-uncased).
    The script is plain torch, says why it does what it does, and is clean for `freezelint check`; torch is
    not needed to write it.
    """
    from freezelint.planning.command import told
    from freezelint.report import _terminal

    _terminal.write(told(target, samples, **given))
    return CLEAN


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
