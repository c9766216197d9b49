"""Functions and methods that nothing calls: run on their own, with unknown arguments."""

from __future__ import annotations

from tests.source.reading import codes, found_in

_LEARNER = """
    import torch
    from torch import nn
    from torchvision import models

    class Learner:
        def __init__(self):
            self.network = models.resnet18(weights="DEFAULT").requires_grad_(False)
            self.network.fc = nn.Linear(512, 4)
            self.optimizer = torch.optim.SGD(self.network.fc.parameters(), lr=0.1)
        {modes}
        def learn(self, images, labels):
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.network(images), labels).backward()
            self.optimizer.step()
"""


def test_the_mode_that_another_method_sets_is_not_known() -> None:
    modes = """
        def prepare(self):
            self.network.eval()
    """
    assert found_in(_LEARNER.format(modes=modes)) == []


def test_where_no_method_sets_a_mode_it_is_train_mode() -> None:
    assert codes(found_in(_LEARNER.format(modes=""))) == ["FRZ101"]
