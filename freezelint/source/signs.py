"""What a piece of code must say for any rule to find something in it, when nothing in its file calls it.

Most code that mentions freezing can show no fault by itself: `for p in self.parameters(): p.requires_grad =
False` in a class that nobody here makes an object of is right whatever the class is. To run it would be most
of what reading a library costs. So its text is looked at first, and that of everything in the file that it
names: what can give an event that a rule looks at is a sign. Without signs there is nothing to be found;
where there are some, running the code tells.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from freezelint.checks.freezes.misspelt_requires_grad import is_misspelling
from freezelint.source.recording.freeze_plans import is_flag

if TYPE_CHECKING:
    from freezelint.source.files.source_file import SourceFile

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_QUIET = (ast.Import, ast.ImportFrom, ast.Pass, ast.Raise, ast.Assert, ast.Global, ast.Delete)
# A body that holds nothing else but these and definitions is no script.
_DEFINING = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.expr)
_ATTRIBUTE = "freezelint_signs"
_WORD = re.compile(r"[^\W\d]\w*")
# A part of a training loop: with an optimizer, all that the code does may matter.
_TRAINING = re.compile(
    r"\.backward\(|zero_grad\(|param_group|configure_optimizers|\btraining_step\b|[Oo]pt\w*\.step\(|\boptim\.|"
    r"[Oo]ptimizers?\(|SGD\(|Adam\w*\(|LBFGS\(|RMSprop\(|Lion\(|Trainer\(|[Ll]earner\(|\.fine_tune\(|"
    r"\.fit\w*\(|clip_grad|\.optimizers?\b"
)
# Words of which one at least is in everything that is looked for: plain words are found ten times as fast.
_WORDS = (
    *(
        "reez",
        "REEZ",
        "grad",
        "Grad",
        "req",
        "Req",
        ".from_pretrained(",
        ".backward(",
        "param_group",
        ".step(",
    ),
    *("optim", "Optim", "training_step", "SGD(", "Adam", "LBFGS(", "RMSprop(", "Lion(", "rainer(", "earner("),
    *(".fine_tune(", ".fit", "arameters(", "modules(", "children("),
)
_ANY = re.compile(
    rf"{_TRAINING.pattern}|[Ff]reez|FREEZ|[Rr]e\w{{2,9}}[Gg]rad|[Rr]eq\w{{2,8}}_gr?[ad]\w{{1,3}}\b|\.from_pretrained\(|"
    r"= *[\w.]+\.(?:named_)?(?:parameters|modules|children)\(|\bfor\b.*(?:parameters|modules|children)\(|"
    r"(?:filter|map|zip|iter|chain)\(.*(?:parameters|modules|children)\("
)
_FLAG = re.compile(r"re\w{2,9}grad|req\w{2,8}_gr?[ad]\w{1,3}\b", re.IGNORECASE)
_MODE = re.compile(r"\.(?:eval|train)\(")
_FREEZES = re.compile(r"freez", re.IGNORECASE)
# A call with arguments of something that freezes: without any, it freezes its owner, and is told there.
_CALLS_A_FREEZE = re.compile(r"\b(\w*freez\w*)[ \t]*\(\s*[^\s)]", re.IGNORECASE)
_UNFREEZES = re.compile(r"(?:un|de)[-_ ]?freez|defrost", re.IGNORECASE)
_MAKES = re.compile(r"\.from_pretrained\(")
_COPIES = re.compile(r"copy\(")
# An iterator that is kept may be used up when it is wanted again.
_KEPT = re.compile(
    r"^[ \t]*[\w.]+ *= *(?:[\w.]+\.|(?:filter|map|zip|iter|[\w.]*chain)?\([^=]{0,200}?)"
    r"(?:named_)?(?:parameters|modules|children)\(",
    re.MULTILINE,
)


@dataclass(eq=False)
class _Part:
    """A function, or what a class or a module does itself. `names` are those that it says of the file's."""

    node: ast.AST
    text: str  # without documentation
    names: frozenset[str]


