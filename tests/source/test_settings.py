"""Settings with defaults, from the command line: what is decided on them, and what follows from that."""

from __future__ import annotations

from tests.source.reading import codes, found_in

_PARSER = """
    import argparse
    import torch
    from torch import nn
    from torchvision import models

    parser = argparse.ArgumentParser()
    parser.add_argument("--freeze", action="store_true")
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--data", default=None)
    args = parser.parse_args()
"""
_TRAINING = """
    for images, labels in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
"""


def test_a_flag_that_a_setting_decides() -> None:
    (finding,) = found_in(f"""{_PARSER}
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    for parameter in model[0].parameters():
        parameter.requires_grad = not args.freeze
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    {_TRAINING}""")
    assert finding.code == "FRZ201"
    assert finding.message.startswith("when `args.freeze`: SGD holds `model.0`")


def test_no_path_contradicts_what_the_model_was_built_from() -> None:
    """A head at `classifier` would be wrong on a ResNet; but nobody puts it there when the model is one."""
    for built in ("models.resnet18(weights='DEFAULT')", "getattr(models, args.arch)(weights='DEFAULT')"):
        found = found_in(f"""{_PARSER}
    if args.arch == "resnet18":
        model = {built}
    elif args.arch == "vgg11":
        model = models.vgg11(weights="DEFAULT")
    else:
        raise ValueError(args.arch)
    if args.arch.startswith("vgg"):
        model.classifier = nn.Linear(25088, 2)
    elif args.arch.startswith("resnet"):
        model.fc = nn.Linear(512, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
    model.train()
    {_TRAINING}""")
        assert found == []


def test_a_default_that_the_script_refuses_is_none() -> None:
    refusals = (
        "if args.data is None: parser.error('which data?')",
        "if not args.data: raise SystemExit('which data?')",
        "if args.data is None and not args.freeze: raise ValueError",
    )
    for refusal in refusals:
        found = found_in(f"""{_PARSER}
    {refusal}
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    {_TRAINING}""")
        assert codes(found) == ["FRZ201"], refusal
        assert found[0].message.startswith("SGD holds"), "every run that gets there has the option"
