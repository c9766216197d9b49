"""What follows from the evidence of a step without a witness seeing it. Shared by both witnesses."""

from __future__ import annotations

from dataclasses import replace

from freezelint.evidence import ModuleState


def infer_containers(states: dict[str, ModuleState]) -> None:
    """A module list is never called itself: it ran when something in it ran, from the first of these to the
    last.
    """
    below = _below(states)
    for path, state in states.items():
        inside = () if state.ran else [states[inner] for inner in below.get(path, ())]
        if inside:
            first, last = min(inside, key=_order), max(inside, key=_order)
            states[path] = replace(
                state,
                ran=True,
                order=first.order,
                with_gradient=any(s.with_gradient for s in inside),
                without_gradient=any(s.without_gradient for s in inside),
                conditional_cut=any(s.conditional_cut for s in inside),
                input_requires_grad=first.input_requires_grad,
                output_requires_grad=last.output_requires_grad,
            )


def _below(states: dict[str, ModuleState]) -> dict[str, list[str]]:
    """What has a place in the order of execution, by each path around it."""
    found: dict[str, list[str]] = {}
    for path, state in states.items():
        outer = path
        while outer and state.order is not None:
            outer = outer.rpartition(".")[0]
            found.setdefault(outer, []).append(path)
    return found


def _order(state: ModuleState) -> int:
    return state.order or 0