class Signs:
    """The signs in one file."""

    def __init__(self, file: SourceFile, tree: ast.Module) -> None:
        self._text_of_file, self._lines, self._body = file.text, file.lines, tree.body
        self._functions: dict[str, list[ast.AST]] = {}
        self._classes: dict[str, list[ast.ClassDef]] = {}
        self._parts: dict[ast.AST, _Part] = {}
        self._enter(tree.body)

    def _enter(self, body: Iterable[ast.stmt]) -> None:
        for node in definitions(body):
            if isinstance(node, ast.ClassDef):
                self._classes.setdefault(node.name, []).append(node)
                self._enter(node.body)
            else:
                self._functions.setdefault(node.name, []).append(node)

    def functions(self) -> Iterator[ast.AST]:
        """All functions and methods."""
        for nodes in self._functions.values():
            yield from nodes

    # -- questions ----------------------------------------------------------------------------------------

    def in_body(self) -> bool:
        """Whether running the body of the file can show anything: not where it only defines things."""
        if "__main__" in self._text_of_file:
            return True
        own = [part for part in _run_at_once(self._body) if self._does_something(part)]
        if any(not isinstance(part, _DEFINING) or self._says_so(part) for part in own):
            return True
        if not self._may_tell:
            return False
        names = frozenset(_WORD.findall("\n".join(map(self._text, own)))) & self._known
        return any(self._reached(self._named(name)) for name in names)

    def _does_something(self, part: ast.AST) -> bool:
        return not isinstance(part, ast.stmt) or self._has_words(part) or "(" in self._text(part)

    def _says_so(self, part: ast.AST) -> bool:
        """Whether there is a sign in what runs with the body."""
        text = self._text(part) if self._has_words(part) else ""
        return any(sign.search(text) for sign in (_TRAINING, _FLAG, _CALLS_A_FREEZE))

    def in_function(self, node: ast.AST) -> bool:
        """Whether running this function or method can show anything."""
        return self._reached([node])

    def in_class(self, cls: ast.ClassDef) -> bool:
        """Whether making an object of the class can show anything."""
        return self._reached(self._made_by([cls]), classes=False)

    def train(self, node: ast.AST) -> bool:
        """Whether this function, or making an object of this class, leads to a part of a training loop."""
        roots = self._made_by([node]) if isinstance(node, ast.ClassDef) else [node]
        return any(_TRAINING.search(self._part(inner).text) for inner in self._led_to(roots))

    # -- what leads where ---------------------------------------------------------------------------------

    def _reached(self, roots: list[ast.AST], *, classes: bool = True) -> bool:
        """Whether there are signs in these functions, or in anything of the file that they lead to; without
        what makes objects of other `classes`, which are told by themselves.
        """
        if not self._may_tell:
            return False
        frozen = copied = False
        for node in self._led_to(roots, classes=classes):
            told = self._told.get(node, False)
            frozen = frozen or told is None
            copied = copied or _COPIES.search(self._part(node).text) is not None
            if told or (frozen and copied):  # the copy may be lost, and the freeze with it
                return True
        return False

    def _led_to(self, roots: list[ast.AST], *, classes: bool = True) -> Iterator[ast.AST]:
        """These functions, and all of the file that they lead to."""
        pending, met = list(roots), set(roots)
        while pending:
            node = pending.pop()
            yield node
            for name in self._part(node).names:
                for inner in self._named(name) if classes else self._functions.get(name, ()):
                    if inner not in met:
                        met.add(inner)
                        pending.append(inner)

    @cached_property
    def _known(self) -> frozenset[str]:
        names = {*self._functions, *self._classes}
        return frozenset(name for name in names if not name.startswith("__"))

    def _named(self, name: str) -> list[ast.AST]:
        """The functions that may run where this name is said."""
        return [*self._functions.get(name, ()), *self._made_by(self._classes.get(name, ()))]

    def _made_by(self, classes: Iterable[ast.ClassDef]) -> list[ast.AST]:
        """What runs when objects of these classes are made, and used without a name."""
        found: list[ast.AST] = []
        pending, met = list(classes), set()
        while pending:
            cls = pending.pop()
            if cls in met:
                continue
            met.add(cls)
            found.extend(
                node
                for node in definitions(cls.body)
                if isinstance(node, _FUNCTIONS) and (node.name == "forward" or node.name.startswith("__"))
            )
            for base in cls.bases:
                name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
                pending.extend(self._classes.get(name, ()))
        return found

    def _part(self, node: ast.AST) -> _Part:
        known = self._parts.get(node)
        if known is None:
            text = self._text(node)
            own = getattr(node, "name", "")
            known = self._parts[node] = _Part(
                node, text, frozenset(_WORD.findall(text)) & self._known - {own}
            )
        return known

    # -- signs --------------------------------------------------------------------------------------------

    @cached_property
    def _may_tell(self) -> bool:
        """Whether there is a sign in any function of the file."""
        return any(self._told.values()) or (None in self._told.values() and "copy(" in self._text_of_file)

    @cached_property
    def _told(self) -> dict[ast.AST, bool | None]:
        """The functions with signs; None for those that freeze in a way that is no fault unless it is done to
        a copy.
        """
        found: dict[ast.AST, bool | None] = {}
        for node in (node for nodes in self._functions.values() for node in nodes):
            if self._has_words(node) and (told := self._tells(self._part(node))) is not False:
                found[node] = told
        return found

    def _tells(self, part: _Part) -> bool | None:
        text = part.text
        if _TRAINING.search(text) or _KEPT.search(text):
            return True
        freezes = _FREEZES.search(text) is not None
        if freezes and _MODE.search(text):
            return True
        if freezes and any(name not in self._known for name in _CALLS_A_FREEZE.findall(text)):
            return True  # what it does is told elsewhere
        if _MAKES.search(text) and any(map(_discards, ast.walk(part.node))):
            return True
        return _Writes(part.node, text).told() if freezes or _FLAG.search(text) else False

    # -- text ---------------------------------------------------------------------------------------------

    def _text(self, node: ast.AST) -> str:
        """The lines of a function or class, without its documentation."""
        return "\n".join(line for first, last in _spans(node) for line in self._lines[first - 1 : last])

    def _has_words(self, node: ast.AST) -> bool:
        """Whether the code has any of the words that all signs are made of."""
        words = self._words
        for first, last in _spans(node):
            position = bisect_left(words, first)
            if position < len(words) and words[position] <= last:
                return True
        return False

    @cached_property
    def _words(self) -> list[int]:
        """The lines that have such words, in order."""
        text, lines = self._text_of_file, self._lines
        ends = list(accumulate(len(line) + 1 for line in lines))
        found: set[int] = set()
        for word in _WORDS:
            position = text.find(word)
            while position >= 0:
                line = bisect_right(ends, position)
                found.add(line + 1)
                position = text.find(word, ends[line])
        return sorted(line for line in found if _ANY.search(lines[line - 1]))


