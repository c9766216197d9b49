"""What must stay silent: modes and statistics, heads and names, what only looks like torch."""

from __future__ import annotations

import pytest

from tests.source.silence import assert_silent, reading, told

# --- modes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        'torchvision.models.vgg16(weights="DEFAULT")',
        'torchvision.models.vit_b_16(weights="DEFAULT")',
        'torchvision.models.convnext_tiny(weights="DEFAULT")',
        "nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.Flatten(), nn.LazyLinear(5))",
    ],
)
def test_frozen_blocks_without_running_statistics(model: str) -> None:
    assert_silent(f"""
        body = {model}
        body.load_state_dict(torch.load("body.pt"))
        for p in body.parameters():
            p.requires_grad = False
        head = nn.LazyLinear(3)
        optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
        for x, y in loader:
            body.train()
            head.train()
            optimizer.zero_grad()
            F.cross_entropy(head(body(x)), y).backward()
            optimizer.step()
    """)


def test_frozen_batch_norm() -> None:
    assert_silent("""
        from torchvision.ops import FrozenBatchNorm2d
        body = torchvision.models.resnet50(weights="DEFAULT", norm_layer=FrozenBatchNorm2d)
        for name, p in body.named_parameters():
            if not name.startswith(("layer2", "layer3", "layer4")):
                p.requires_grad_(False)
        body.fc = nn.Linear(2048, 10)
        optimizer = torch.optim.SGD([p for p in body.parameters() if p.requires_grad], lr=1e-4)
        body.train()
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(body(x), y).backward()
            optimizer.step()
    """)


def test_a_train_method_that_keeps_norm_layers_in_eval() -> None:
    assert_silent("""
        class Detector(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = torchvision.models.resnet18(weights="DEFAULT")
                self.backbone.requires_grad_(False)
                self.backbone.fc = nn.Linear(512, 4)

            def train(self, mode=True):
                super().train(mode)
                for module in self.backbone.modules():
                    if isinstance(module, nn.BatchNorm2d):
                        module.eval()
                return self

            def forward(self, x):
                return self.backbone(x)

        model = Detector()
        optimizer = torch.optim.SGD(model.backbone.fc.parameters(), lr=0.01)
        for epoch in range(3):
            model.train()
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
    """)


def test_norm_layers_that_go_back_to_eval_after_each_train() -> None:
    assert_silent("""
        class Segmenter(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = torchvision.models.resnet18(weights="DEFAULT")
                self.body.fc = nn.Identity()
                self.head = nn.Linear(512, 21)

            def forward(self, x):
                return self.head(self.body(x))

            def freeze_bn(self):
                for m in self.modules():
                    if isinstance(m, nn.BatchNorm2d):
                        m.eval()
                        m.weight.requires_grad = False
                        m.bias.requires_grad = False

        model = Segmenter()
        model.freeze_bn()
        optimizer = torch.optim.SGD(
            [{"params": [p for p in model.body.parameters() if p.requires_grad], "lr": 1e-4},
             {"params": model.head.parameters(), "lr": 1e-3}], momentum=0.9)
        for epoch in range(3):
            model.train()
            model.freeze_bn()
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
            model.eval()
    """)


def test_a_frozen_block_under_no_grad() -> None:
    assert_silent("""
        class Probe(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = torchvision.models.resnet18(weights="DEFAULT")
                self.body.fc = nn.Identity()
                self.body.requires_grad_(False)
                self.head = nn.Sequential(nn.Linear(512, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 2))

            def forward(self, x):
                with torch.no_grad():
                    features = self.body(x)
                return self.head(features)

        model = Probe()
        optimizer = torch.optim.Adam(model.head.parameters())
        for epoch in range(3):
            model.train()
            model.body.eval()
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
    """)


def test_features_that_are_extracted_once() -> None:
    assert_silent("""
        body = torchvision.models.resnet18(weights="DEFAULT")
        body.fc = nn.Identity()
        body.eval()
        cache = []
        with torch.no_grad():
            for x, y in loader:
                cache.append((body(x), y))
        head = nn.Linear(512, 2)
        optimizer = torch.optim.Adam(head.parameters())
        for features, y in cache:
            optimizer.zero_grad()
            F.cross_entropy(head(features), y).backward()
            optimizer.step()
    """)


def test_eval_mode_from_the_first_step_to_the_last() -> None:
    assert_silent("""
        # Small batches: the whole network is tuned with the statistics that it came with, so it stays in eval
        # mode.
        model = torchvision.models.resnet18(weights="DEFAULT")
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        for epoch in range(3):
            model.eval()  # keep the statistics
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
    """)


# --- heads and names ------------------------------------------------------------------------


def test_a_head_that_was_replaced_before_the_freeze_and_switched_on_after_it() -> None:
    assert_silent("""
        model = torchvision.models.vgg16(weights="DEFAULT")
        model.classifier[6] = nn.Linear(4096, 10)
        for p in model.parameters():
            p.requires_grad = False
        for p in model.classifier[6].parameters():
            p.requires_grad = True
        optimizer = torch.optim.SGD(model.classifier[6].parameters(), lr=1e-3)
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    """)


def test_a_block_that_is_a_parameter() -> None:
    assert_silent("""
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        model.load_state_dict(torch.load("model.pt"))
        for block in model[0].parameters():
            block.requires_grad = False
        optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.1)
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    """)


