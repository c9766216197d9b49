"""What the reader knows of libraries: one file a subject, found by discovery.

A file of this package imitates a part of torch (or of what is used with it) by decorated functions:

    @function("torch.nn.utils.clip_grad_norm_")          # a call of a library's function;
    "torch.optim.*" takes def clip(machine, call): ...                         # every name below it
    that has no entry of its own

    @builds("torch.nn.Linear")                           # the constructor of a module class; fills the
    module in def linear(machine, module, call): ...

    @method(Tensor, "detach", "detach_")                 # a method of one of the kinds in `values`
    def detach(machine, tensor, call): ...

    @attribute(Module, "training")                       # reading an attribute
    def training(machine, module): ...

    @assignment(Parameter, "requires_grad")              # writing one; return False to fall back to a
    plain write def set_flag(machine, parameter, value): ...

    @constant("math.pi")                                 # a name that is neither function nor class
    def pi(): ...

Library names are looked up as written and by their canonical spelling (`ALIASES` of each file:
`{"torch.optim.adam.Adam": "torch.optim.Adam"}`; an alias that ends in a dot renames a prefix).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK = "__freezelint__"


def _marker(table: str, *keys: Any) -> Callable[[_F], _F]:
    def mark(decorated: _F) -> _F:
        decorated.__dict__.setdefault(_MARK, []).extend((table, key) for key in keys)
        return decorated

    return mark


def function(*names: str) -> Callable[[_F], _F]:
    """The decorated `(machine, call) -> value` answers calls of these library functions or classes."""
    return _marker("functions", *names)


def builds(*names: str, where: Callable[[str], bool] | None = None) -> Callable[[_F], _F]:
    """The decorated `(machine, module, call) -> None` is the constructor of these module classes; of those
    under a wildcard only of the dotted names that `where` accepts.
    """

    def mark(decorated: _F) -> _F:
        decorated.__dict__["where"] = where
        return _marker("builders", *names)(decorated)

    return mark


def method(kind: type, *names: str) -> Callable[[_F], _F]:
    """The decorated `(machine, owner, call) -> value` is this method of values of the kind."""
    return _marker("methods", *((kind, name) for name in names))


def attribute(kind: type, *names: str) -> Callable[[_F], _F]:
    """The decorated `(machine, owner) -> value` reads this attribute of values of the kind."""
    return _marker("attributes", *((kind, name) for name in names))


def assignment(kind: type, *names: str) -> Callable[[_F], _F]:
    """The decorated `(machine, owner, value) -> bool | None` writes this attribute of values of the kind."""
    return _marker("assignments", *((kind, name) for name in names))


def constant(*names: str) -> Callable[[_F], _F]:
    """The decorated `() -> value` is what these library names stand for."""
    return _marker("constants", *names)


class _Memo(dict[Any, Any]):
    """What a function gave for a key. The same few names are asked for over and over."""

    _MOST = 50_000

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        super().__init__()
        self._compute = compute

    def __missing__(self, key: Any) -> Any:
        value = self._compute(key)
        if len(self) >= self._MOST:
            self.clear()
        self[key] = value
        return value


class Vocabulary:
    """All that the files of this package know, by name."""

    def __init__(self) -> None:
        self.functions: dict[str, Callable[..., Any]] = {}
        self.builders: dict[str, Callable[..., Any]] = {}
        self.methods: dict[tuple[type, str], Callable[..., Any]] = {}
        self.attributes: dict[tuple[type, str], Callable[..., Any]] = {}
        self.assignments: dict[tuple[type, str], Callable[..., Any]] = {}
        self.constants: dict[str, Callable[..., Any]] = {}
        self.aliases: dict[str, str] = {}
        for found in pkgutil.iter_modules(__path__):
            self._take(import_module(f"{__name__}.{found.name}"))
        self._canonical = _Memo(self._renamed)
        self._known = _Memo(self._is_known)
        self._function_of = _Memo(self._find_function)
        self._builder_of = _Memo(self._find_builder)
        self._entry_of = _Memo(self._find_entry)

    def _take(self, module: Any) -> None:
        self.aliases.update(getattr(module, "ALIASES", {}))
        for value in list(vars(module).values()):
            if getattr(value, "__module__", None) == module.__name__:
                for table, key in getattr(value, "__dict__", {}).get(_MARK, ()):
                    getattr(self, table)[key] = value

    def canonical(self, name: str) -> str:
        """The spelling under which a library name is known."""
        known: str = self._canonical[name]
        return known

    def _renamed(self, name: str) -> str:
        for _ in range(4):
            if name in self.aliases:
                name = self.aliases[name]
                continue
            prefix = name
            while "." in prefix:
                prefix = prefix.rpartition(".")[0]
                if f"{prefix}." in self.aliases:
                    name = self.aliases[f"{prefix}."] + name[len(prefix) + 1 :]
                    break
            else:
                return name
        return name

    def function(self, name: str) -> Callable[..., Any] | None:
        """What answers a call of this library name. Where a class is known more precisely, that is meant."""
        found: Callable[..., Any] | None = self._function_of[name]
        return found

    def _find_function(self, name: str) -> Callable[..., Any] | None:
        canonical = self.canonical(name)
        key, class_key = (self._key(table, canonical) for table in (self.functions, self.builders))
        if class_key is not None and key is not None and key != canonical and len(class_key) > len(key):
            return None if self.builder(canonical) is not None else self.functions[key]
        return None if key is None else self.functions[key]

    def builder(self, name: str) -> Callable[..., Any] | None:
        """The constructor of this module class."""
        found: Callable[..., Any] | None = self._builder_of[name]
        return found

    def _find_builder(self, name: str) -> Callable[..., Any] | None:
        canonical = self.canonical(name)
        found = self._with_wildcards(self.builders, canonical)
        where = getattr(found, "where", None)
        return found if canonical in self.builders or where is None or where(canonical) else None

    def constant(self, name: str) -> Callable[..., Any] | None:
        """What this library name stands for."""
        return self.constants.get(self.canonical(name))

    def knows(self, name: str) -> bool:
        """Whether this very name (no wildcard) means something."""
        known: bool = self._known[name]
        return known

    def _is_known(self, name: str) -> bool:
        canonical = self.canonical(name)
        return any(canonical in table for table in (self.functions, self.builders, self.constants))

    def of_kind(self, table: str, value: Any, name: str) -> Callable[..., Any] | None:
        """The entry of `methods`, `attributes` or `assignments` for this value, that of its own kind
        first.
        """
        entry: Callable[..., Any] | None = self._entry_of[table, type(value), name]
        return entry

    def _find_entry(self, key: tuple[str, type, str]) -> Callable[..., Any] | None:
        table, of, name = key
        entries: dict[tuple[type, str], Callable[..., Any]] = getattr(self, table)
        for kind in of.__mro__:
            entry = entries.get((kind, name)) or entries.get((kind, "*"))
            if entry is not None:
                return entry
        return None

    @classmethod
    def _with_wildcards(cls, table: dict[str, Callable[..., Any]], name: str) -> Callable[..., Any] | None:
        key = cls._key(table, name)
        return None if key is None else table[key]

    @staticmethod
    def _key(table: dict[str, Callable[..., Any]], name: str) -> str | None:
        """The name, or the most specific wildcard above it, that the table has."""
        if name in table:
            return name
        prefix = name
        while "." in prefix:
            prefix = prefix.rpartition(".")[0]
            if f"{prefix}.*" in table:
                return f"{prefix}.*"
        return None


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The vocabulary, read once."""
    return Vocabulary()
