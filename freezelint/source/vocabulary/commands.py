"""Command lines made of functions: fire, click, typer, absl, hydra. Their defaults are hints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import (
    MISSING,
    Call,
    Class,
    Function,
    Instance,
    Intrinsic,
    Library,
    Unknown,
    Value,
)
from freezelint.source.vocabulary import constant, function
from freezelint.source.vocabulary.functools_ import identity

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    "defopt.run": "fire.Fire",
    "typer.run": "fire.Fire",
    "click.group": "click.command",
    "rich_click.": "click.",
    "asyncclick.": "click.",
    "typer.Argument": "typer.Option",
    "cyclopts.App": "typer.Typer",
    "sacred.Experiment": "typer.Typer",
    "hydra.hydra_main": "hydra.main",
}


def as_command(target: Value) -> Value:
    """The function, with parameters that the command line may set: defaults become hints."""
    if isinstance(target, Function):
        for name, default in target.defaults.items():
            if isinstance(default, Unknown):
                default.text = default.text or name
            elif isinstance(default, (str, int, float, bool, list, tuple, type(None))):
                target.defaults[name] = Unknown(name, default)
    return target


@function("fire.Fire")
def fire(machine: Machine, call: Call) -> Value:
    """Calls the function, or makes an object of the class."""
    target = call.get(0, "component", None)
    if isinstance(target, dict):
        target = next((value for name, value in target.items() if "train" in text_of(name)), None)
    if isinstance(target, (Function, Intrinsic)):
        return machine.call(as_command(target))
    return machine.call(target) if isinstance(target, Class) else Unknown("Fire(…)")


# -- click ---------------------------------------------------------------------------------------------------


@function("click.command")
def command(machine: Machine, call: Call) -> Value:
    """`@click.command()`: the function itself; its options have made hints of its parameters."""
    target = call.args[0] if call.args else None
    return target if isinstance(target, Function) else identity("command")


@function("click.option", "click.argument")
def option(machine: Machine, call: Call) -> Value:
    """`@click.option("--lr", default=0.1)`: the parameter's value unless it is given."""
    names = [name for name in map(known, call.args) if isinstance(name, str)]
    default = known(call.kwargs.get("default", MISSING))
    if default is MISSING and machine.truth(known(call.kwargs.get("is_flag", False))):
        default = False
    elif default is MISSING and call.name.endswith("option"):
        required = machine.truth(known(call.kwargs.get("required", False)))
        default = None if required is False else MISSING

    kind = call.kwargs.get("type", None)
    words = kind.attributes.get("choices", ()) if isinstance(kind, Instance) else ()
    allowed = words if isinstance(words, tuple) and not {"multiple", "nargs"} & call.kwargs.keys() else ()

    def decorate(machine: Machine, later: Call) -> Value:
        target = later.args[0] if later.args else None
        if isinstance(target, Function) and names:
            plain = [name for name in names if not name.startswith("-")]
            longest = max(names, key=lambda name: (name.startswith("--"), len(name)))
            name = (plain or [longest])[-1].partition("/")[0].lstrip("-").replace("-", "_").lower()
            value = target.defaults[name] = Unknown(name, default)
            value.allowed = allowed
        return target

    return Intrinsic("option", decorate)


@function("click.Choice")
def choice(machine: Machine, call: Call) -> Value:
    """`click.Choice(["head", "all"])`: the words that an option takes."""
    words = machine.elements(call.get(0, "choices", ())) or []
    exact = machine.truth(call.get(1, "case_sensitive", True))
    plain = exact is True and all(isinstance(word, str) for word in words)
    return Instance(None, {"choices": tuple(words) if plain else ()}, kind="click.Choice")


@function(
    "click.pass_context",
    "click.pass_obj",
    "click.version_option",
    "click.help_option",
    "click.confirmation_option",
)
def passing(machine: Machine, call: Call) -> Value:
    """Decorators that hand over what nobody knows."""
    return call.args[0] if call.args and isinstance(call.args[0], Function) else identity("option")


# -- typer ---------------------------------------------------------------------------------------------------