def test_a_pattern_with_a_trailing_dot() -> None:
    assert_silent("""
        layers = [nn.Sequential(nn.Linear(8, 8), nn.ReLU()) for _ in range(12)]
        model = nn.Sequential(*layers, nn.Linear(8, 2))
        model.load_state_dict(torch.load("model.pt"))
        for name, p in model.named_parameters():
            if name.startswith(("0.", "1.")):
                p.requires_grad = False
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    """)


PROBE = """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--pretrained", default="")
        parser.add_argument("--resume", default="")
        args = parser.parse_args()
        model = torchvision.models.resnet18()
        for name, p in model.named_parameters():
            if name not in ["fc.weight", "fc.bias"]:
                p.requires_grad = False
        model.fc.weight.data.normal_(mean=0.0, std=0.01)
        if args.LOADED:
            stored = torch.load(args.LOADED)["state_dict"]
            model.load_state_dict(HOW)
        optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=30.0)
        for epoch in range(100):
            model.eval()
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
    """


def test_weights_for_a_frozen_backbone_are_an_option() -> None:
    """The usual linear probe: what is frozen comes from a checkpoint, and the head does not."""
    assert_silent(PROBE.replace("LOADED", "pretrained").replace("HOW", "stored, strict=False"))


def test_a_resumed_training_does_not_make_a_random_backbone_a_good_one() -> None:
    """No silence: what is loaded is the whole model, as it was trained."""
    lines = told(reading(PROBE.replace("LOADED", "resume").replace("HOW", "stored")))
    assert [line[:6] for line in lines] == ["FRZ406"]


@pytest.mark.parametrize("resumed", ["", "model.load_state_dict(torch.load('checkpoint.pt'))"])
def test_what_a_class_freezes_in_itself(resumed: str) -> None:
    """A bias that a norm layer follows, fixed positions: by design, whatever checkpoint is read later."""
    assert_silent(f"""
        class Encoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16, affine=False))
                self.body[0].bias.requires_grad = False
                self.head = nn.Linear(16, 2)

            def forward(self, x):
                return self.head(self.body(x))

        model = Encoder()
        {resumed}
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    """)


# --- what only looks like torch, and what nobody can know -------------------------------------------------


def test_methods_named_like_those_of_torch() -> None:
    assert_silent("""
        class Store:
            def __init__(self, rows):
                self.rows, self.requires_grad, self.mode = rows, True, "none"

            def train(self):
                self.mode = "train"

            def eval(self):
                self.mode = "eval"

            def freeze(self):
                self.requires_grad = False

        store = Store([1, 2])
        model = nn.Linear(2, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        store.freeze()
        for x, y in loader:
            store.train()
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        store.eval()
    """)


def test_a_resnet18_of_the_scripts_own() -> None:
    assert_silent("""
        class Small(nn.Module):
            def __init__(self):
                super().__init__()
                pool = nn.AdaptiveAvgPool2d(1)
                self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), pool, nn.Flatten())
                self.classifier = nn.Linear(8, 10)

            def forward(self, x):
                return self.classifier(self.body(x))

        def resnet18(pretrained=False):
            model = Small()
            if pretrained:
                model.load_state_dict(torch.load("small.pt"))
            return model

        model = resnet18(pretrained=True)
        for p in model.body.parameters():
            p.requires_grad = False
        model.classifier = nn.Linear(8, 3)
        optimizer = torch.optim.SGD(model.classifier.parameters(), lr=0.1)
        for x, y in loader:
            model.train()
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    """)


def test_an_architecture_that_nobody_knows() -> None:
    assert_silent("""
        from zoo import build
        model = build("mystery")
        for name, p in model.named_parameters():
            if "stage4" not in name:
                p.requires_grad = False
        model.head = nn.Linear(100, 2)
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        for epoch in range(3):
            model.train()
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
    """)


@pytest.mark.parametrize(
    "output",
    ["self.policy(batch).logits", "self.policy(batch)[0].flatten(1)", "-self.policy.score(batch).to(device)"],
)
def test_a_loss_that_mixes_what_is_frozen_with_what_nobody_knows(output: str) -> None:
    """All that is known of the learner is frozen; what it was given is a network, and it learns."""
    found = reading(f"""
        class Learner(nn.Module):
            def __init__(self, policy):
                super().__init__()
                self.policy = policy
                self.weights = nn.Parameter(torch.linspace(0, 1, 5), requires_grad=False)
                self.optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)

            def update(self, batch):
                loss = (self.weights * {output}).mean() - F.mse_loss(self.weights, {output})
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
    """)
    assert told(found) == []
    last = [runs[0].trace for runs in found.entries][-1]
    assert last.events_of("backward")
    assert last.steps


def test_frozen_flags_in_a_script_that_only_evaluates() -> None:
    found = reading("""
        model = torchvision.models.resnet18(weights="DEFAULT")
        for p in model.parameters():
            p.requires_grad = False
        model.eval()
        for x, y in loader:
            print((model(x).argmax(1) == y).float().mean())
    """)
    assert told(found) == []


def test_normalising_with_the_batch_while_adapting_at_test_time() -> None:
    """TENT drops the statistics altogether, and trains scale and shift: that is no freeze."""
    assert_silent("""
        model = torchvision.models.resnet18(weights="DEFAULT")
        model.train()
        model.requires_grad_(False)
        adapted = []
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(True)
                module.track_running_stats = False
                module.running_mean = None
                module.running_var = None
                adapted += [module.weight, module.bias]
        optimizer = torch.optim.Adam(adapted, lr=1e-3)
        for images in loader:
            output = model(images)
            loss = -(output.softmax(1) * output.log_softmax(1)).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    """)
