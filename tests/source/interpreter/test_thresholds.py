"""Numbers that nobody knows, and that a loop compares its counter with."""

from __future__ import annotations

from tests.source.reading import codes, found_in

_SCRIPT = """
    import argparse
    import sys
    import torch
    from torch import nn
    from torchvision import models

    {begin}
    model = models.resnet18(weights="DEFAULT")
    model.fc = nn.Linear(512, 4)
    {loop}
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
"""
_FIRST = """for index, child in enumerate(model.children()):
        if index < count:
            child.requires_grad_(False)"""
_LAST = """blocks = list(model.children())
    for index, child in enumerate(blocks):
        if index >= len(blocks) - count:
            continue
        child.requires_grad_(False)"""


def _script(begin: str, loop: str = _FIRST) -> str:
    return _SCRIPT.format(begin=begin, loop=loop)


def test_some_of_the_layers_are_meant_and_never_all() -> None:
    (finding,) = found_in(_script("count = int(sys.argv[1])"))
    assert finding.code == "FRZ101"
    assert finding.message.startswith("`bn1` and `layer1` are frozen (line 13) but run in train mode")


def test_a_number_of_the_last_layers() -> None:
    (finding,) = found_in(_script("count = int(sys.argv[1])", _LAST))
    assert (finding.code, finding.message[:5]) == ("FRZ101", "`bn1`")


def test_the_default_of_an_option_counts() -> None:
    parser = "count = argparse.ArgumentParser(); count.add_argument('--count', type=int, default=10)"
    found = found_in(_script(f"{parser}; count = count.parse_args().count"))
    assert "FRZ209" in codes(found), "ten children are all there are"


def test_an_option_that_takes_none_unless_it_is_given() -> None:
    begin = "args = argparse.ArgumentParser(); args.add_argument('--count', type=int, default=0)"
    loop = _FIRST.replace("count", "args.count").replace("args.args", "args")
    (finding,) = found_in(_script(f"{begin}; args = args.parse_args()", loop))
    assert finding.code == "FRZ101"
    assert finding.message.startswith("when `args.count > 0`: `bn1` and `layer1` are frozen")


def test_an_epoch_that_is_past_does_not_come_again() -> None:
    """With no warm-up nothing is ever frozen: not in later epochs either."""
    found = found_in("""
        import argparse
        import torch
        from torch import nn
        from torchvision import models

        parser = argparse.ArgumentParser()
        parser.add_argument("--warmup", type=int, default=0)
        args = parser.parse_args()
        model = models.resnet18(weights="DEFAULT")
        model.fc = nn.Linear(512, 4)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        for epoch in range(30):
            warming = epoch < args.warmup
            for name, parameter in model.named_parameters():
                if not name.startswith("fc"):
                    parameter.requires_grad = not warming
            model.train()
            for images, labels in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(images), labels).backward()
                optimizer.step()
    """)
    assert found == []
