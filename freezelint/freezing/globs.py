"""Patterns on dotted names. No torch here: the source reader imports it too."""

from __future__ import annotations

import re


def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression that matches (from the start) the names that a pattern takes.

    `*` and `?` and `[…]` stay within one component of a name, `**` is any number of components; what lies
    inside something that is named is named with it. Raises `re.error` for brackets that make no sense.
    """
    components = pattern.removesuffix(".").split(".")
    text = ""
    for position, component in enumerate(components):
        last = position == len(components) - 1
        if component == "**":
            text += r"[^.]+(?:\.[^.]+)*" if last else r"(?:[^.]+\.)*"
        else:
            text += _component(component) + ("" if last else r"\.")
    return re.compile(text + r"(?=\.|$)")


def is_plain(pattern: str) -> bool:
    """Whether a pattern is a name as it stands."""
    return not any(letter in pattern for letter in "*?[")


def _component(glob: str) -> str:
    text, position = "", 0
    while position < len(glob):
        letter = glob[position]
        end = glob.find("]", position + 2) if letter == "[" else -1
        if end > 0:
            text += _letters(glob[position + 1 : end])
            position = end
        else:
            text += {"*": "[^.]*", "?": "[^.]"}.get(letter, re.escape(letter))
        position += 1
    return text


def _letters(inside: str) -> str:
    """What brackets take: one of the letters and ranges, or none of them, and never a dot."""
    negated = inside.startswith("!")
    letters = "".join(each if each == "-" else re.escape(each) for each in inside[negated:])
    return rf"(?!\.)[{'^' * negated}{letters}]"
