"""`argparse` and what parses like it: options are unknown, with their defaults as hints."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from freezelint.source.interpreter.iterables import elements
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Class,
    Function,
    Instance,
    Library,
    Unknown,
    Value,
)
from freezelint.source.vocabulary import function

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

_PARSER = "argparse.ArgumentParser"
ALIASES = {
    "configargparse.ArgumentParser": _PARSER,
    "configargparse.ArgParser": _PARSER,
    "configargparse.get_argument_parser": _PARSER,
    "jsonargparse.ArgumentParser": _PARSER,
    "argparse.BooleanOptionalAction": "argparse.BooleanOptionalAction",
}
_MOST_CHOICES = 20
_TYPES = {"builtins.int": int, "builtins.float": float, "builtins.str": str}


def _options(parser: Value) -> dict[str, Value]:
    """What a parser will give, by name. Sub-parsers and groups share it with their parser."""
    if not isinstance(parser, Instance):
        return {}
    return parser.attributes.setdefault("(options)", {})  # type: ignore[no-any-return]


@function(_PARSER, f"{_PARSER}.__init__")
def argument_parser(machine: Machine, call: Call) -> Value:
    """A parser without options, or with those of its parents."""
    parser = call.args[0] if call.name.endswith("__init__") and call.args else Instance(None, kind=_PARSER)
    for parent in elements(machine, call.kwargs.get("parents", ())) or ():
        _options(parser).update(_options(parent))
    return parser


@function(f"{_PARSER}.add_argument", f"{_PARSER}.add", f"{_PARSER}.add_arg")
def add_argument(machine: Machine, call: Call) -> Value:
    """An option, by its long name, or a positional argument."""
    names = [known(name) for name in call.args[1:]]
    names = [name for name in names if isinstance(name, str)]
    destination = known(call.kwargs.get("dest", MISSING))
    if not isinstance(destination, str):
        if not names:
            return Unknown("add_argument(…)")
        chosen = next((name for name in names if name.startswith("--")), names[0])
        destination = chosen.lstrip("-").replace("-", "_")
    positional = bool(names) and not names[0].startswith("-")
    default = _default(machine, call, positional)
    _take(machine, call, destination, default)
    return Unknown(destination)


def _take(machine: Machine, call: Call, name: str, default: Value) -> None:
    """An option that takes one or several of some words is unknown with these; any other is its default."""
    options = _options(call.owner)
    choices = elements(machine, call.kwargs.get("choices", ())) or []
    several = known(call.kwargs.get("nargs", None)) in ("*", "+")
    words = all(isinstance(choice, str) for choice in choices) and "nargs" not in call.kwargs
    option = Unknown("", default)
    option.choices = tuple(choices[:_MOST_CHOICES]) if several else ()
    # Options of several commands are taken together: two of one name may take different words.
    option.allowed = tuple(choices) if words and name not in options else ()
    options[name] = option if option.choices or option.allowed else default


def _default(machine: Machine, call: Call, positional: bool) -> Value:
    """What an option is unless it is given; MISSING where it must be given."""
    action = known(call.kwargs.get("action", "store"))
    default = call.kwargs.get("default", MISSING)
    if default is MISSING:
        if action in ("store_true", "store_false"):
            return action == "store_false"
        required = machine.truth(call.kwargs.get("required", positional))
        optional = known(call.kwargs.get("nargs", None)) in ("?", "*")
        return MISSING if required is not False and not (positional and optional) else None
    default = known(default)
    return _converted(default, call.kwargs.get("type")) if isinstance(default, str) else default


def _converted(default: str, kind: Value) -> Value:
    """Defaults that are texts go through `type`, as those from the command line do."""
    convert = _TYPES.get(kind.name) if isinstance(kind, Library) else None
    if convert is None or len(default) > 100:
        return default
    try:
        return convert(default)
    except ValueError:
        return MISSING


@function(f"{_PARSER}.set_defaults")
def set_defaults(machine: Machine, call: Call) -> None:
    """Values that no option sets; among the functions of several commands the one that trains counts."""
    options = _options(call.owner)
    for name, value in call.kwargs.items():
        before = options.get(name)
        if isinstance(before, Function) and isinstance(value, Function) and "train" not in value.name.lower():
            continue
        options[name] = value if isinstance(value, (Function, Class)) else known(value)


@function(f"{_PARSER}.add_argument_group", f"{_PARSER}.add_mutually_exclusive_group", f"{_PARSER}.add_parser",
          f"{_PARSER}.add_option_group")  # fmt: skip
def group(machine: Machine, call: Call) -> Value:
    """A part of the parser."""
    return Instance(None, {"(options)": _options(call.owner)}, kind=_PARSER)


@function(f"{_PARSER}.add_subparsers")
def subparsers(machine: Machine, call: Call) -> Value:
    """Commands: their options are taken together."""
    destination = known(call.kwargs.get("dest", None))
    if isinstance(destination, str):
        _options(call.owner)[destination] = MISSING
    return Instance(None, {"(options)": _options(call.owner)}, kind=_PARSER)


@function(f"{_PARSER}.get_default")
def get_default(machine: Machine, call: Call) -> Value:
    """The default of an option."""
    name = known(call.get(1, "dest", None))
    found = _options(call.owner).get(name, None) if isinstance(name, str) else MISSING
    found = found.hint if isinstance(found, Unknown) and (found.choices or found.allowed) else found
    return Unknown("default") if found is MISSING else found


@function(f"{_PARSER}.parse_args", f"{_PARSER}.parse_known_args", f"{_PARSER}.parse_intermixed_args")
def parse_args(machine: Machine, call: Call) -> Value:
    """An object with all options. Those of an empty list of arguments are exactly the defaults."""
    given = call.get(1, "args", None)
    exact = isinstance(given, (list, tuple)) and not given
    text = _variable(machine)
    namespace = call.get(2, "namespace", None)
    parsed = namespace if isinstance(namespace, Instance) else Instance(None, kind="argparse.Namespace")
    parsed.attributes.update(hinted(_options(call.owner), text, exact))
    return (parsed, Unknown("unknown arguments", [])) if call.name.endswith("known_args") else parsed


def hinted(options: dict[str, Value], text: str, exact: bool = False) -> dict[str, Value]:
    """Options as the script sees them."""
    found: dict[str, Value] = {}
    for name, default in options.items():
        choices, allowed = (default.choices, default.allowed) if isinstance(default, Unknown) else ((), ())
        default = default.hint if isinstance(default, Unknown) and (choices or allowed) else default
        if isinstance(default, (Function, Class, Unknown, Instance)) or (exact and default is not MISSING):
            found[name] = default
        else:
            option = found[name] = Unknown(f"{text}.{name}", default)
            option.choices, option.allowed = choices, allowed
    return found


def _variable(machine: Machine) -> str:
    """What the script calls the parsed arguments."""
    statement = machine.frame.statement
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if isinstance(target, ast.Tuple) and target.elts:
        target = target.elts[0]
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else "args"


@function("argparse.Namespace.__getattr__")
def undeclared(machine: Machine, call: Call) -> Value:
    """An option that some other part of the script declares."""
    owner, name = call.owner, call.get(1, "name", None)
    if not isinstance(owner, Instance) or not isinstance(name, str):
        return Unknown("args.…")
    return owner.attributes.setdefault(name, Unknown(f"args.{name}"))


# -- dataclasses as options ----------------------------------------------------------------------------------


@function("transformers.HfArgumentParser")
def hf_argument_parser(machine: Machine, call: Call) -> Value:
    """A parser whose options are the fields of dataclasses."""
    given = call.get(0, "dataclass_types", ())
    classes = [given] if isinstance(given, (Class, Library)) else elements(machine, given) or []
    return Instance(None, {"classes": classes}, kind="transformers.HfArgumentParser")


@function("transformers.HfArgumentParser.parse_args_into_dataclasses",
    "transformers.HfArgumentParser.parse_json_file", "transformers.HfArgumentParser.parse_dict",
    "transformers.HfArgumentParser.parse_yaml_file", "trl.TrlParser.parse_args_and_config")  # fmt: skip
def into_dataclasses(machine: Machine, call: Call) -> Value:
    """One object for each class, its fields unknown but for their defaults."""
    owner = call.owner
    classes = owner.attributes.get("classes", []) if isinstance(owner, Instance) else []
    made = [_filled(machine, cls, call) for cls in classes]
    if machine.truth(call.kwargs.get("return_remaining_strings", False)):
        made.append(Unknown("remaining strings", []))
    return tuple(made)


def _filled(machine: Machine, cls: Value, call: Call) -> Value:
    if isinstance(cls, Library):
        # What the library's own class sets on reading the command line is not known.
        return machine.call_with(cls, Call(call.node, complete=False))
    if not isinstance(cls, Class):
        return Unknown("arguments")
    made = machine.call_with(cls, Call(call.node))
    if isinstance(made, Instance):
        made.attributes.update(hinted(made.attributes, _lowered(cls.name)))
    return made


def _lowered(name: str) -> str:
    """How scripts call an object of `ModelArguments`: `model_args`."""
    short = name.removesuffix("Arguments").removesuffix("Args").removesuffix("Config")
    return f"{short.lower()}_args" if short != name and short else name.lower()


@function("tap.Tap.parse_args", "simple_parsing.parse", "tyro.cli", "pyrallis.parse",
    "draccus.parse", "jsonargparse.CLI", "datargs.parse", "chz.entrypoint")  # fmt: skip
def parsed_class(machine: Machine, call: Call) -> Value:
    """An object of a class of options, or a function that is called with options."""
    target = call.args[0] if call.args else call.kwargs.get("config_class")
    if isinstance(target, Class):
        return _filled(machine, target, call)
    if isinstance(target, Function):
        from freezelint.source.vocabulary.commands import as_command

        return machine.call(as_command(target))
    if isinstance(target, Instance):
        target.attributes.update(hinted(target.attributes, "args"))
        return target
    return Unknown("args")


@function("simple_parsing.ArgumentParser")
def simple_parser(machine: Machine, call: Call) -> Value:
    """An `argparse` parser that takes dataclasses, too."""
    return Instance(None, kind=_PARSER)


@function(f"{_PARSER}.add_arguments", f"{_PARSER}.add_class_arguments")
def add_arguments(machine: Machine, call: Call) -> None:
    """The fields of a dataclass as options, under one name."""
    cls, name = call.get(1, "dataclass", None), known(call.get(2, "dest", None))
    if isinstance(cls, Class) and isinstance(name, str):
        _options(call.owner)[name] = _filled(machine, cls, call)


@function("argparse.ArgumentParser.error", "argparse.ArgumentParser.exit")
def error(machine: Machine, call: Call) -> Value:
    """The script gives up."""
    from freezelint.source.interpreter.signals import ExitSignal

    raise ExitSignal
