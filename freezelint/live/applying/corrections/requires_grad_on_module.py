"""FRZ501: the flag that was assigned to a module is set on its parameters."""

from __future__ import annotations

from freezelint.finding import Finding
from freezelint.live.applying import flags
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Done, Phase, Refused, Words

PHASE = Phase.FREEZE

_METHOD = "requires_grad_"


def apply(finding: Finding, live: Live) -> Words:
    """A `requires_grad_` that was overwritten is a method again; a `requires_grad` on a module stays, since
    code may read it.
    """
    if finding.evidence.get("attribute") == _METHOD:
        yield from _restore_method(finding, live)
    value = finding.evidence.get("value")
    if value not in ("True", "False"):
        yield Refused(f"what `{value}` was to mean for the flags is not known")
        return
    wanted = value == "True"
    named = live.parameters(finding.subjects).items()
    yield from flags.set_flags(live, {n: p for n, p in named if p.requires_grad != wanted}, wanted)


def _restore_method(finding: Finding, live: Live) -> Words:
    wanted = {id(parameter) for parameter in live.parameters(finding.subjects).values()}
    for root in live.models.values():
        for path, module in root.named_modules():
            if _METHOD in vars(module) and any(id(p) in wanted for p in module.parameters()):
                del vars(module)[_METHOD]
                yield Done(f"`{path or type(module).__name__}.{_METHOD}` is a method again")
