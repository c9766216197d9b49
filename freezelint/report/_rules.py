"""Telling what a rule says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from freezelint.registry import Rule


def page(rule: Rule, output_format: str) -> str:
    """One rule: its page."""
    if output_format == "json":
        return _json(_data(rule))
    facts = f"{rule.severity} · seen by: {', '.join(rule.witnesses)} · fix: {rule.fix}"
    return f"{rule.code} {rule.name}\n{facts}\n\n{rule.page}\n"


def table(rules: Sequence[Rule], output_format: str) -> str:
    """All rules, one line each."""
    if output_format == "json":
        return _json([_data(rule) for rule in rules])
    name = max((len(rule.name) for rule in rules), default=0)
    severity = max((len(rule.severity) for rule in rules), default=0)
    lines = [
        f"{rule.code}  {rule.name:{name}}  {rule.severity:{severity}}  {rule.summary}\n" for rule in rules
    ]
    return "".join(lines)


def _data(rule: Rule) -> dict[str, Any]:
    return {
        "code": rule.code,
        "name": rule.name,
        "family": rule.family,
        "severity": rule.severity,
        "witnesses": list(rule.witnesses),
        "fix": rule.fix,
        "yields_to": list(rule.yields_to),
        "summary": rule.summary,
        "explanation": rule.page,
    }


def _json(data: Any) -> str:
    return f"{json.dumps(data, indent=2)}\n"
