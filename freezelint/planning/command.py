"""What `freezelint plan` does, from its options to what it prints."""

from __future__ import annotations

import json
import shlex
from typing import Any

from freezelint.errors import BadInputError
from freezelint.freezing.decisions import decide, size_of
from freezelint.freezing.plans import Plan
from freezelint.freezing.similarity import known_word
from freezelint.planning.skeletons import written
from freezelint.planning.targets import Target, find

DEFAULT_CLASSES = 2


def told(
    name: str, samples: int, similarity: str, library: str | None, classes: int, output_format: str
) -> str:
    """The plan for a published model: a script, or JSON with the script in it. Raises `BadInputError`."""
    size_of(samples)
    target = find(name, library, classes)
    try:
        decision = decide(samples, known_word(similarity), target.anatomy)
    except ValueError as error:
        raise BadInputError(f"{name}: {error}") from error
    plan = Plan(target.anatomy, decision, "dict" if target.library == "transformers" else "tensor")
    command = f"freezelint plan {shlex.quote(name)} --samples {samples} --similarity {similarity}"
    command += f" --library {library}" if library else ""
    command += f" --classes {classes}" if classes != DEFAULT_CLASSES else ""
    code = written(target, plan, command)
    return code if output_format == "text" else json.dumps(_data(target, plan, code), indent=2) + "\n"


def _data(target: Target, plan: Plan, code: str) -> dict[str, Any]:
    decision = plan.decision
    opened = {name: stage for stage, names in enumerate(decision.stages, 1) for name in names}
    blocks = [
        {
            "name": block.name,
            "parameters": block.values,
            "head": block.head,
            "frozen": block.name in decision.frozen,
            "learning_rate": decision.rates.get(block.name),
            "from_epoch": opened[block.name] * decision.every + 1 if block.name in opened else 1,
        }
        for block in plan.model.blocks
    ]
    for block in blocks:
        if block["frozen"]:
            block["from_epoch"] = None
    return {
        "version": 1,
        "target": target.name,
        "library": target.library,
        "classes": target.classes,
        "size": decision.size,
        "similarity": decision.similarity,
        "cell": decision.cell,
        "blocks": blocks,
        "norms": decision.norms,
        "optimizer": decision.optimizer,
        "weight_decay": decision.weight_decay,
        "label_smoothing": decision.label_smoothing,
        "schedule": decision.schedule,
        "warmup_steps": decision.warmup_steps,
        "epochs": decision.epochs,
        "why": list(decision.why),
        "code": code,
    }
