"""What must stay silent in code that nothing calls: libraries of layers, helpers, trainers."""

from __future__ import annotations

import pytest

from tests.source.silence import reading, told

FRAGMENTS = {
    "parts that may be parameters or modules": """
        def lock(model, open_parts=1):
            parts = [getattr(model, name, None) for name in ("embedding", "positions", "norm")]
            for part in [part for part in parts if part is not None]:
                if isinstance(part, nn.Parameter):
                    part.requires_grad = False
                elif isinstance(part, nn.Module):
                    for p in part.parameters():
                        p.requires_grad = False
    """,
    "stages that a setting freezes, in a class that keeps them in eval": """
        class Backbone(nn.Module):
            def __init__(self, frozen=-1, positions=False, depths=(1, 2, 1)):
                super().__init__()
                self.frozen, self.with_positions = frozen, positions
                self.stem = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.BatchNorm2d(8))
                if positions:
                    self.positions = nn.Parameter(torch.zeros(1, 10, 8))
                self.drop = nn.Dropout(0.1)
                self.stages = nn.ModuleList()
                for depth in depths:
                    self.stages.append(nn.Sequential(*[nn.Conv2d(8, 8, 3) for _ in range(depth)]))
                self._freeze()

            def _freeze(self):
                if self.frozen >= 0:
                    self.stem.eval()
                    self.drop.eval()
                    self.stem.requires_grad_(False)
                    if self.with_positions:
                        self.positions.requires_grad = False
                for i in range(1, self.frozen + 1):
                    self.stages[i - 1].eval()
                    for p in self.stages[i - 1].parameters():
                        p.requires_grad = False

            def train(self, mode=True):
                super().train(mode)
                self._freeze()

            def forward(self, x):
                x = self.drop(self.stem(x))
                for stage in self.stages:
                    x = stage(x)
                return x
    """,
    "helpers for any model": """
        def freeze(model, names=("layer1",), but=None):
            for name, p in model.named_parameters():
                if any(each in name for each in names) and not (but and but in name):
                    p.requires_grad = False

        def unfreeze(model):
            for p in model.parameters():
                p.requires_grad = True

        def norm_to_eval(module):
            if "BatchNorm" in type(module).__name__:
                module.eval()

        def freeze_bn(model):
            model.apply(norm_to_eval)
    """,
    "a training loop for any model": """
        def train_epoch(model, criterion, loader, optimizer, clip=0.0, keep_norms=False):
            model.train()
            if keep_norms:
                for module in model.modules():
                    if isinstance(module, nn.BatchNorm2d):
                        module.eval()
            for x, y in loader:
                optimizer.zero_grad()
                criterion(model(x), y).backward()
                if clip:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()

        def fit(model, loader, epochs):
            optimizer = torch.optim.Adam(model.parameters())
            for _ in range(epochs):
                train_epoch(model, nn.CrossEntropyLoss(), loader, optimizer)
                model.eval()
                with torch.no_grad():
                    print(sum(model(x).sum() for x, _ in loader))
    """,
    "a wrapper around an encoder that it is given": """
        class Probe(nn.Module):
            def __init__(self, encoder, frozen=True):
                super().__init__()
                self.encoder, self.head = encoder, nn.Linear(16, 2)
                if frozen:
                    self.freeze_encoder()

            def freeze_encoder(self):
                self.encoder.requires_grad_(False)
                self.encoder.eval()

            def forward(self, x):
                with torch.no_grad():
                    features = self.encoder(x)
                return self.head(features)

        class Trainer:
            def __init__(self, model, rate=1e-3):
                self.model = model
                trained = filter(lambda p: p.requires_grad, model.parameters())
                self.optimizer = torch.optim.Adam(trained, lr=rate)

            def train(self, loader):
                self.model.train()
                for x, y in loader:
                    self.optimizer.zero_grad()
                    F.cross_entropy(self.model(x), y).backward()
                    self.optimizer.step()

            def freeze(self):
                self.model.freeze_encoder()
    """,
    "losses with a frozen network, fixed filters": """
        class Perceptual(nn.Module):
            def __init__(self):
                super().__init__()
                vgg = torchvision.models.vgg16(weights="DEFAULT").features
                self.blocks = nn.ModuleList([vgg[:4].eval(), vgg[4:9].eval()])
                for p in self.blocks.parameters():
                    p.requires_grad = False
                self.mean = nn.Parameter(torch.tensor([0.5]), requires_grad=False)

            def forward(self, one, other):
                loss = 0.0
                for block in self.blocks:
                    one, other = block(one - self.mean), block(other - self.mean)
                    loss = loss + F.l1_loss(one, other)
                return loss

        class Expectation(nn.Module):
            def __init__(self, bins=16):
                super().__init__()
                self.sum = nn.Conv2d(bins, 1, 1, bias=False).requires_grad_(False)
                self.sum.weight.data[:] = torch.arange(bins).float().view(1, bins, 1, 1)

            def forward(self, x):
                return self.sum(x)

        class Shift(nn.Conv2d):
            def __init__(self, mean):
                super().__init__(3, 3, kernel_size=1)
                self.weight.data = torch.eye(3).view(3, 3, 1, 1)
                self.bias.data = torch.tensor(mean)
                for p in self.parameters():
                    p.requires_grad = False
    """,
    "a frozen copy that a method uses and lets go": """
        class Learner:
            def __init__(self, model):
                self.model = model

            def export(self, path):
                still = copy.deepcopy(self.model).eval()
                for p in still.parameters():
                    p.requires_grad = False
                torch.onnx.export(still, torch.zeros(1, 3, 64, 64), path)

        def finish(path):
            learner = Learner(torchvision.models.resnet18(weights="DEFAULT"))
            learner.export(path)
    """,
}


@pytest.mark.parametrize("text", FRAGMENTS.values(), ids=FRAGMENTS)
def test_fragments_of_libraries(text: str) -> None:
    assert told(reading(text)) == []
