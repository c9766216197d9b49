"""The patterns that names of parameters are compared with, where they are written."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from freezelint.finding import Edit
from freezelint.fixing.scopes import assignment_of
from freezelint.fixing.script import NoPlaceError, Script

_PREFIX_METHODS = ("startswith", "find", "count")
_FIELDS = re.compile(r"\{\w*\}|%[dsi]")
_Sequence = ast.List | ast.Tuple | ast.Set


def dotted(
    script: Script, whole: ast.stmt, pattern: str, ended: Collection[str]
) -> Iterator[tuple[Edit, ...]]:
    """Edits that end the pattern with a dot, and with it the others that are `ended`: where it is written,
    else where names are compared with it. Raises NoPlaceError where it is neither.
    """
    asked = list(_asked(whole))
    written = [node for each in asked for node in _written(script, whole, each)]
    told = dict.fromkeys(_ended(script, node) for node in written if _is_one(node, ended))
    if any(_is_one(node, (pattern,)) for node in written):
        yield tuple(told)
        return
    named = [each for each in asked if isinstance(each, ast.Name | ast.Attribute)]
    if len(named) == 1 and len(asked) == 1:
        quote = "'" if script.quote == '"' and _is_in_string(script, named[0]) else script.quote
        yield (script.replace(named[0], f"f{quote}{{{script.text(named[0])}}}.{quote}"),)
        return
    raise NoPlaceError(f"`{pattern}` is not written where the names are compared")


def _asked(whole: ast.stmt) -> Iterator[ast.expr]:
    """What is looked for in names: x of `x in name` and of `name.startswith(x)`."""
    for node in ast.walk(whole):
        if isinstance(node, ast.Compare):
            left = node.left
            for operator, right in zip(node.ops, node.comparators, strict=True):
                if isinstance(operator, ast.In | ast.NotIn):
                    yield left
                left = right
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from node.args[:1] if node.func.attr in _PREFIX_METHODS else ()


def _written(script: Script, whole: ast.stmt, node: ast.expr) -> Iterator[ast.expr]:
    """The strings that the expression is, as far as they are written for it alone."""
    if isinstance(node, _Sequence):
        for each in node.elts:
            yield from _written(script, whole, each)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("tuple", "list", "set") and node.args:
        yield from _written(script, whole, node.args[0])
    elif isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
        yield from _written(script, whole, node.elt)
    elif isinstance(node, ast.Name):
        source = _iterated(whole, node.id) or _assigned(script, whole, node)
        if source is not None:
            yield from _written(script, whole, source)
    else:
        yield node


def _iterated(whole: ast.stmt, name: str) -> ast.expr | None:
    """What a loop or comprehension over literals gives this name."""
    for node in ast.walk(whole):
        if not isinstance(node, ast.comprehension | ast.For):
            continue
        if isinstance(node.target, ast.Name) and node.target.id == name:
            return node.iter
    return None


def _assigned(script: Script, whole: ast.stmt, name: ast.Name) -> ast.expr | None:
    """The value of a variable that is used here alone."""
    uses = [
        node
        for node in ast.walk(script.tree)
        if isinstance(node, ast.Name) and node.id == name.id and isinstance(node.ctx, ast.Load)
    ]
    assigned = assignment_of(script, name, whole) if len(uses) == 1 else None
    value = assigned.value if assigned is not None else None
    return value if isinstance(value, _Sequence | ast.Constant | ast.ListComp) else None


def _is_one(node: ast.expr, patterns: Collection[str]) -> bool:
    """Whether the expression gives one of these strings: it is one, or a template of one."""
    template = _template(node)
    if template is None:
        return False
    return any(re.fullmatch(template, pattern) for pattern in patterns)


def _template(node: ast.expr) -> str | None:
    """What the expression gives, as a regular expression; None where that is not told."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = [re.escape(str(v.value)) if isinstance(v, ast.Constant) else r"\w+" for v in node.values]
        return "".join(parts)
    if _is_str(node):
        return r"\w+"
    template = _template_node(node)
    if template is not None:
        return r"\w+".join(re.escape(text) for text in _FIELDS.split(str(template.value)))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left = _template(node.left)
        return left + r"\w+" if left is not None and _is_str(node.right) else None
    return None


def _is_str(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "str" and len(node.args) == 1


def _template_node(node: ast.expr) -> ast.Constant | None:
    """The string of `"layer.{}".format(i)` and of `"layer.%d" % i`."""
    found: ast.expr | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        found = node.func.value
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        found = node.left
    return found if isinstance(found, ast.Constant) and isinstance(found.value, str) else None


def _ended(script: Script, node: ast.expr) -> Edit:
    """The expression with a dot at the end of the string that it gives."""
    text = script.text(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return script.replace(node, f"{text} + {script.quote}.{script.quote}")
    if isinstance(node, ast.Call) and _is_str(node):
        inner = script.text(node.args[0])
        if any(sign in inner for sign in "'\"{}\n\\"):
            raise NoPlaceError("the pattern is put together of several strings")
        return script.replace(node, f"f{script.quote}{{{inner}}}.{script.quote}")
    string = _template_node(node) or node
    told = script.text(string)
    closing = re.search(r"(\"\"\"|'''|\"|')\Z", told)
    if closing is None:
        raise NoPlaceError("the pattern is put together of several strings")
    return script.replace(string, f"{told[: closing.start()]}.{closing[0]}")


def _is_in_string(script: Script, node: ast.AST) -> bool:
    return any(isinstance(outer, ast.JoinedStr) for outer in script.parents(node))
