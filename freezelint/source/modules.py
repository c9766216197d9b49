"""Modules as a script changes them: attributes written and removed, children put in place, open ends touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from freezelint.checks.freezes.misspelt_requires_grad import is_misspelling
from freezelint.evidence import Role
from freezelint.source.operators import known
from freezelint.source.torch_classes import bases_of
from freezelint.source.values import (
    MISSING,
    Intrinsic,
    Module,
    NormSettings,
    Parameter,
    Tensor,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from freezelint.source.machine import Machine

_DROPPING = ("Dropout", "DropPath", "StochasticDepth")
_NORMALISING = ("LayerNorm", "GroupNorm", "RMSNorm")
# What an open module stands for in lists of parameters, and in lists of modules.
_REST = "*"
_REST_MODULE = "*module"
_ADDED = "*added"

# An unknown value with such a text was made by something that makes modules.
_MAKES_MODULE = re.compile(
    r"(^|[._])([A-Z]\w*|\w*(model|net|network|encoder|decoder|backbone|head|layer|block|module|from_pretrained|"
    r"from_config|conv|norm|embed(ding)?s?|attention|attn|mlp|resnet\w*|vit\w*|bert))\([^()]*.*\)$"
)
_MAKES_OTHER = re.compile(
    r"(Config|Tokenizer\w*|Processor|Extractor|Criterion|Metric|Accuracy|Dataset|Loader|Logger|Writer|Scheduler|Optimizer|"
    r"Transform|Compose|Args|Namespace|Path|Dict|Enum|Counter|Meter|Lock|Queue|Sampler|Generator|Scaler|Score|AUROC|"
    r"Matrix|Parser|Thread|Event|Exception|Error|Device|Tensor|Size)(\.\w+)*\("
)
_HOLDS_OTHER = re.compile(
    r"tokeni[sz]er|processor|config|cfg|args|transform|logger|metric|accuracy|acc$|f1|auc|loss|criterion|scheduler|optim|"
    r"dataset|loader|device|dtype|path|dir$|name$|size|num_|_dim$|mask|index|idx"
)
# Attributes that are no modules, by name: methods, numbers, settings.
_VERBS = (
    "get_", "set_", "is_", "has_", "num_", "n_", "count_", "save", "load", "push_", "print", "log", "freeze", "unfreeze",
    "enable", "disable", "init", "reset", "update", "add_", "remove_", "apply_", "prepare", "resize", "tie_", "merge",
    "encode_", "decode_", "forward", "extract_", "predict", "compute", "generate", "sample", "inference", "embed_",
    "train_", "fit", "loss_", "build", "make_", "create_", "register", "configure", "on_", "to_", "from_", "use_",
)  # fmt: skip
_PLAIN = frozenset(
    {
        *("config", "device", "dtype", "hidden_size", "hidden_dim", "embed_dim", "in_features", "out_features", "num_classes"),
        *("in_channels", "out_channels", "hparams", "name", "loss", "current_epoch", "global_step", "p", "dim", "eps"),
        *("encode", "decode", "freeze", "unfreeze", "generate", "predict", "extract", "momentum", "kernel_size", "stride"),
        *("weights", "bias_k", "default_cfg", "pretrained_cfg", "automatic_optimization", "logger", "trainer", "requires_grad"),
    }
)
_PARAMETERS = re.compile(r"(weight|bias|pos_embed|cls_token|class_embedding|positional_embedding|logit_scale)$")
_RUNNING = ("encode", "decode", "forward", "extract", "predict", "compute", "generate", "sample", "inference", "embed")
_LOOKING = ("get_", "is_", "has_", "num_", "n_", "count_", "save", "print", "log", "push_")


# -- what a module is -----------------------------------------------------------------------------------------


def constructed(machine: Machine, module: Module) -> None:
    """A constructor of the module has run: that of a library's class, or that of the script's."""
    names = [module.class_name] if module.cls is None else [one.name.rpartition(".")[2] for one in module.cls.libraries()]
    module.bases = module.bases.union(*(bases_of(name) for name in names))
    settle(module)
    for name, parameter in module.parameters.items():
        if parameter is not None:
            parameter.built = parameter.built or module.built or machine.location()
            parameter.text = parameter.text or name
    made = machine.recorder.made
    if not made or made[-1] is not module:
        made.append(module)


def settle(module: Module) -> None:
    """Work out the role from the class and from what the module holds now."""
    module.role = role_of(module)
    if module.role == "norm" and module.norm is None and "_NormBase" not in module.bases:
        module.norm = NormSettings(False, False, None, affine=bool(module.parameters))
    elif module.norm is not None and not module.norm.has_statistics and "_NormBase" not in module.bases:
        module.norm.affine = bool(module.parameters)
    if module.role == "dropout" and module.dropout is None:
        rate = known(module.attributes.get("p", module.attributes.get("drop_prob", MISSING)))
        module.dropout = float(rate) if isinstance(rate, (int, float)) and not isinstance(rate, bool) else None


def role_of(module: Module) -> Role:
    """What the module is for our purposes."""
    name, bases = module.class_name, module.bases
    if "_NormBase" in bases or any(word in name for word in _NORMALISING):
        return "norm"
    if "_DropoutNd" in bases or any(word in name for word in _DROPPING):
        return "dropout"
    if {"Embedding", "EmbeddingBag"} & {*bases, name if module.library == "torch" else ""}:
        return "embedding"
    if module.open or (module.children and not any(module.parameters.values())):
        return "container"
    return "plain"


# -- parameters and modules, unknown ones included ------------------------------------------------------------


def rest_of(module: Module) -> Parameter:
    """The one parameter that stands for all that nobody knows of an open module."""
    found = module.attributes.get(_REST)
    if not isinstance(found, Parameter):
        origin = module.attributes.get("origin")
        found = Parameter(requires_grad=None, built=module.built, text="*", gradient="unknown")
        found.origin = origin if origin in ("pretrained", "fresh") else "unknown"
        module.attributes[_REST] = found
    return found


def rest_module(module: Module) -> Module:
    """The one module that stands for all children that nobody knows of an open module."""
    found = module.attributes.get(_REST_MODULE)
    if not isinstance(found, Module):
        found = open_module(module, "Module")
        found.attributes[_REST] = rest_of(module)
        module.attributes[_REST_MODULE] = found
    return found


def open_module(around: Module, class_name: str) -> Module:
    """A module of a class that nobody knows, in another one."""
    made = Module(class_name, "", role="container", open=True, bases=frozenset({"Module"}), built=around.built)
    made.training, made.training_cause = around.training, around.training_cause
    if "origin" in around.attributes:
        made.attributes["origin"] = around.attributes["origin"]
    return made


def parameters_below(module: Module) -> list[Parameter]:
    """Every parameter, each once; an open module has one more that stands for those nobody knows."""
    found = [parameter for _, parameter in module.own_and_below()]
    found += [rest_of(inner) for _, inner in module.walk() if inner.open]
    return found


def trainable_below(module: Module) -> list[Parameter]:
    """The parameters that require grad, or may."""
    return [parameter for parameter in parameters_below(module) if parameter.requires_grad is not False]


def wholly_frozen(module: Module) -> bool | None:
    """Whether every parameter is frozen; False where there is none."""
    flags = [parameter.requires_grad for parameter in parameters_below(module)]
    if not flags or any(flags):
        return False
    return None if None in flags or module.is_open else True


# -- writing --------------------------------------------------------------------------------------------------


def write(machine: Machine, module: Module, name: str, value: Value) -> None:
    """`module.name = value`, as `nn.Module.__setattr__` does it."""
    if isinstance(value, Unknown) and (module.children.get(name) is not None or _makes_module(name, value)):
        value = value.hint if isinstance(value.hint, Module) else _unknown_child(module, value)
    if isinstance(value, Parameter):
        _put_parameter(machine, module, name, value)
    elif isinstance(value, Module):
        put_child(machine, module, name, value)
    elif value is None and (name in module.children or name in module.parameters):
        table: dict[str, Value] = module.children if name in module.children else module.parameters
        table[name] = None
    elif name == "training":
        module.training, module.training_cause = machine.truth(value), None
    elif name in module.buffers and (value is None or isinstance(value, Tensor)):
        module.buffers[name] = value
    else:
        module.attributes[name] = value
        _note_setting(machine, module, name, value)
    settle(module)


def put_child(machine: Machine, module: Module, name: str, child: Module) -> None:
    """Put a child in place; an event, unless the module is just being constructed."""
    existed = module.children.get(name) is not None or module.parameters.get(name) is not None
    if name not in module.children:
        module.attributes.setdefault(_ADDED, set()).add(name)
    module.children[name] = child
    module.parameters.pop(name, None)
    module.attributes.pop(name, None)
    if is_constructing(machine, module):
        return
    index = machine.recorder.event(
        "replaced",
        modules=[child],
        parameters=[parameter for _, parameter in child.own_and_below()],
        name=name,
        value="exchanged" if existed else "added",
    )
    child.assigned = index if index >= 0 else child.assigned


def added_to(module: Module) -> frozenset[str]:
    """The children that the script has put under names that the module did not have."""
    return frozenset(module.attributes.get(_ADDED, ()))


def _put_parameter(machine: Machine, module: Module, name: str, parameter: Parameter) -> None:
    existed = module.parameters.get(name) is not None
    module.parameters[name] = parameter
    module.children.pop(name, None)
    module.attributes.pop(name, None)
    parameter.built = parameter.built or machine.location()
    parameter.text = parameter.text or name
    if existed and not is_constructing(machine, module):
        machine.recorder.event("replaced", parameters=[parameter], name=name, value="exchanged")


def is_constructing(machine: Machine, module: Module) -> bool:
    """Whether the module's own `__init__` is running."""
    return any(frame.name == "__init__" and frame.receiver is module for frame in machine.frames)


