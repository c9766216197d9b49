"""What must stay silent, read from the source: legitimate ways to write a training, entry by entry.

Each source is followed to its steps, so that the silence is an answer and not a lack of one.
"""

from __future__ import annotations

import textwrap

import pytest

from freezelint.registry import rules
from freezelint.source.files import SourceFile
from freezelint.source.judging import findings_of
from freezelint.source.project import Project
from freezelint.source.reader import Reading, read

DEFAULTS = {rule.code for rule in rules() if rule.severity != "info"}

IMPORTS = """
import copy
import itertools
import torch
import torchvision
from torch import nn
import torch.nn.functional as F
"""


def reading(text: str) -> Reading:
    file = SourceFile("train.py", IMPORTS + textwrap.dedent(text))
    return read(file, Project(file))


def told(read: Reading) -> list[str]:
    """The findings at default selection, as lines to read."""
    return [f"{f.code} {f.location.line}: {f.message}" for f in findings_of(read) if f.code in DEFAULTS]


def assert_silent(text: str) -> None:
    """No finding, in a source whose training is followed."""
    found = reading(text)
    assert told(found) == []
    assert any(run.trace.steps for runs in found.entries for run in runs), "no training step was reached"


# --- several networks ---------------------------------------------------------------------------------


def test_a_gan_that_toggles_its_discriminator() -> None:
    assert_silent("""
        generator = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8))
        discriminator = nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        opt_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        opt_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))

        def set_requires_grad(net, flag):
            for p in net.parameters():
                p.requires_grad = flag

        for real in loader:
            set_requires_grad(discriminator, False)
            opt_g.zero_grad()
            fake = generator(torch.randn(4, 8))
            F.softplus(-discriminator(fake)).mean().backward()
            opt_g.step()
            set_requires_grad(discriminator, True)
            opt_d.zero_grad()
            loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake.detach())).mean()
            loss.backward()
            opt_d.step()
    """)


@pytest.mark.parametrize("mode", ["", "target.eval()"])
def test_a_target_that_follows_by_hand(mode: str) -> None:
    """MoCo, BYOL, DINO, mean teachers and Q-learning: a frozen copy, moved by an average, in no optimizer."""
    assert_silent(f"""
        online = torchvision.models.resnet18(weights="DEFAULT")
        target = copy.deepcopy(online)
        for p in target.parameters():
            p.requires_grad = False
        {mode}
        optimizer = torch.optim.SGD(online.parameters(), lr=0.05, momentum=0.9)
        for first, second in loader:
            with torch.no_grad():
                for p, q in zip(target.parameters(), online.parameters()):
                    p.data = p.data * 0.99 + q.data * 0.01
                aim = target(second)
            loss = F.mse_loss(online(first), aim)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    """)


def test_a_target_network_that_is_copied_now_and_then() -> None:
    assert_silent("""
        def network():
            return nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))

        policy, target = network(), network()
        target.load_state_dict(policy.state_dict())
        target.eval()
        optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-3)
        for step, (state, following, reward) in enumerate(loader):
            with torch.no_grad():
                wanted = reward + 0.99 * target(following).max(1).values
            loss = F.smooth_l1_loss(policy(state).max(1).values, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 100 == 0:
                target.load_state_dict(policy.state_dict())
    """)


def test_a_moving_average_for_the_evaluation() -> None:
    assert_silent("""
        model = torchvision.models.resnet18(weights="DEFAULT")
        average = copy.deepcopy(model).eval().requires_grad_(False)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            with torch.no_grad():
                for old, new in zip(average.parameters(), model.parameters()):
                    old.lerp_(new, 0.001)
    """)


def test_a_teacher_in_eval_mode() -> None:
    assert_silent("""
        teacher = torchvision.models.resnet50(weights="DEFAULT")
        teacher.eval()
        for p in teacher.parameters():
            p.requires_grad = False
        student = torchvision.models.resnet18()
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9)
        for epoch in range(10):
            student.train()
            for x, y in loader:
                with torch.no_grad():
                    soft = teacher(x)
                loss = F.kl_div(student(x).log_softmax(1), soft.softmax(1), reduction="batchmean")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    """)


def test_a_random_network_that_is_distilled() -> None:
    """Curiosity: the random target is frozen by design."""
    assert_silent("""
        target = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16))
        predictor = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16))
        for p in target.parameters():
            p.requires_grad = False
        optimizer = torch.optim.Adam(predictor.parameters(), lr=1e-4)
        for state in loader:
            loss = (predictor(state) - target(state).detach()).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    """)


# --- the input is optimised ---------------------------------------------------------------------------


def test_style_transfer() -> None:
    assert_silent("""
        features = torchvision.models.vgg19(weights="DEFAULT").features.eval()
        for p in features.parameters():
            p.requires_grad_(False)
        image = content.clone().requires_grad_(True)
        optimizer = torch.optim.LBFGS([image])
        for step in range(300):
            def closure():
                optimizer.zero_grad()
                loss = F.mse_loss(features(image), features(style))
                loss.backward()
                return loss
            optimizer.step(closure)
    """)


