"""FRZ301: what no optimizer trains is frozen: no gradients, no memory for them, and norm layers in eval."""

from __future__ import annotations

from freezelint.finding import Finding
from freezelint.live.applying import flags
from freezelint.live.applying.objects import Live
from freezelint.live.applying.records import Phase, Refused, Words
from freezelint.wording import plural

PHASE = Phase.FREEZE


def apply(finding: Finding, live: Live) -> Words:
    """Not where an optimizer holds them by now, nor where they may have replaced what it holds."""
    held = {id(each.parameter) for each in live.held()}
    named = live.parameters(finding.subjects).items()
    unused = {name: p for name, p in named if p.requires_grad and id(p) not in held}
    strays = held - {id(p) for p in live.named.values()}
    if unused and strays:
        yield Refused(
            f"an optimizer holds {plural(len(strays), 'parameter')} of no model that was seen: if "
            f"{live.told(list(unused))} replaced them, build the optimizer anew"
        )
        return
    yield from flags.freeze(live, unused)