def _note_setting(machine: Machine, module: Module, name: str, value: Value) -> None:
    """A plain attribute that looks like a freeze, or changes how a norm layer works."""
    if name in ("requires_grad", "requires_grad_") or is_misspelling(name):
        _no_effect(machine, module, name, value)
    elif module.norm is not None and "_NormBase" in module.bases and name in ("momentum", "track_running_stats"):
        index = machine.recorder.event("norm-set", modules=[module], key=name, name=name, value=_shown(value))
        module.norm.set_by = index if index >= 0 else None
        _set_norm(machine, module.norm, name, value)


def _no_effect(machine: Machine, module: Module, name: str, value: Value) -> None:
    own = module.cls is not None and module.cls.find(name) is not None
    if (own and name != "requires_grad_") or machine.frame.receiver is module:
        return  # the class has such an attribute, or a method of the module's own sets it
    parameters = [parameter for _, parameter in module.own_and_below()]
    machine.recorder.event(
        "no-effect", modules=[module], parameters=parameters, key=name, name=name, value=_shown(value)
    )


def wrote_on_parameter(machine: Machine, parameter: Parameter, name: str, value: Value) -> None:
    """An attribute that torch does not know was written on a parameter."""
    if name == "requires_grad_" or is_misspelling(name):
        machine.recorder.event("no-effect", parameters=[parameter], key=name, name=name, value=_shown(value))


