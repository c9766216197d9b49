"""What `freezing.domain_shift` says about data whose shift is known, and whether frozen features serve there.

    pip install scikit-learn && python -m tests.benchmarks.domain_shift

A ResNet learns the digits 0 to 4 of scikit-learn's 8 x 8 images. The table tells, for three runs, how far
other data are from these: other images of the same digits, changed ones, other digits, patches of
photographs. For the digits 5 to 9 also how accurate a linear probe and full fine-tuning become on half of
them (first run only). The thresholds of `freezelint.freezing.similarity` rest on this.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import torch
from sklearn.datasets import load_digits, load_sample_images  # type: ignore[import-not-found, unused-ignore]
from tabulate import tabulate
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.transforms.functional import rotate

from freezelint import freezing

RUNS = 3
CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "as they are": lambda images: images,
    "noise of 0.1": lambda images: images + 0.1 * torch.randn_like(images),
    "noise of 0.3": lambda images: images + 0.3 * torch.randn_like(images),
    "rotated by 15°": lambda images: rotate(images, 15),
    "mirrored": lambda images: images.flip(3),
    "rotated by 90°": lambda images: images.rot90(1, (2, 3)),
    "inverted": lambda images: 1 - images,
    "at 0.7 of the brightness": lambda images: 0.7 * images,
    "at half contrast": lambda images: 0.5 * images + 0.25,
    "blurred": lambda images: avg_pool2d(images, 3, 1, 1),
}


def build() -> ResNet:
    """A ResNet with one block a stage, for images of 8 x 8."""
    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5)
    model.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model


def fit(model: nn.Module, parameters: Iterable[nn.Parameter], data: tuple[Tensor, Tensor], lr: float) -> None:
    """Ten epochs."""
    model.train()
    images, labels = data
    optimizer = torch.optim.AdamW(parameters, lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=10 * (len(images) // 32))
    for _ in range(10):
        for chosen in torch.randperm(len(images)).split(32)[: len(images) // 32]:
            optimizer.zero_grad()
            cross_entropy(model(images[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()


def accuracy(model: nn.Module, data: tuple[Tensor, Tensor]) -> float:
    """The part that is told right."""
    with torch.no_grad():
        return float((model.eval()(data[0]).argmax(1) == data[1]).float().mean())


def transferred(model: nn.Module, data: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """Accuracies on one half of the data after a probe, and after full fine-tuning, on the other half."""
    half = len(data[0]) // 2
    first, second = (data[0][:half], data[1][:half]), (data[0][half:], data[1][half:])
    probed, tuned = copy.deepcopy(model), copy.deepcopy(model)
    for each in (probed, tuned):
        each.fc = nn.Linear(512, 5)
    freezing.freeze_all_but(probed, "fc")
    fit(probed, probed.get_submodule("fc").parameters(), first, 1e-2)
    fit(tuned, tuned.parameters(), first, 1e-3)
    return accuracy(probed, second), accuracy(tuned, second)


def photographs() -> Tensor:
    """Patches of two photographs, in grey, as large as the digits."""
    patches = []
    for photograph in load_sample_images().images:
        grey = torch.tensor(photograph).float().mean(2) / 255
        tiles = grey.unfold(0, 32, 32).unfold(1, 32, 32).reshape(-1, 1, 32, 32)
        patches.append(avg_pool2d(tiles, 4))
    return torch.cat(patches)


def run(seed: int) -> list[tuple[str, str, str, str]]:
    """The rows of one run: data, divergence, word, accuracies."""
    torch.manual_seed(seed)
    digits = load_digits()
    order = torch.randperm(len(digits.target))
    images = torch.tensor(digits.images, dtype=torch.float32)[order, None] / 16
    labels = torch.tensor(digits.target)[order]
    old, new = labels < 5, labels >= 5
    half = int(old.sum()) // 2
    model = build()
    fit(model, model.parameters(), (images[old][:half], labels[old][:half]), 3e-3)

    def row(name: str, target: Tensor, known: Tensor | None = None) -> tuple[str, str, str, str]:
        shift = freezing.domain_shift(model, target.split(64))
        gained = transferred(model, (target, known)) if known is not None else ()
        return (
            name,
            f"{shift.divergence:.3f}",
            shift.similarity,
            " to ".join(f"{each:.2f}" for each in gained),
        )

    rows = [row(f"other 0 to 4, {name}", change(images[old][half:])) for name, change in CHANGES.items()]
    told = labels[new] - 5 if seed == 0 else None
    rows += [row(f"5 to 9, {name}", change(images[new]), told) for name, change in CHANGES.items()]
    return [*rows, row("photographs", photographs())]


def main() -> None:
    """Print the table."""
    runs = [run(seed) for seed in range(RUNS)]
    table = [
        (rows[0][0], *(f"{number} {word}" for _, number, word, _ in rows), rows[0][3])
        for rows in zip(*runs, strict=True)
    ]
    shifts = [f"nats, run {seed}" for seed in range(RUNS)]
    print(tabulate(table, headers=["data", *shifts, "probe to full"], disable_numparse=True))


if __name__ == "__main__":
    main()
