"""The part of SARIF 2.1.0 that freezelint writes, as the standard has it: which keys an object may have,
which it must, and of what kind their values are. Nothing else is allowed, as in the published schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shape:
    """An object. `keys` gives for each key a kind: a type, a set of values, another shape, or a list of one;
    a `*` behind it marks those that must be there. `free` objects (property bags) may hold more.
    """

    keys: dict[str, Any] = field(default_factory=dict)
    free: bool = False


MESSAGE = Shape({"text": str, "markdown": str, "id": str, "arguments": [str]})
MULTIFORMAT = Shape({"text*": str, "markdown": str})
ARTIFACT_LOCATION = Shape({"uri": str, "uriBaseId": str, "index": int, "description": MESSAGE})
REGION = Shape(
    {"startLine": int, "startColumn": int, "endLine": int, "endColumn": int, "snippet": Shape({"text": str})}
)
PHYSICAL = Shape({"artifactLocation": ARTIFACT_LOCATION, "region": REGION, "contextRegion": REGION})
LOGICAL = Shape({"name": str, "fullyQualifiedName": str, "kind": str, "decoratedName": str})
LOCATION = Shape({"id": int, "physicalLocation": PHYSICAL, "logicalLocations": [LOGICAL], "message": MESSAGE})
LEVEL = {"none", "note", "warning", "error"}
PROPERTIES = Shape({"tags": [str]}, free=True)
RULE = Shape(
    {
        "id*": str,
        "name": str,
        "shortDescription": MULTIFORMAT,
        "fullDescription": MULTIFORMAT,
        "help": MULTIFORMAT,
        "helpUri": str,
        "defaultConfiguration": Shape({"enabled": bool, "level": LEVEL, "rank": float}),
        "properties": PROPERTIES,
    }
)
DRIVER = Shape({"name*": str, "version": str, "semanticVersion": str, "informationUri": str, "rules": [RULE]})
NOTIFICATION = Shape({"message*": MESSAGE, "level": LEVEL, "locations": [LOCATION]})
INVOCATION = Shape({"executionSuccessful*": bool, "toolExecutionNotifications": [NOTIFICATION]})
REPLACEMENT = Shape({"deletedRegion*": REGION, "insertedContent": Shape({"text": str})})
CHANGE = Shape({"artifactLocation*": ARTIFACT_LOCATION, "replacements*": [REPLACEMENT]})
FIX = Shape({"description": MESSAGE, "artifactChanges*": [CHANGE]})
RESULT = Shape(
    {
        "ruleId": str,
        "ruleIndex": int,
        "level": LEVEL,
        "message*": MESSAGE,
        "locations": [LOCATION],
        "relatedLocations": [LOCATION],
        "fixes": [FIX],
        "partialFingerprints": Shape(free=True),
        "properties": PROPERTIES,
    }
)
RUN = Shape(
    {
        "tool*": Shape({"driver*": DRIVER}),
        "invocations": [INVOCATION],
        "columnKind": {"utf16CodeUnits", "unicodeCodePoints"},
        "results": [RESULT],
    }
)
LOG = Shape({"$schema": str, "version*": {"2.1.0"}, "runs*": [RUN]})


def complaints(value: Any, kind: Any, name: str = "log") -> list[str]:
    """What is not as the standard wants it."""
    if isinstance(kind, Shape):
        return _of_object(value, kind, name) if isinstance(value, dict) else [f"{name}: is no object"]
    if isinstance(kind, list):
        if not isinstance(value, list):
            return [f"{name}: is no array"]
        return [told for i, item in enumerate(value) for told in complaints(item, kind[0], f"{name}[{i}]")]
    if isinstance(kind, set):
        return [] if value in kind else [f"{name}: {value!r} is none of {sorted(kind)}"]
    if type(value) is not kind:
        return [f"{name}: {value!r} is no {kind.__name__}"]
    counts_from_one = name.endswith(("startLine", "startColumn", "endLine", "endColumn"))
    return [f"{name}: {value} is less than 1"] if counts_from_one and value < 1 else []


def _of_object(value: dict[str, Any], shape: Shape, name: str) -> list[str]:
    kinds = {key.rstrip("*"): kind for key, kind in shape.keys.items()}
    required = [key.rstrip("*") for key in shape.keys if key.endswith("*")]
    found = [f"{name}: lacks {key}" for key in required if key not in value]
    for key, item in value.items():
        if key in kinds:
            found.extend(complaints(item, kinds[key], f"{name}.{key}"))
        elif not shape.free:
            found.append(f"{name}: has no {key}")
    return found