def _shown(value: Value) -> str:
    return str(value) if isinstance(value, (bool, int, float, str, type(None))) else ""


def _set_norm(machine: Machine, norm: NormSettings, name: str, value: Value) -> None:
    if name == "track_running_stats":
        norm.tracks = machine.truth(value)
        return
    norm.momentum_known = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    if norm.momentum_known:
        norm.momentum = None if value is None else float(value)


def removed(machine: Machine, module: Module, name: str) -> None:
    """`del module.name`."""
    tables: tuple[dict[str, Value], ...] = (module.children, module.parameters, module.buffers, module.attributes)
    for table in tables:
        table.pop(name, None)
    settle(module)


# -- open ends ------------------------------------------------------------------------------------------------


def _makes_module(name: str, value: Unknown) -> bool:
    made = _MAKES_MODULE.search(value.text)
    return bool(made) and not _MAKES_OTHER.search(value.text) and not _HOLDS_OTHER.search(name.lower())


def _unknown_child(module: Module, value: Unknown) -> Module:
    """What a constructor that nobody knows has made, as a module of which nothing is known."""
    name = value.text.partition("(")[0].rpartition(".")[2]
    made = value.attributes.get(_REST_MODULE)
    if not isinstance(made, Module):
        made = value.attributes[_REST_MODULE] = open_module(module, name or "Module")
        made.training, made.training_cause = True, None
    return made


def touched(machine: Machine, module: Module, name: str) -> Value:
    """An attribute of an open module that nobody has seen so far: a child, unless its name tells otherwise."""
    if name in _PLAIN or name.startswith(_VERBS):
        return _unseen(module, name)
    if _PARAMETERS.search(name):
        made = Parameter(requires_grad=None, built=module.built, text="*", gradient="unknown")
        made.origin = rest_of(module).origin
        module.parameters[name] = made
        return made
    child = open_module(module, name)
    module.children[name] = child
    return child


def _unseen(module: Module, name: str) -> Value:
    """A method or a setting of a class that nobody knows."""
    text = f"{module.name or module.class_name}.{name}"
    settings = module.attributes.setdefault("*settings", {})
    if name not in settings:
        calls = name not in _PLAIN or name in ("encode", "decode", "freeze", "unfreeze", "generate", "predict", "extract")
        settings[name] = Intrinsic(name, _unseen_method(module, name, text)) if calls else Unknown(text)
    return settings[name]


def _unseen_method(module: Module, name: str, text: str) -> Callable[..., Value]:
    from freezelint.source import escapes, forwards

    def run(machine: Machine, call: Value) -> Value:
        if name.startswith(_RUNNING):
            return forwards.run_unread(machine, module, call)
        if not name.startswith(_LOOKING):
            escapes.escaped(machine, [module], name)
            for rest in (rest_of(inner) for _, inner in module.walk() if inner.open):
                rest.requires_grad = None
        return Unknown(f"{text}(…)")

    return run


def is_established(module: Module, name: str) -> bool:
    """Whether an open module is known to have the attribute."""
    tables: Iterator[dict[str, Value]] = iter(
        (module.children, module.parameters, module.buffers, module.attributes)
    )
    return any(name in table for table in tables) or (module.cls is not None and module.cls.find(name) is not None)
