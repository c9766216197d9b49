"""What a module that nobody knows gives when it is asked for its parts: some that nobody knows either."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.source.interpreter.describing import text_of
from freezelint.source.interpreter.iteration import Repeat
from freezelint.source.interpreter.values import Call, Tensor, Unknown, Value
from freezelint.source.recording.claims import claim_here
from freezelint.source.recording.no_effects import mark
from freezelint.source.vocabulary import method

if TYPE_CHECKING:
    from freezelint.source.interpreter.machine import Machine


@method(Unknown, "parameters", "children", "modules")
def parts(machine: Machine, owner: Unknown, call: Call) -> Value:
    """Some of its parts."""
    text = f"{text_of(owner)}.{call.name}()"
    return Repeat(lambda position: _part(text, position, call.name), text=text)


@method(Unknown, "named_parameters", "named_children", "named_modules")
def named_parts(machine: Machine, owner: Unknown, call: Call) -> Value:
    """Some of its parts with their names."""
    text = f"{text_of(owner)}.{call.name}()"
    return Repeat(lambda position: (Unknown("name"), _part(text, position, call.name)), text=text)


@method(Unknown, "requires_grad_")
def requires_grad_(machine: Machine, owner: Unknown, call: Call) -> Value:
    """Flags of parameters that nobody knows are set; or that of an input."""
    machine.recorder.misses.unclear += 1
    if machine.truth(call.get(0, "requires_grad", True)) is not False:
        machine.recorder.inputs_require_grad = True
    return owner


@method(Unknown, "eval")
def eval_(machine: Machine, owner: Unknown, call: Call) -> Value:
    """Eval mode of a module that nobody knows: told where the code says that it freezes, and does not."""
    claimed = claim_here(machine)
    if claimed.get("says") == "freeze" and claimed.get("freezes_otherwise") is False and not call.args:
        machine.recorder.event("to-eval")
    return owner


# What only the generation of text knows: it returns tokens, which have no gradient.
_OF_GENERATION = {"max_new_tokens", "max_length", "num_beams", "do_sample", "pad_token_id"}


@method(Unknown, "generate")
def generate(machine: Machine, owner: Unknown, call: Call) -> Value:
    """Tokens, where it is text that is generated."""
    if _OF_GENERATION.isdisjoint(call.kwargs):
        return machine.call_with(Unknown(f"{text_of(owner)}.generate"), call)
    return Tensor(requires_grad=False, text="generate()")


def _part(text: str, position: Value, name: str) -> Unknown:
    return mark(
        Unknown(f"{text}[{text_of(position)}]"), "parameter" if name.endswith("parameters") else "module"
    )
