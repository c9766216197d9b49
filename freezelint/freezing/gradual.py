"""Gradual unfreezing: from the output to the input, in one optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from torch import nn
from torch.optim import LBFGS, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from freezelint.freezing.flags import leave_trainable, unfreeze_selection
from freezelint.freezing.following import refuse, take_in, unwrapped_schedule
from freezelint.freezing.patterns import Selection, inner
from freezelint.freezing.rates import NO_DECAY, undecayed
from freezelint.freezing.schedules import RatioSchedule
from freezelint.freezing.structure import Block, blocks

# What a new group does not take over from the head's.
_OWN = ("params", "param_names", "lr", "initial_lr", "name")


class GradualUnfreezing:
    """Train the head first, then unfreeze one block after the other, from the output to the input.

        freezing.freeze_all_but(model, "fc")
        optimizer = torch.optim.AdamW(model.fc.parameters(), lr=1e-3)
        schedule = freezing.slanted_triangular(optimizer, total_steps=1000)
        unfreezing = freezing.GradualUnfreezing(model, optimizer, schedule=schedule)
        for epoch in range(epochs):
            unfreezing.begin_epoch(epoch)
            model.train()
            for batch in loader:
                ...  # forward, backward, optimizer.step(), schedule.step(), optimizer.zero_grad()

    `optimizer` holds what trains from the beginning: the head, that is, all or part of the model's last
    block. Everything else is frozen here, as `freezing.freeze` does it. Each block that is opened is added to
    the *same* optimizer as a group of its own, named after it, so that momentum and Adam state of what
    already trains are kept. Its rate is `decay**k` times the head's own rate (before any schedule), k blocks
    from the head; its other options are those of the head's group. Where the head has a group of its own for
    biases without weight decay, each block gets one for its norm layers and biases too.

    - `every`: epochs between two blocks (`begin_epoch`). `advance()` opens the next one at any time.
    - `decay`: in (0, 1]; ULMFiT divides by 2.6 from block to block, the default.
    - `norms`: `"follow"` lets norm layers with running statistics train again with their block; `"frozen"`
      leaves those of every block but the head frozen, scale, shift and statistics (small batches, little
      data).
    - `schedule`: a `RatioSchedule`, which takes the new group in and warms up again at each block; or any of
      torch's (several in a list), made to take it in: it goes on as for the head. Cyclic ones cannot.
    - `sample` as in `freezing.blocks`, or `blocks`, a list of its own making.

    Raises `ValueError` where the optimizer does not hold the head, or already holds everything, or cannot
    take the other blocks in (LBFGS, Muon), where `decay`, `every` or `norms` are out of range, for a cyclic
    schedule, and for a model that DistributedDataParallel has wrapped.

    Source: Howard and Ruder 2018 (ULMFiT), section 3.3.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        *,
        decay: float = 1 / 2.6,
        every: int = 1,
        norms: Literal["follow", "frozen"] = "follow",
        schedule: LRScheduler | Sequence[LRScheduler] | None = None,
        sample: Any = None,
        blocks: Sequence[Block] | None = None,
    ) -> None:
        self._model = inner(model)
        self._optimizer = optimizer
        self._decay, self._every, self._norms = decay, every, norms
        check(decay, every, norms)
        self.follow(schedule)
        self._blocks = _blocks_of(self._model, sample) if blocks is None else list(blocks)
        self._stage = 0
        held = _held(optimizer)
        self._closed = self._frozen_blocks(held)
        _refuse_optimizer(optimizer, self._closed, held)
        head = {n: p for block in self._blocks for n, p in block.parameters.items() if id(p) in held}
        leave_trainable(self._model, Selection(head, self._head_modules(held)))

    @property
    def stage(self) -> int:
        """How many blocks were opened so far; 0 while only the head trains."""
        return self._stage

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the blocks, in the order in which they are opened."""
        return tuple(block.name for block in self._closed)

    @property
    def done(self) -> bool:
        """Whether every block is open."""
        return self._stage == len(self._closed)

    def begin_epoch(self, epoch: int) -> tuple[str, ...]:
        """Open what is due at the beginning of an epoch (counted from 0), and return the names.

        Nothing at epoch 0; then one block after every `every` epochs. Calling it again changes nothing, and
        after a resume it goes on where it was.
        """
        opened: list[str] = []
        while self._stage < min(epoch // self._every, len(self._closed)):
            opened.append(self._open().name)
        self._warm_up(bool(opened))
        return tuple(opened)

    def advance(self) -> str | None:
        """Open the next block, nearer to the input, and return its name; None where all are open."""
        if self.done:
            return None
        block = self._open()
        self._warm_up(True)
        return block.name

    def follow(self, schedule: LRScheduler | Sequence[LRScheduler] | None) -> None:
        """Take other schedules than those given first: they must know the groups that there are now."""
        several = schedule if isinstance(schedule, Sequence) else [] if schedule is None else [schedule]
        for each in several:
            refuse(each)
        self._schedules = tuple(unwrapped_schedule(each) for each in several)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs: the stage, and the names of the blocks that are open."""
        return {"stage": self._stage, "opened": list(self.stages[: self._stage])}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Open the blocks that were open when the state was saved, adding their groups.

        Build model, optimizer and this object as at the start of the training, then load this state first,
        the optimizer's second (it needs the same groups), the schedule's third. Raises `ValueError` where the
        blocks are others, or more of them are open already.
        """
        opened = list(state["opened"])
        if list(self.stages[: len(opened)]) != opened or self._stage > len(opened):
            raise ValueError(
                f"the state opened {opened} and this model opens {list(self.stages)}, {self._stage} of them "
                "so far: load it into the same model, before any block is opened"
            )
        while self._stage < len(opened):
            self._open()

    def open_groups(self, names: Iterable[str]) -> None:
        """Open the blocks that an optimizer had groups of these names for: what `load_state_dict` does, told
        by the groups of a saved optimizer (`state["param_groups"]`).
        """
        wanted = [name.removesuffix(NO_DECAY) for name in names]
        unknown = [name for name in wanted if name not in self.stages]
        count = max((self.stages.index(name) + 1 for name in wanted if name not in unknown), default=0)
        self.load_state_dict({"opened": unknown or self.stages[: max(count, self._stage)]})

    def _frozen_blocks(self, held: set[int]) -> list[Block]:
        """The blocks with anything that the optimizer does not hold, from the output to the input."""
        last = self._blocks[-1]
        if not any(id(p) in held for p in last.parameters.values()):
            raise ValueError(
                f"the optimizer holds nothing of `{last.name}`, the last block: build it from the head's "
                "parameters"
            )
        closed = [b for b in reversed(self._blocks) if any(id(p) not in held for p in b.parameters.values())]
        if not closed:
            raise ValueError(
                "the optimizer already holds every parameter: build it from the head's alone "
                f"(`{last.name}`); the others are added as they are unfrozen"
            )
        return closed

    def _head_modules(self, held: set[int]) -> dict[str, nn.Module]:
        """The modules of the blocks that train from the beginning."""
        modules: dict[str, nn.Module] = {}
        for block in self._blocks:
            if all(id(p) in held for p in block.parameters.values()):
                modules.update(block.selection(self._model).modules)
        return modules

    def _open(self) -> Block:
        block = self._closed[self._stage]
        unfreeze_selection(self._model, block.selection(self._model), keep_norms=self._norms == "frozen")
        held = _held(self._optimizer)
        new = {n: p for n, p in block.parameters.items() if p.requires_grad and id(p) not in held}
        self._stage += 1
        for group in self._groups(block, new):
            self._optimizer.add_param_group(group)
        for schedule in self._schedules:
            take_in(schedule, self._optimizer, self._head_groups()[0])
        return block

    def _groups(self, block: Block, parameters: dict[str, nn.Parameter]) -> list[dict[str, Any]]:
        """The groups of a block that is opened: one, or two where the head's norms and biases have one."""
        head, plain = self._head_groups()
        without = undecayed(self._model) if plain is not None else set()
        weights = {n: p for n, p in parameters.items() if id(p) not in without}
        others = {n: p for n, p in parameters.items() if id(p) in without}
        groups = [self._group(block.name, block, weights, head)] if weights else []
        if plain is not None and others:
            groups.append(self._group(f"{block.name}{NO_DECAY}", block, others, plain))
        return groups

    def _group(
        self, name: str, block: Block, parameters: dict[str, nn.Parameter], like: dict[str, Any]
    ) -> dict[str, Any]:
        exponent = len(self._blocks) - 1 - self._blocks.index(block)
        head = self._head_groups()[0]
        return {
            **{key: value for key, value in like.items() if key not in _OWN},
            "params": list(parameters.items()) if "param_names" in like else list(parameters.values()),
            "lr": head.get("initial_lr", head["lr"]) * self._decay**exponent,
            "name": name,
        }

    def _head_groups(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The group that holds most of the last block, and the one that holds biases of it without weight
        decay where the first has some.
        """
        last = {id(p) for p in self._blocks[-1].parameters.values()}
        groups = self._optimizer.param_groups
        head = max(groups, key=lambda group: sum(p.numel() for p in group["params"] if id(p) in last))
        plain = (
            group
            for group in groups
            if head.get("weight_decay")
            and group.get("weight_decay") == 0
            and any(id(p) in last for p in group["params"])
            and all(p.ndim <= 1 for p in group["params"] if id(p) in last)
        )
        return head, next(plain, None)

    def _warm_up(self, opened: bool) -> None:
        for schedule in self._schedules if opened else ():
            if isinstance(schedule, RatioSchedule):
                schedule.restart()


def _blocks_of(model: nn.Module, sample: Any) -> list[Block]:
    return blocks(model, sample)


def _refuse_optimizer(optimizer: Optimizer, closed: Iterable[Block], held: set[int]) -> None:
    """Raise `ValueError` for an optimizer that would not train a block that is added to it."""
    if isinstance(optimizer, LBFGS):
        raise ValueError("LBFGS keeps one state for all its parameters together: use another optimizer")
    if type(optimizer).__name__ != "Muon":
        return
    for block in closed:
        for name, p in block.parameters.items():
            if p.ndim != 2 and id(p) not in held:
                raise ValueError(
                    f"Muon trains matrices only, and `{name}` has {p.ndim} dimensions: use another optimizer"
                )


def _held(optimizer: Optimizer) -> set[int]:
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


def check(decay: float, every: int, norms: str, unit: str = "epoch") -> None:
    """Raise `ValueError` for options that are out of range."""
    if unit not in ("epoch", "step"):
        raise ValueError(f"unit must be 'epoch' or 'step', and is {unit!r}")
    if not 0 < decay <= 1:
        raise ValueError(f"decay is the factor from a block to the one before it, in (0, 1], and is {decay}")
    if every < 1:
        raise ValueError(f"every is a number of {unit}s, at least 1, and is {every}")
    if norms not in ("follow", "frozen"):
        raise ValueError(f"norms must be 'follow' or 'frozen', and is {norms!r}")
