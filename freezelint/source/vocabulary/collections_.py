"""`collections` and objects that are bags of attributes."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.iterables import elements, is_plain, made
from freezelint.source.interpreter.operators import known
from freezelint.source.interpreter.values import Call, Class, Instance, Intrinsic, Unknown, Value
from freezelint.source.vocabulary import function
from freezelint.source.vocabulary.builtins_ import dict_

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine

ALIASES = {
    "typing.OrderedDict": "collections.OrderedDict",
    "munch.munchify": "easydict.EasyDict",
    "munch.Munch": "easydict.EasyDict",
    "munch.DefaultMunch": "easydict.EasyDict",
    "addict.Dict": "easydict.EasyDict",
    "attrdict.AttrDict": "easydict.EasyDict",
    "box.Box": "easydict.EasyDict",
    "ml_collections.ConfigDict": "easydict.EasyDict",
    "ml_collections.config_dict.ConfigDict": "easydict.EasyDict",
    "ml_collections.FrozenConfigDict": "easydict.EasyDict",
    "dotmap.DotMap": "easydict.EasyDict",
    "omegaconf.OmegaConf.create": "easydict.EasyDict",
    "omegaconf.DictConfig": "easydict.EasyDict",
    "argparse.Namespace": "types.SimpleNamespace",
}


@function("collections.OrderedDict")
def ordered_dict(machine: Machine, call: Call) -> Value:
    """A dict that says that it keeps its order."""
    found = dict_(machine, call)
    return OrderedDict(found) if isinstance(found, dict) else found


@function("collections.defaultdict")
def default_dict(machine: Machine, call: Call) -> Value:
    """A dict whose missing values a function makes."""
    factory = call.get(0, "default_factory", None)
    found = dict_(machine, Call(call.node, call.args[1:], call.kwargs, complete=call.complete))
    if not isinstance(found, dict):
        return found
    return defaultdict(None if factory is None else lambda: machine.call(factory), found)


@function("collections.deque")
def deque_(machine: Machine, call: Call) -> Value:
    """A list with two ends, perhaps of limited length."""
    found = elements(machine, call.get(0, "iterable", ()), "deque(…)")
    longest = known(call.get(1, "maxlen", None))
    if found is None or not (longest is None or (isinstance(longest, int) and longest >= 0)):
        return Unknown("deque(…)")
    return deque(found, longest)


@function("collections.Counter")
def counter(machine: Machine, call: Call) -> Value:
    """How often each element occurs."""
    found = elements(machine, call.get(0, "iterable", ()), "Counter(…)")
    if found is None or isinstance(known(call.get(0, "iterable", ())), dict) or not is_plain(found):
        return Unknown("Counter(…)")
    try:
        return Counter(found)
    except TypeError:
        return Unknown("Counter(…)")


@function("collections.ChainMap")
def chain_map(machine: Machine, call: Call) -> Value:
    """Several dicts as one: the first that has a key counts."""
    merged: dict[Value, Value] = {}
    for source in reversed(call.args):
        plain = known(source)
        if not isinstance(plain, dict):
            return Unknown("ChainMap(…)")
        merged.update(plain)
    return merged


# -- named tuples --------------------------------------------------------------------------------------------


@function("collections.namedtuple")
def namedtuple(machine: Machine, call: Call) -> Value:
    """A class of tuples whose elements have names."""
    name, names = known(call.get(0, "typename", "tuple")), known(call.get(1, "field_names", None))
    if isinstance(names, str):
        names = names.replace(",", " ").split()
    if not isinstance(names, (list, tuple)) or not all(isinstance(one, str) for one in names):
        return Unknown("namedtuple(…)")
    given = known(call.kwargs.get("defaults", ()))
    defaults = list(given) if isinstance(given, (list, tuple)) else []
    fallback = dict(zip(names[len(names) - len(defaults) :], defaults, strict=False))

    def make(machine: Machine, later: Call) -> Value:
        values = {one: later.get(i, one, fallback.get(one, Unknown(one))) for i, one in enumerate(names)}
        return Instance(None, values, kind="collections.namedtuple")

    return Intrinsic(name if isinstance(name, str) else text_of(name), make)


@function("collections.namedtuple.__iter__", "typing.NamedTuple.__iter__")
def named_elements(machine: Machine, call: Call) -> Value:
    """A named tuple is unpacked like any other."""
    return made(machine, iter(_values(call.owner)), "tuple")


@function("collections.namedtuple.__getitem__", "typing.NamedTuple.__getitem__")
def named_element(machine: Machine, call: Call) -> Value:
    """An element by its position."""
    values, key = _values(call.owner), known(call.get(1, "key", None))
    inside = isinstance(key, int) and -len(values) <= key < len(values)
    return values[key] if inside or isinstance(key, slice) else Unknown("tuple[…]")


@function("collections.namedtuple.__len__", "typing.NamedTuple.__len__")
def named_length(machine: Machine, call: Call) -> Value:
    """How many elements it has."""
    return len(_values(call.owner))


@function("collections.namedtuple._asdict", "typing.NamedTuple._asdict")
def named_as_dict(machine: Machine, call: Call) -> Value:
    """Names and elements."""
    return dict(call.owner.attributes) if isinstance(call.owner, Instance) else Unknown("_asdict()")


@function("collections.namedtuple._replace", "typing.NamedTuple._replace")
def named_replaced(machine: Machine, call: Call) -> Value:
    """A copy with other elements."""
    owner = call.owner
    if not isinstance(owner, Instance):
        return Unknown("_replace(…)")
    return Instance(owner.cls, {**owner.attributes, **call.kwargs}, owner.kind)


def _values(owner: Value) -> tuple[Value, ...]:
    return tuple(owner.attributes.values()) if isinstance(owner, Instance) else ()


@function("typing.NamedTuple.__init_subclass__")
def named_class(machine: Machine, call: Call) -> None:
    """The annotated names of the class body are its fields."""
    if isinstance(call.owner, Class):
        call.owner.is_dataclass = True


# -- bags of attributes --------------------------------------------------------------------------------------


@function("types.SimpleNamespace")
def namespace(machine: Machine, call: Call) -> Value:
    """An object with these attributes."""
    given = known(call.args[0]) if call.args else {}
    attributes = {**(given if isinstance(given, dict) else {}), **call.kwargs}
    return Instance(None, {key: value for key, value in attributes.items() if isinstance(key, str)})


@function("easydict.EasyDict")
def easy_dict(machine: Machine, call: Call) -> Value:
    """A dict whose keys are attributes, all the way down."""
    source = dict_(machine, call)
    return _eased(source, 8) if isinstance(source, dict) else Unknown(f"config({text_of(source)})")


def _eased(value: Value, depth: int) -> Value:
    if isinstance(value, dict) and depth:
        attributes = {key: _eased(inner, depth - 1) for key, inner in value.items() if isinstance(key, str)}
        return Instance(None, attributes, kind="easydict.EasyDict")
    return [_eased(inner, depth - 1) for inner in value] if isinstance(value, list) and depth else value


@function(
    "easydict.EasyDict.__getitem__",
    "easydict.EasyDict.get",
    "easydict.EasyDict.pop",
    "easydict.EasyDict.setdefault",
)
def eased_item(machine: Machine, call: Call) -> Value:
    """An attribute by its name, as an item."""
    owner, key = call.owner, known(call.get(1, "key", None))
    default = Unknown("config[…]") if call.name.endswith("__getitem__") else call.get(2, "default", None)
    if not isinstance(owner, Instance) or not isinstance(key, str):
        return Unknown(f"config[{text_of(key)}]")
    if call.name.endswith("pop"):
        return owner.attributes.pop(key, default)
    if call.name.endswith("setdefault"):
        return owner.attributes.setdefault(key, default)
    return owner.attributes.get(key, default)


@function("easydict.EasyDict.__setitem__")
def set_eased_item(machine: Machine, call: Call) -> None:
    """Writing an item writes the attribute."""
    if len(call.args) == 3 and isinstance(call.args[0], Instance) and isinstance(call.args[1], str):
        call.args[0].attributes[call.args[1]] = call.args[2]


@function("easydict.EasyDict.__iter__", "easydict.EasyDict.keys", "easydict.EasyDict.values",
    "easydict.EasyDict.items", "easydict.EasyDict.to_dict", "easydict.EasyDict.copy",
    "easydict.EasyDict.update", "easydict.EasyDict.toDict")  # fmt: skip
def eased_dict(machine: Machine, call: Call) -> Value:
    """What it shares with a dict."""
    attributes: dict[str, Value] = call.owner.attributes if isinstance(call.owner, Instance) else {}
    name = call.name.rpartition(".")[2]
    if name == "update":
        found = dict_(machine, Call(call.node, call.args[1:], call.kwargs, complete=call.complete))
        attributes.update(found if isinstance(found, dict) else {})
        return None
    if name == "items":
        return list(attributes.items())
    if name in ("to_dict", "toDict", "copy"):
        return dict(attributes)
    return list(attributes.values()) if name == "values" else list(attributes)