def test_adversarial_training() -> None:
    assert_silent("""
        model = torchvision.models.resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in loader:
            delta = torch.zeros_like(x, requires_grad=True)
            F.cross_entropy(model(x + delta), y).backward()
            attack = (x + 0.03 * delta.grad.sign()).detach()
            optimizer.zero_grad()
            F.cross_entropy(model(attack), y).backward()
            optimizer.step()
    """)


# --- small trained parts in or before a frozen body ----------------------------------------------------


def test_low_rank_adapters_inside_a_frozen_body() -> None:
    assert_silent("""
        class Lora(nn.Module):
            def __init__(self, linear, rank=4):
                super().__init__()
                self.linear = linear
                self.down = nn.Linear(linear.in_features, rank, bias=False)
                self.up = nn.Linear(rank, linear.out_features, bias=False)
                nn.init.zeros_(self.up.weight)

            def forward(self, x):
                return self.linear(x) + self.up(self.down(x))

        model = torchvision.models.vit_b_16(weights="DEFAULT")
        for p in model.parameters():
            p.requires_grad = False
        for layer in model.encoder.layers:
            layer.mlp[0] = Lora(layer.mlp[0])
        model.heads = nn.Linear(768, 10)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    """)


def test_prompts_before_a_frozen_body() -> None:
    assert_silent("""
        class Prompted(nn.Module):
            def __init__(self, body, width):
                super().__init__()
                self.body = body
                for p in self.body.parameters():
                    p.requires_grad = False
                self.prompt = nn.Parameter(torch.randn(10, width))
                self.head = nn.Linear(width, 2)

            def forward(self, x):
                prompt = self.prompt.expand(x.shape[0], -1, -1)
                return self.head(self.body(torch.cat([prompt, x], dim=1)).mean(1))

        body = nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, dropout=0.0, batch_first=True), 4)
        body.load_state_dict(torch.load("body.pt"))
        model = Prompted(body, 64)
        optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=1e-3)
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    """)


# --- optimizers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        "model.parameters()",
        "filter(lambda p: p.requires_grad, model.parameters())",
        "[p for p in model.parameters() if p.requires_grad]",
        "[{'params': model.layer4.parameters()}, {'params': rest}]",
    ],
)
def test_all_that_trains_is_handed_over_once(given: str) -> None:
    assert_silent(f"""
        model = torchvision.models.resnet18()
        last = set(map(id, model.layer4.parameters()))
        rest = [p for p in model.parameters() if id(p) not in last]
        optimizer = torch.optim.SGD({given}, lr=0.1)
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    """)


@pytest.mark.parametrize(
    "parameters",
    [
        "trained = list(filter(lambda p: p.requires_grad, model.parameters()))",
        "trained = filter(lambda p: p.requires_grad, model.parameters())\n        trained = list(trained)",
        "trained = [*itertools.chain(model.layer4.parameters(), model.fc.parameters())]",
    ],
)
def test_parameters_that_are_kept_in_a_list_are_used_twice(parameters: str) -> None:
    assert_silent(f"""
        model = torchvision.models.resnet18(weights="DEFAULT")
        for name, p in model.named_parameters():
            p.requires_grad = name.startswith(("layer4", "fc"))
        model.fc = nn.Linear(512, 2)
        {parameters}
        optimizer = torch.optim.SGD(trained, lr=1e-3)
        for x, y in loader:
            model.eval()
            model.layer4.train()
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
    """)


def test_a_split_by_identity() -> None:
    assert_silent("""
        model = torchvision.models.resnet18(weights="DEFAULT")
        model.fc = nn.Linear(512, 10)
        new = list(map(id, model.fc.parameters()))
        base = filter(lambda p: id(p) not in new, model.parameters())
        optimizer = torch.optim.SGD(
            [{"params": base}, {"params": model.fc.parameters(), "lr": 1e-2}], lr=1e-4, momentum=0.9
        )
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    """)


def test_everything_is_handed_over_and_unfrozen_later() -> None:
    assert_silent("""
        model = torchvision.models.vgg16(weights="DEFAULT")
        for p in model.features.parameters():
            p.requires_grad = False
        model.classifier[6] = nn.Linear(4096, 5)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for epoch in range(20):
            model.train()
            if epoch == 5:
                for p in model.features.parameters():
                    p.requires_grad = True
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
    """)


def test_a_new_optimizer_at_the_unfreeze() -> None:
    assert_silent("""
        model = torchvision.models.vgg16(weights="DEFAULT")
        for p in model.features.parameters():
            p.requires_grad = False
        model.classifier[6] = nn.Linear(4096, 5)

        def fit(optimizer, epochs):
            for epoch in range(epochs):
                model.train()
                for x, y in loader:
                    optimizer.zero_grad()
                    F.cross_entropy(model(x), y).backward()
                    optimizer.step()

        fit(torch.optim.SGD(model.classifier.parameters(), lr=1e-2), 5)
        for p in model.features.parameters():
            p.requires_grad = True
        fit(torch.optim.SGD(model.parameters(), lr=1e-4), 10)
    """)


def test_frozen_in_the_middle_with_gradients_set_to_none() -> None:
    assert_silent("""
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for epoch in range(10):
            if epoch == 3:
                model[0].requires_grad_(False)
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
    """)


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


# --- heads and names
# -----------------------------------------------------------------------------------------


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
