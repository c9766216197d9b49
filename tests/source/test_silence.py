"""What must stay silent: several networks, inputs that are optimised, small trained parts, optimizers."""

from __future__ import annotations

import textwrap

import pytest

from tests.source.silence import assert_silent, reading, told

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


def test_saliency_maps_of_a_frozen_model() -> None:
    """What is differentiated is the input, which comes from a loader."""
    found = reading("""
        model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
        for p in model.parameters():
            p.requires_grad = False
        images, labels = next(iter(loader))
        images.requires_grad_()
        scores = model(images).gather(1, labels.view(-1, 1)).squeeze()
        scores.backward(torch.ones(4))
        saliency = images.grad.abs()
    """)
    assert told(found) == []


def test_groups_by_the_number_of_dimensions() -> None:
    assert_silent("""
        model = nn.Sequential(nn.Embedding(100, 32), nn.Linear(32, 32), nn.LayerNorm(32))
        decayed = [p for p in model.parameters() if p.dim() >= 2]
        others = [p for p in model.parameters() if p.dim() < 2]
        optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": others}], lr=3e-4)
        for words in loader:
            loss = model(words).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    """)


def test_a_tower_of_clip_by_the_names_of_transformers_4() -> None:
    """Textual inversion trains the embedding of the words alone."""
    assert_silent("""
        from transformers import CLIPTextModel
        encoder = CLIPTextModel.from_pretrained("openai/clip-vit-large-patch14")
        encoder.text_model.encoder.requires_grad_(False)
        encoder.text_model.final_layer_norm.requires_grad_(False)
        encoder.text_model.embeddings.position_embedding.requires_grad_(False)
        optimizer = torch.optim.AdamW(encoder.get_input_embeddings().parameters(), lr=5e-4)
        encoder.train()
        for words, wanted in loader:
            loss = F.mse_loss(encoder(words).last_hidden_state, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    """)


@pytest.mark.parametrize(
    "options",
    [
        """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--first", choices=["layer3", "layer4", "fc"], default="layer4")
        first = parser.parse_args().first
        """,
        """
        import click
        @click.command()
        @click.option("--first", type=click.Choice(["layer3", "layer4", "fc"]), default="layer4")
        def chosen(first):
            return first
        first = chosen()
        """,
    ],
)
def test_an_option_is_none_of_the_words_that_it_does_not_take(options: str) -> None:
    """Nobody can say `--first conv1`, so nobody trains everything at one rate."""
    assert_silent(
        textwrap.dedent(options)
        + textwrap.dedent("""
        model = torchvision.models.resnet18(weights="DEFAULT")
        model.fc = nn.Linear(512, 2)
        trained = False
        for name, child in model.named_children():
            trained = trained or name == first
            child.requires_grad_(trained)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        for images, labels in loader:
            model.eval()
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    """)
    )
