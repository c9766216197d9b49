"""What the scripts of the experiment share: the data, the network, and what is measured at the end.

scikit-learn's digits (1,797 pictures of 8 x 8), halved by class: 0 to 4 are the source, 5 to 9 the target.
"""

from __future__ import annotations

import copy
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

SEED = int(os.environ.get("SEED", "0"))
EPOCHS = 12
WEIGHTS = f"pretrained-{SEED}.pt"


class Block(nn.Module):
    """Two convolutions with a shortcut, as in ResNet-18."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + self.shortcut(x)).relu()


class SmallResNet(nn.Module):
    """Three stages and a head, some 80,000 parameters."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.stage1, self.stage2, self.stage3 = Block(16, 16), Block(16, 32, 2), Block(32, 64, 2)
        self.head = nn.Linear(64, classes)

    def features(self, x: Tensor) -> Tensor:
        return self.stage3(self.stage2(self.stage1(self.stem(x)))).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class Half:
    """The pictures of five classes, in batches of 32; a fifth of them is kept for the test."""

    def __init__(self, first: int) -> None:
        pictures, labels = load_digits(return_X_y=True)
        chosen = (labels >= first) & (labels < first + 5)
        x = torch.tensor(pictures[chosen], dtype=torch.float32).view(-1, 1, 8, 8) / 8 - 1
        y = torch.tensor(labels[chosen] - first)
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(7))
        test = len(y) // 5
        self.test_x, self.test_y = x[order[:test]], y[order[:test]]
        self.train_x, self.train_y = x[order[test:]], y[order[test:]]

    def few(self, count: int) -> Half:
        """The same with `count` pictures to train on: transfer is for those who have little."""
        self.train_x, self.train_y = self.train_x[:count], self.train_y[:count]
        return self

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.train_y))
        for batch in order.split(32):
            yield self.train_x[batch], self.train_y[batch]


def accuracy(model: SmallResNet, head: nn.Linear, half: Half) -> float:
    """Share of the test pictures that are told right, in eval mode, by the features of the model."""
    model = copy.deepcopy(model).eval()
    with torch.no_grad():
        return (head(model.features(half.test_x)).argmax(1) == half.test_y).float().mean().item()


def pretrain() -> None:
    """Train on the source, and keep the weights."""
    torch.manual_seed(SEED)
    model, half = SmallResNet(), Half(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    for _ in range(15):
        model.train()
        for x, y in half:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    torch.save(model.state_dict(), WEIGHTS)


def report(
    model: SmallResNet, optimizer: torch.optim.Optimizer, step: Callable[[], object], target: Half
) -> None:
    """Print what is to be compared. `step` is one training step, as the script does it."""
    accuracies = {"target": accuracy(model, model.head, target)}
    source_head = nn.Linear(64, 5)
    weights = torch.load(WEIGHTS)
    source_head.load_state_dict({"weight": weights["head.weight"], "bias": weights["head.bias"]})
    accuracies["source"] = accuracy(model, source_head, Half(0))
    times = []
    for _ in range(25):
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    gradients = sum(p.grad.nbytes for p in model.parameters() if p.grad is not None)
    states = [value for state in optimizer.state.values() for value in state.values()]
    state = sum(value.nbytes for value in states if isinstance(value, Tensor))
    kib = (sum(saved.values()) + gradients + state) / 1024
    print(json.dumps({**accuracies, "milliseconds": 1000 * statistics.median(times[5:]), "kib": kib}))
