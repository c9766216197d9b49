"""The beginning of scripts in the tests of this family: a pretrained network whose head is new."""

NETWORK = """\
import torch
from torch import nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(8, 16)
        self.last = nn.Linear(16, 16)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(torch.relu(self.last(torch.relu(self.stem(x)))))


"""

PRETRAINED = """\
model = Network()
model.load_state_dict(torch.load("weights.pt"))
model.fc = nn.Linear(16, 2)
"""

STEPS = """\
for _ in range(2):
    optimizer.zero_grad()
    model(torch.randn(16, 8)).square().mean().backward()
    optimizer.step()
"""