def signs_of(file: SourceFile, tree: ast.Module) -> Signs:
    """The signs in a file; kept with its tree, which many runs share."""
    known: Signs | None = getattr(tree, _ATTRIBUTE, None)
    if known is None:
        known = Signs(file, tree)
        setattr(tree, _ATTRIBUTE, known)
    return known


def definitions(body: Iterable[ast.stmt]) -> Iterator[Definition]:
    """The functions and classes that a body defines, those under conditions included."""
    for statement in body:
        if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            yield statement
        elif isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
            for block in ("body", "orelse", "finalbody"):
                yield from definitions(getattr(statement, block, ()))
            for handler in getattr(statement, "handlers", ()):
                yield from definitions(handler.body)


def _run_at_once(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """What runs when a body does and may call something: decorators, and statements that define nothing."""
    for statement in body:
        if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            yield from statement.decorator_list
            if isinstance(statement, ast.ClassDef):
                yield from _run_at_once(statement.body)
        elif isinstance(statement, (ast.If, ast.Try)):
            if isinstance(statement, ast.If):
                yield statement.test
            for block in ("body", "orelse", "finalbody"):
                yield from _run_at_once(getattr(statement, block, ()))
            for handler in getattr(statement, "handlers", ()):
                yield from _run_at_once(handler.body)
        elif not isinstance(statement, _QUIET) and not _is_documentation(statement):
            yield statement


def _is_documentation(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _spans(node: ast.AST) -> list[tuple[int, int]]:
    """The first and last lines of a piece of code, without its documentation."""
    first: int = getattr(node, "lineno", 1)
    last: int = getattr(node, "end_lineno", None) or first
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and _is_documentation(body[0]):
        return [(first, body[0].lineno - 1), ((body[0].end_lineno or first) + 1, last)]
    return [(first, last)]


def _discards(node: ast.AST) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "from_pretrained"
    )


class _Writes:
    """What a function does to flags."""

    def __init__(self, node: ast.AST, text: str) -> None:
        self._node, self._text = node, text
        self._says_unfreeze = _UNFREEZES.search(text) is not None
        self._says_freeze = _FREEZES.search(_UNFREEZES.sub("", text)) is not None
        self._is_forward = getattr(node, "name", "") == "forward"
        arguments = getattr(node, "args", None)
        self._given: frozenset[str] = frozenset()
        if isinstance(arguments, ast.arguments):
            self._given = frozenset(a.arg for a in (*arguments.args, *arguments.kwonlyargs))

    def told(self) -> bool | None:
        """True for a sign, None for writes that are no fault unless they are done to copies."""
        outcomes = set(self._below(self._node, frozenset()))
        if True in outcomes:
            return True
        return self._calls_itself() or None if None in outcomes else False

    def _calls_itself(self) -> bool:
        """With a number: such a call may be ruled out by the test around the write."""
        name = getattr(self._node, "name", "")
        return bool(name) and re.search(rf"(?<!def )\b{re.escape(name)}\([^()]*\d", self._text) is not None

    def _below(self, node: ast.AST, parameters: frozenset[str]) -> Iterator[bool | None]:
        """What the code below a node does. `parameters` are variables of loops over all parameters of
        something, as long as no test stands between.
        """
        for child in ast.iter_child_nodes(node):
            inner = parameters
            if isinstance(child, (ast.For, ast.AsyncFor)):
                inner = parameters | _parameters_of(child)
            elif isinstance(
                child, (ast.If, ast.IfExp, ast.While, ast.comprehension, ast.Lambda, *_FUNCTIONS)
            ):
                inner = frozenset()
            elif isinstance(child, ast.Expr):
                yield from self._statement(child.value)
            yield from self._own(child, parameters)
            yield from self._below(child, inner)

    def _statement(self, value: ast.expr) -> Iterator[bool]:
        """An expression that nothing keeps: a comparison of a flag, a method that is named and not called."""
        if isinstance(value, ast.Compare):
            yield any(map(is_flag, ast.walk(value)))
        elif isinstance(value, (ast.Name, ast.Attribute)):
            yield True

    def _own(self, node: ast.AST, parameters: frozenset[str]) -> Iterator[bool | None]:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield self._write(target, node.value, parameters)
        elif isinstance(node, ast.AnnAssign):
            yield self._write(node.target, node.value, parameters)
        elif isinstance(node, ast.AugAssign):
            yield self._write(node.target, None, parameters)
        elif isinstance(node, ast.Call):
            yield self._call(node, parameters)

    def _write(self, target: ast.expr, value: ast.expr | None, parameters: frozenset[str]) -> bool | None:
        if isinstance(target, (ast.Tuple, ast.List)):
            return any(_is_like_a_flag(part) for part in ast.walk(target))
        if not isinstance(target, ast.Attribute) or not _is_like_a_flag(target):
            return False
        if target.attr != "requires_grad" or not isinstance(target.value, ast.Name):
            return True
        if self._is_forward:
            return False  # of a tensor: modules and parameters are attributes there
        return None if target.value.id in parameters and self._is_plain(value) else True

    def _call(self, call: ast.Call, parameters: frozenset[str]) -> bool | None:
        if any(is_misspelling(keyword.arg or "") for keyword in call.keywords):
            return True
        function = call.func
        if isinstance(function, ast.Name) and function.id == "setattr":
            name = call.args[1] if len(call.args) > 1 else None
            return isinstance(name, ast.Constant) and _is_flag_name(str(name.value))
        if not isinstance(function, ast.Attribute) or function.attr != "requires_grad_":
            return False
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        value = values[0] if values else ast.Constant(True)
        if isinstance(function.value, ast.Name) and function.value.id in parameters | {"self"}:
            return None if self._is_plain(value) else True
        if isinstance(value, ast.Constant):
            return value.value is False or not self._is_plain(value)
        return isinstance(function.value, ast.Name)

    def _is_plain(self, value: ast.expr | None) -> bool:
        """Whether the value is chosen by no test, and no words say the opposite."""
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
            value = value.operand
        if isinstance(value, ast.Constant):
            return (self._says_freeze if value.value else self._says_unfreeze) is False
        return isinstance(value, ast.Name) and value.id in self._given and not self._says_freeze


def _parameters_of(loop: ast.For | ast.AsyncFor) -> frozenset[str]:
    """The variable of a loop that goes over all parameters of something."""
    call, target = loop.iter, loop.target
    method = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
    if method == "named_parameters" and isinstance(target, ast.Tuple) and len(target.elts) == 2:
        target = target.elts[1]
    elif method != "parameters":
        return frozenset()
    return frozenset({target.id}) if isinstance(target, ast.Name) else frozenset()


def _is_one_of(node: ast.expr, names: frozenset[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _is_like_a_flag(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and _is_flag_name(node.attr)


def _is_flag_name(name: str) -> bool:
    return name in ("requires_grad", "requires_grad_") or (name[:2] in ("re", "Re") and is_misspelling(name))