@function("typer.Option")
def typer_option(machine: Machine, call: Call) -> Value:
    """The default of a parameter, with how it is called on the command line."""
    default = call.get(0, "default", MISSING)
    return Unknown("", MISSING if default is ... else known(default))


@function("typer.Typer")
def typer(machine: Machine, call: Call) -> Value:
    """An application: its commands are registered by a decorator."""
    return Instance(None, {"(commands)": []}, kind="typer.Typer")


@function("typer.Typer.command", "typer.Typer.callback", "typer.Typer.default",
    "typer.Typer.automain", "typer.Typer.main", "typer.Typer.config", "typer.Typer.capture")  # fmt: skip
def typer_command(machine: Machine, call: Call) -> Value:
    """`@app.command()`."""
    app = call.owner

    def decorate(machine: Machine, later: Call) -> Value:
        target = later.args[0] if later.args else None
        if isinstance(target, Function) and isinstance(app, Instance):
            app.attributes.setdefault("(commands)", []).append(as_command(target))
            if call.name.endswith("automain"):
                machine.call(target)
        return target

    first = call.args[1] if len(call.args) > 1 else None
    if isinstance(first, Function):
        return decorate(machine, Call(call.node, [first]))
    return Intrinsic("command", decorate)


@function("typer.Typer.__call__", "typer.Typer.run", "typer.Typer.run_commandline", "typer.Typer.meta")
def run_typer(machine: Machine, call: Call) -> Value:
    """Runs the command that trains, or else the first one."""
    app = call.owner
    found = app.attributes.get("(commands)", []) if isinstance(app, Instance) else []
    chosen = next((one for one in found if "train" in one.name.lower()), found[0] if found else None)
    return Unknown("app()") if chosen is None else machine.call(chosen)


# -- absl ----------------------------------------------------------------------------------------------------


@constant("absl.flags.FLAGS")
def flags() -> Value:
    """All flags; those that are declared are looked up in the run."""
    return Instance(None, kind="absl.flags.FLAGS")


@function("absl.flags.FLAGS.__getattr__")
def flag(machine: Machine, call: Call) -> Value:
    """`FLAGS.lr`."""
    name = call.get(1, "name", None)
    if not isinstance(name, str):
        return Unknown("FLAGS.…")
    return machine.libraries.setdefault("absl.flags", {}).setdefault(name, Unknown(f"FLAGS.{name}"))


@function(*(f"absl.flags.DEFINE_{kind}" for kind in ("string", "integer", "float", "bool",
    "boolean", "enum", "list", "multi_string", "multi_integer", "enum_class", "spaceseplist")))  # fmt: skip
def define_flag(machine: Machine, call: Call) -> Value:
    """A declared flag; what is returned holds it, too."""
    name, default = known(call.get(0, "name", None)), known(call.get(1, "default", MISSING))
    if not isinstance(name, str):
        return Unknown("flag")
    value = machine.libraries.setdefault("absl.flags", {})[name] = Unknown(f"FLAGS.{name}", default)
    return Instance(None, {"value": value, "default": default})


@function("absl.app.run")
def run_absl(machine: Machine, call: Call) -> Value:
    """Calls the function with the rest of the command line."""
    return machine.call(call.args[0], Unknown("argv")) if call.args else None


# -- hydra and others ----------------------------------------------------------------------------------------


@function("hydra.main", "hydra_zen.zen", "gin.configurable", "ray.remote",
    "accelerate.utils.find_executable_batch_size",
    "torch.distributed.elastic.multiprocessing.errors.record", "wandb.agent",
    "submitit.helpers.clean_env")  # fmt: skip
def hydra_main(machine: Machine, call: Call) -> Value:
    """The function itself: what it is called with is unknown where nothing is given."""
    first = call.args[0] if call.args else None
    return first if isinstance(first, (Function, Class, Library)) else identity("main")


@function(
    "omegaconf.OmegaConf.to_container", "omegaconf.OmegaConf.structured", "omegaconf.OmegaConf.to_object"
)
def converted(machine: Machine, call: Call) -> Value:
    """The same configuration as another type."""
    value = call.get(0, "cfg", None)
    if isinstance(value, Class):
        return machine.call(value)
    return value if isinstance(value, (Unknown, Instance, dict)) else Unknown("cfg")
