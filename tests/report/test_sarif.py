"""SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/"""

from __future__ import annotations

import json
from typing import Any

from freezelint.evidence import Limit, Location
from freezelint.finding import Edit, Fix, Related
from freezelint.registry import rules
from tests.report.sarif_shape import LOG, complaints
from tests.report.telling import IN_CELL, TRAIN, finding, told


def run_of(*findings: Any, limits: tuple[Limit, ...] = ()) -> dict[str, Any]:
    """The one run of the document, whose form is right."""
    document = json.loads(told("sarif", *findings, limits=limits))
    assert complaints(document, LOG) == []
    run: dict[str, Any] = document["runs"][0]
    return run


def test_the_shape_is_strict() -> None:
    """The test of the form would see a misspelt key, a missing one, and a value of the wrong kind."""
    document = json.loads(told("sarif", finding()))
    result = document["runs"][0]["results"][0]
    result["levle"] = result.pop("level")
    result["locations"][0]["physicalLocation"]["region"]["startLine"] = "3"
    del document["version"]
    assert complaints(document, LOG) == [
        "log: lacks version",
        "log.runs[0].results[0].locations[0].physicalLocation.region.startLine: '3' is no int",
        "log.runs[0].results[0]: has no levle",
    ]


def test_nothing_found() -> None:
    run = run_of()
    assert run["results"] == []
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_every_rule_fits() -> None:
    found = [finding(code=rule.code, name=rule.name, severity=rule.severity) for rule in rules()]
    driver = run_of(*found)["tool"]["driver"]
    assert driver["name"] == "freezelint"
    assert [rule["id"] for rule in driver["rules"]] == [rule.code for rule in rules()]


def test_a_rule_has_its_page() -> None:
    run = run_of(finding(code="FRZ201", name="frozen-param-in-optimizer", severity="info"))
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["defaultConfiguration"] == {"level": "warning"}
    assert "## Why it hurts" in rule["help"]["markdown"]
    assert "`" not in rule["shortDescription"]["text"]
    assert run["results"][0]["level"] == "note", "the severity that the user gave it"


def test_a_result() -> None:
    related = Related(Location("train.py", 6), "frozen here")
    (result,) = run_of(finding(TRAIN, related, related))["results"]
    assert len(result.pop("partialFingerprints")["freezelint/v1"]) == 32
    artifact = {"uri": "train.py", "uriBaseId": "%SRCROOT%"}
    assert result == {
        "ruleId": "FRZ101",
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": "`bn` is frozen (line 6) but runs in train mode; call `.eval()` on it"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": artifact,
                    "region": {"startLine": 3, "startColumn": 9, "endLine": 3, "endColumn": 22},
                },
                "logicalLocations": [{"name": "fit", "fullyQualifiedName": "fit", "kind": "function"}],
            }
        ],
        "relatedLocations": [
            {
                "id": 1,
                "physicalLocation": {
                    "artifactLocation": artifact,
                    "region": {"startLine": 6, "startColumn": 1},
                },
                "message": {"text": "frozen here"},
            }
        ],
        "properties": {"witness": "both", "subjects": ["model.bn"]},
    }


def test_calls_are_related_places() -> None:
    called = Location("train.py", 3, 9, 3, 22, "fit", (Location("train.py", 6),))
    (result,) = run_of(finding(called))["results"]
    assert [place["message"]["text"] for place in result["relatedLocations"]] == ["called from here"]


def test_a_notebook() -> None:
    (result,) = run_of(finding(IN_CELL))["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["region"] == {"startLine": 13}
    assert [name["name"] for name in location["logicalLocations"]] == ["cell 2"]


def test_odd_paths_are_uris() -> None:
    found = [finding(Location(path, 1)) for path in ("my dir/ä#.py", "/elsewhere/a b.py")]
    results = run_of(*found)["results"]
    artifacts = [each["locations"][0]["physicalLocation"]["artifactLocation"] for each in results]
    assert artifacts == [
        {"uri": "my%20dir/%C3%A4%23.py", "uriBaseId": "%SRCROOT%"},
        {"uri": "file:///elsewhere/a%20b.py"},
    ]


def test_limits_are_notifications() -> None:
    limits = (Limit("`Net`", "not read", "train.py", 6), Limit("a run", ""), Limit("b", "c", "train.py"))
    notifications = run_of(limits=limits)["invocations"][0]["toolExecutionNotifications"]
    assert [each["message"]["text"] for each in notifications] == ["`Net`: not read", "a run", "b: c"]
    assert notifications[0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 6}
    assert "locations" not in notifications[1]


def test_a_fix() -> None:
    place = Location("train.py", 3, 9, 3, 22)
    fix = Fix("keep `bn` in eval", "unsafe", (Edit(place, "model.eval()"),))
    (result,) = run_of(finding(fix=fix))["results"]
    (told_fix,) = result["fixes"]
    assert told_fix["description"] == {"text": "keep `bn` in eval (may change what the code does)"}
    (change,) = told_fix["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "train.py"
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 3, "startColumn": 9, "endLine": 3, "endColumn": 22},
            "insertedContent": {"text": "model.eval()"},
        }
    ]


def test_a_fix_in_a_notebook_has_no_place() -> None:
    fix = Fix("keep `bn` in eval", "safe", (Edit(IN_CELL, "model.eval()"),))
    assert "fixes" not in run_of(finding(IN_CELL, fix=fix))["results"][0]
