"""Learning rate schedules that keep the ratios between groups, take in groups that are added later, and can
start over at each unfreezing."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from freezelint.freezing.shapes import Shape, falling, slanted


class RatioSchedule(LambdaLR):
    """A `LambdaLR` with one factor for all groups, so that their ratios stay as they were set.

    Groups that are added to the optimizer later are taken in at the next `step()` or `restart()`; the rate
    that they were added with is their base rate, as for the first ones. (torch's schedules raise, or leave
    such groups at their rate.) Step it once for each optimizer step, after it. `state_dict` holds everything;
    on resuming, add the same groups first (`GradualUnfreezing.load_state_dict` does).
    """

    def __init__(self, optimizer: Optimizer, shape: Shape) -> None:
        self.shape = shape
        super().__init__(optimizer, shape)

    def step(self, epoch: int | None = None) -> None:
        """Go on by one step, with all groups that the optimizer has now."""
        self._take_in()
        super().step(epoch)

    def restart(self) -> None:
        """Begin the warm-up anew with the next optimizer step, for all groups; call it when layers are
        unfrozen. What was added to the optimizer since the last step follows from here on. The decay over
        the whole training goes on; a slanted triangle starts over.
        """
        self._take_in()
        self.shape.restart(self.last_epoch)
        factor = self.shape(self.last_epoch)
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(base * factor)
            else:
                group["lr"] = base * factor
        self._last_lr = [_value(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The state, in which all groups share one shape."""
        state = super().state_dict()
        state["shape"] = vars(self.shape).copy()
        state["base_lrs"] = list(self.base_lrs)  # those of groups that are added later are not in this state
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; raises `ValueError` where the optimizer has other groups than it had then."""
        groups, saved = len(self.optimizer.param_groups), len(state_dict["base_lrs"])
        if groups != saved:
            raise ValueError(
                f"the schedule was saved with {saved} parameter groups and the optimizer has {groups}: add "
                "the groups of the later stages first (`GradualUnfreezing.load_state_dict`)"
            )
        self._take_in()
        shape = self.shape
        super().load_state_dict({**state_dict, "base_lrs": list(state_dict["base_lrs"])})
        vars(shape).update(state_dict["shape"])
        self.shape = shape

    def _take_in(self) -> None:
        """Give new groups a base rate."""
        for group in self.optimizer.param_groups[len(self.lr_lambdas) :]:
            base = group.setdefault("initial_lr", _value(group["lr"]))
            self.base_lrs.append(base)
            self.lr_lambdas.append(self.shape)


def warmup_cosine(
    optimizer: Optimizer, total_steps: int, warmup_steps: int = 0, lowest: float = 0.0
) -> RatioSchedule:
    """Rise linearly to each group's own rate over `warmup_steps`, then fall along a cosine until
    `total_steps`.

    The first optimizer step is taken at 1/`warmup_steps` of the rate, step number `warmup_steps` at all of
    it. `lowest`, in [0, 1), is the part of the rate that is left at the end and afterwards. Steps are
    optimizer steps. Raises `ValueError` for numbers out of range.

    Sources: Loshchilov and Hutter 2017 (cosine), Goyal et al. 2017 (warm-up).
    """
    return RatioSchedule(optimizer, falling("cosine", total_steps, warmup_steps, lowest))


def warmup_linear(
    optimizer: Optimizer, total_steps: int, warmup_steps: int = 0, lowest: float = 0.0
) -> RatioSchedule:
    """As `warmup_cosine`, falling in a straight line.

    Source: Devlin et al. 2019 (BERT).
    """
    return RatioSchedule(optimizer, falling("linear", total_steps, warmup_steps, lowest))


def slanted_triangular(
    optimizer: Optimizer, total_steps: int, rising: float = 0.1, ratio: float = 32.0
) -> RatioSchedule:
    """A short linear rise to each group's own rate over the part `rising` of `total_steps`, then a long
    linear fall; the lowest rate is 1/`ratio` of the highest. `restart()` begins a new triangle of the same
    length.

    Raises `ValueError` for numbers out of range.

    Source: Howard and Ruder 2018 (ULMFiT), equation 3, whose `cut_frac` and `ratio` these are.
    """
    return RatioSchedule(optimizer, slanted(total_steps, rising, ratio))


def _value(rate: float | Tensor) -> float | Tensor:
    return rate.clone() if isinstance(rate, Tensor) else rate
