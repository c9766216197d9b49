"""Open ends: modules of which something is unknown. What is touched appears, the rest is one parameter."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from freezelint.source.interpreter.values import MISSING, Call, Intrinsic, Module, Parameter, Unknown, Value
from freezelint.source.semantics import escapes

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

# What an open module stands for in lists of parameters, and in lists of modules.
_REST = "*"
_REST_MODULE = "*module"
_DECIDED = "*decided"  # how many unknown conditions had been decided when the rest was handed out

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
    "get_",
    "set_",
    "is_",
    "has_",
    "num_",
    "n_",
    "count_",
    "save",
    "load",
    "push_",
    "print",
    "log",
    "freeze",
    "unfreeze",
    "enable",
    "disable",
    "init",
    "reset",
    "update",
    "add_",
    "remove_",
    "apply_",
    "prepare",
    "resize",
    "tie_",
    "merge",
    "encode_",
    "decode_",
    "forward",
    "extract_",
    "predict",
    "compute",
    "generate",
    "sample",
    "inference",
    "embed_",
    "train_",
    "fit",
    "loss_",
    "build",
    "make_",
    "create_",
    "register",
    "configure",
    "on_",
    "to_",
    "from_",
    "use_",
)
_PLAIN = frozenset(
    {
        *(
            "config",
            "device",
            "dtype",
            "hidden_size",
            "hidden_dim",
            "embed_dim",
            "in_features",
            "out_features",
            "num_classes",
        ),
        *(
            "in_channels",
            "out_channels",
            "hparams",
            "name",
            "loss",
            "current_epoch",
            "global_step",
            "p",
            "dim",
            "eps",
        ),
        *(
            "encode",
            "decode",
            "freeze",
            "unfreeze",
            "generate",
            "predict",
            "extract",
            "momentum",
            "kernel_size",
            "stride",
        ),
        *(
            "weights",
            "bias_k",
            "default_cfg",
            "pretrained_cfg",
            "automatic_optimization",
            "logger",
            "trainer",
            "requires_grad",
        ),
    }
)
_PARAMETERS = re.compile(
    r"(weight|bias|pos_embed|cls_token|class_embedding|positional_embedding|logit_scale)$"
)
_RUNNING = (
    "encode",
    "decode",
    "forward",
    "extract",
    "predict",
    "compute",
    "generate",
    "sample",
    "inference",
    "embed",
)
_LOOKING = ("get_", "is_", "has_", "num_", "n_", "count_", "save", "print", "log", "push_")


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


_Rest = TypeVar("_Rest", Parameter, Module)


def listed(machine: Machine, rest: _Rest) -> _Rest:
    """The rest is handed out as one of many; what is decided from now on (by its name, say) may be so
    for some of them only.
    """
    rest.attributes[_DECIDED] = machine.decided
    if isinstance(rest, Module):
        rest_of(rest).attributes[_DECIDED] = machine.decided
    return rest


def is_chosen(machine: Machine, one: Parameter | Module) -> bool:
    """Whether this stands for a rest of which the script has picked some, nobody knows which."""
    return bool(one.attributes.get(_DECIDED, machine.decided) != machine.decided)


def open_module(around: Module, class_name: str) -> Module:
    """A module of a class that nobody knows, in another one."""
    made = Module(
        class_name, "", role="container", open=True, bases=frozenset({"Module"}), built=around.built
    )
    made.training, made.training_cause = around.training, around.training_cause
    if "origin" in around.attributes:
        made.attributes["origin"] = around.attributes["origin"]
    return made


def makes_module(name: str, value: Unknown) -> bool:
    made = _MAKES_MODULE.search(value.text)
    return bool(made) and not _MAKES_OTHER.search(value.text) and not _HOLDS_OTHER.search(name.lower())


def may_hold_more(module: Module) -> bool:
    """Whether some attribute in it is unknown and may be a module, though nothing says so."""
    return any(
        isinstance(value, Unknown) and value.hint in (MISSING, None) and not _HOLDS_OTHER.search(name.lower())
        for _, inner in module.walk()
        for name, value in inner.attributes.items()
    )


def unknown_child(module: Module, value: Unknown) -> Module:
    """What a constructor that nobody knows has made, as a module of which nothing is known."""
    name = value.text.partition("(")[0].rpartition(".")[2]
    made = value.attributes.get(_REST_MODULE)
    if not isinstance(made, Module):
        made = value.attributes[_REST_MODULE] = open_module(module, name or "Module")
        made.training, made.training_cause = True, None
    return made


def touched(machine: Machine, module: Module, name: str) -> Value:
    """An attribute of an open module that was not seen so far: a child, unless its name tells otherwise."""
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
        calls = name not in _PLAIN or name in (
            "encode",
            "decode",
            "freeze",
            "unfreeze",
            "generate",
            "predict",
            "extract",
        )
        settings[name] = Intrinsic(name, _unseen_method(module, name, text)) if calls else Unknown(text)
    return settings[name]


def _unseen_method(module: Module, name: str, text: str) -> Callable[..., Value]:
    from freezelint.source.semantics import forwards

    def run(machine: Machine, call: Call) -> Value:
        if name.startswith(_RUNNING):
            return forwards.run_unread(machine, module, call)
        if not name.startswith(_LOOKING):
            escapes.escaped(machine, [module], name)
        return Unknown(f"{text}(…)")

    return run


def is_established(machine: Machine, module: Module, name: str) -> bool:
    """Whether an open module is known to have the attribute."""
    tables: tuple[dict[str, Value], ...] = (
        module.children,
        module.parameters,
        module.buffers,
        module.attributes,
    )
    if any(name in table for table in tables) or (module.cls is not None and module.cls.find(name)):
        return True
    return any(machine.vocabulary.of_kind(table, module, name) for table in ("attributes", "methods"))
