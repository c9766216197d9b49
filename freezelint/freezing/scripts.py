"""A plan as plain torch: a training script that needs no freezelint. No torch here: the command line imports
it too."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from freezelint.freezing.anatomy import Anatomy, cover
from freezelint.freezing.decisions import Decision

Batch = Literal["tensor", "dict"]

_WIDTH = 100
_CALLS: dict[Batch, str] = {"tensor": "model(inputs)", "dict": "model(**inputs).logits"}
_MOVES: dict[Batch, str] = {
    "tensor": "inputs.to(device)",
    "dict": "{name: value.to(device) for name, value in inputs.items()}",
}


@dataclass(frozen=True)
class Writing:
    """What the parts of a script are made from."""

    model: Anatomy
    decision: Decision
    batch: Batch

    @property
    def norms(self) -> str:
        """The class of the layers with running statistics."""
        module = "nn.modules.batchnorm"
        return f"{module}._BatchNorm" if self.model.batch_norm else f"{module}._NormBase"

    def parts(self, names: Iterable[str]) -> tuple[str, ...]:
        """The dotted names that stand for exactly these blocks."""
        wanted = set(names)
        chosen = [block for block in self.model.blocks if block.name in wanted]
        held = {name for block in chosen for name in block.parameters}
        found = cover(held, self.model.parameters)
        bare = (name for block in chosen for name in block.bare)
        return (*found, *(name for name in bare if not _is_in(name, found)))

    @property
    def names_norms(self) -> bool:
        """Whether the script deals with norm layers apart from the blocks that they are in."""
        return self.holds_norms or self.decision.norms == "calibrated"

    @property
    def holds_norms(self) -> bool:
        """Whether norm layers of blocks that train stay frozen."""
        return self.decision.norms in ("frozen", "calibrated") and len(self.decision.rates) > len(
            self.model.head
        )


def script(
    model: Anatomy,
    decision: Decision,
    batch: Batch,
    title: str,
    *,
    imports: Iterable[str] = (),
    constants: Iterable[str] = (),
    functions: Iterable[str] = (),
) -> str:
    """The functions that fine-tune a model, `fine_tune(model, loader, device)` the last of them. What is
    given is added: imports, constants before these, functions after them.
    """
    writing = Writing(model, decision, batch)
    own = ("import torch", "from torch import nn")
    imported = sorted({*own, *imports}, key=lambda line: (line.split()[1], line.split()[0] == "from"))
    standard = ["import math\n"] if decision.schedule == "cosine" else []
    head = [_docstring(decision, title), "\n".join([*standard, *imported])]
    return "\n\n".join(
        [*head, "\n".join([*constants, _constants(writing)]), *_spaced([*_functions(writing), *functions])]
    )


def _spaced(functions: Iterable[str]) -> list[str]:
    """Functions have two empty lines before them."""
    return ["\n" + "\n\n\n".join(functions) + "\n"]


def _docstring(decision: Decision, title: str) -> str:
    lines = [line for told in title.splitlines() for line in _wrapped(told, "    ")]
    lines += ["", *_wrapped(f"{decision.cell[0].upper()}{decision.cell[1:]}.")]
    for reason in decision.why:
        lines += _wrapped(f"- {reason}.", "  ")
    if decision.label_smoothing:
        lines += _wrapped("- regularisation: label smoothing, and ten times the usual weight decay.", "  ")
    lines += _wrapped("Guidelines, not results: compare with another depth of freezing on held-out data.")
    return '"""' + "\n".join(lines) + '\n"""'


def _constants(writing: Writing) -> str:
    decision = writing.decision
    lines = []
    head = [block.name for block in writing.model.head]
    if decision.stages or writing.names_norms:
        lines += ["# What is new; it trains from the beginning.", f"HEAD = {_tuple(writing.parts(head))}"]
    if decision.stages:
        lines += [f"RATE = {_rate(decision.rates[head[0]])}"]
        lines += ["# Opened one after the other, from the output to the input, and their learning rates."]
        lines += ["STAGES = ["]
        for names in decision.stages:
            lines.append(f"    ({_tuple(writing.parts(names), 5)}, {_rate(decision.rates[names[0]])}),")
        lines += ["]", f"EVERY = {decision.every}  # epochs from one to the next"]
    else:
        if decision.frozen:
            lines += ["# What stays as it was trained: modules and parameters, with a dot behind each."]
            lines += [f"FROZEN = {_tuple(writing.parts(decision.frozen))}"]
        lines += ["# What trains, from the output to the input, and its learning rate."]
        lines += ["GROUPS = ["]
        for rate, alike in _by_rate(decision.rates):
            lines.append(f"    ({_tuple(writing.parts(alike), 5)}, {_rate(rate)}),")
        lines += ["]"]
    lines += [f"EPOCHS = {decision.epochs}"]
    when = "after each opening" if decision.stages else "of warm-up"
    lines += [f"WARMUP = {decision.warmup_steps}  # optimizer steps {when}, at most a tenth of the training"]
    lines += [f"LOWEST = {decision.lowest:g}  # the part of the learning rates that is left at the end"]
    return "\n".join(lines)


def _functions(writing: Writing) -> list[str]:
    found = [_IS_IN]
    if writing.names_norms:
        found.append(_body_norms(writing))
    found.append(_set_modes(writing))
    if writing.decision.norms == "calibrated":
        moved, called = _MOVES[writing.batch], _CALLS[writing.batch]
        found.append(_CALIBRATE.format(moved=moved, called=called))
    return [*found, _factor(writing), _gradually(writing) if writing.decision.stages else _at_once(writing)]


_IS_IN = '''def is_in(name, parts):
    """Whether a module or parameter is one of the parts, or inside one."""
    return f"{name}.".startswith(parts)'''

_CALIBRATE = '''@torch.no_grad()
def calibrate(model, loader, device):
    """Measure the running statistics of the norm layers on the new data; the weights stay."""
    norms = body_norms(model)
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the average over all batches
        norm.train()
    for inputs, _ in loader:
        inputs = {moved}
        {called}'''


def _body_norms(writing: Writing) -> str:
    condition = f"isinstance(module, {writing.norms}) and not is_in(name, HEAD)"
    return f'''def body_norms(model):
    """The norm layers with running statistics, but for those of the head."""
    return [
        module
        for name, module in model.named_modules()
        if {condition}
    ]'''


def _set_modes(writing: Writing) -> str:
    lines = ["def set_modes(model, frozen):" if writing.decision.stages else "def set_modes(model):"]
    lines += [
        '    """Train mode for what trains; what is frozen stays in eval, norm layers and dropout alike."""'
    ]
    lines += ["    model.train()"]
    if writing.decision.stages or writing.decision.frozen:
        name = "frozen" if writing.decision.stages else "FROZEN"
        lines += ["    for name, module in model.named_modules():"]
        lines += [f"        if is_in(name, {name}):", "            module.eval()"]
    if writing.holds_norms:
        lines += ["    for norm in body_norms(model):", "        norm.eval()"]
    return "\n".join(lines)


def _factor(writing: Writing) -> str:
    cosine = writing.decision.schedule == "cosine"
    fall = "(1 + math.cos(math.pi * done)) / 2" if cosine else "1 - done"
    shape = "along a cosine" if cosine else "in a straight line"
    rise, since, name = "rise", "step", "factor(step, total)"
    if writing.decision.stages:
        rise, since, name = "rise after each opening", "step - opened", "factor(step, opened, total)"
    return f'''def {name}:
    """A short {rise}, and a fall {shape}; one factor for all groups."""
    warmup = min(WARMUP, max(total // 10, 1))
    done = min(max((step - warmup) / max(total - warmup, 1), 0.0), 1.0)
    left = {fall}
    return min(1.0, ({since} + 1) / warmup) * (LOWEST + (1 - LOWEST) * left)'''


def _optimizer(decision: Decision, groups: str) -> str:
    options = f"weight_decay={decision.weight_decay:g}"
    if decision.optimizer == "SGD":
        options = f"momentum=0.9, {options}"
    return f"torch.optim.{decision.optimizer}({groups}, {options})"


def _criterion(decision: Decision) -> str:
    smoothing = f"label_smoothing={decision.label_smoothing:g}" if decision.label_smoothing else ""
    return f"nn.CrossEntropyLoss({smoothing})"


def _at_once(writing: Writing) -> str:
    decision = writing.decision
    lines = ["def fine_tune(model, loader, device):"]
    if decision.frozen:
        lines += ["    for name, parameter in model.named_parameters():"]
        lines += ["        parameter.requires_grad = not is_in(name, FROZEN)"]
    if writing.holds_norms:
        lines += ["    for norm in body_norms(model):", "        norm.requires_grad_(False)"]
    if decision.norms == "calibrated":
        lines += ["    calibrate(model, loader, device)"]
    lines += [
        "    groups = []",
        "    for parts, rate in GROUPS:",
        "        named = [(n, p) for n, p in model.named_parameters() if is_in(n, parts)]",
        '        groups.append({"params": [p for _, p in named if p.requires_grad], "lr": rate})',
        f"    optimizer = {_optimizer(decision, 'groups')}",
        "    total = EPOCHS * len(loader)",
        "    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, total))",
        f"    criterion = {_criterion(decision)}",
        "    for epoch in range(EPOCHS):",
        "        set_modes(model)",
        "        for inputs, labels in loader:",
        f"            inputs, labels = {_MOVES[writing.batch]}, labels.to(device)",
        f"            loss = criterion({_CALLS[writing.batch]}, labels)",
        "            optimizer.zero_grad()",
        "            loss.backward()",
        "            optimizer.step()",
        "            schedule.step()",
        '        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.3f}")',
    ]
    return "\n".join(lines)


def _gradually(writing: Writing) -> str:
    decision = writing.decision
    flag = "id(parameter) not in fixed" if writing.holds_norms else "True"
    trained = "[p for p in new if p.requires_grad]" if writing.holds_norms else "new"
    lines = ["def fine_tune(model, loader, device):"]
    lines += ["    for name, parameter in model.named_parameters():"]
    lines += ["        parameter.requires_grad = is_in(name, HEAD)"]
    if writing.holds_norms:
        lines += ["    fixed = {id(p) for norm in body_norms(model) for p in norm.parameters()}"]
    lines += [
        "    head = [parameter for parameter in model.parameters() if parameter.requires_grad]",
        '    groups = [{"params": head, "lr": RATE, "peak": RATE}]',
        f"    optimizer = {_optimizer(decision, 'groups')}",
        "    total = EPOCHS * len(loader)",
        f"    criterion = {_criterion(decision)}",
        "    closed = list(STAGES)",
        "    step = opened = 0",
        "    for epoch in range(EPOCHS):",
        "        if epoch and epoch % EVERY == 0 and closed:",
        "            parts, rate = closed.pop(0)",
        "            new = []",
        "            for name, parameter in model.named_parameters():",
        "                if is_in(name, parts):",
        f"                    parameter.requires_grad = {flag}",
        "                    new.append(parameter)",
        f'            group = {{"params": {trained}, "lr": rate, "peak": rate}}',
        "            optimizer.add_param_group(group)",
        "            opened = step",
        "        set_modes(model, tuple(part for parts, _ in closed for part in parts))",
        "        for inputs, labels in loader:",
        f"            inputs, labels = {_MOVES[writing.batch]}, labels.to(device)",
        "            for group in optimizer.param_groups:",
        '                group["lr"] = group["peak"] * factor(step, opened, total)',
        f"            loss = criterion({_CALLS[writing.batch]}, labels)",
        "            optimizer.zero_grad()",
        "            loss.backward()",
        "            optimizer.step()",
        "            step += 1",
        '        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.3f}")',
    ]
    return "\n".join(lines)


def _by_rate(rates: dict[str, float]) -> list[tuple[float, list[str]]]:
    """Blocks that share a rate, in the order of `rates`."""
    found: dict[float, list[str]] = {}
    for name, rate in rates.items():
        found.setdefault(rate, []).append(name)
    return list(found.items())


def _is_in(name: str, parts: Iterable[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _rate(value: float) -> str:
    return f"{value:.3g}"


def _tuple(names: Sequence[str], indent: int = 0) -> str:
    """A tuple of names on dotted boundaries (`"layer1."`), on as many lines as it needs."""
    told = [f'"{name}."' for name in names]
    short = f"({', '.join(told)}{',' if len(told) == 1 else ''})"
    if len(short) + indent + 12 <= _WIDTH:
        return short
    outer = " " * (indent // 4 * 4)
    body = textwrap.fill(
        ", ".join(told) + ",", _WIDTH, initial_indent=f"{outer}    ", subsequent_indent=f"{outer}    "
    )
    return f"(\n{body}\n{outer})"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)
