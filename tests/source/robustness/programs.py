"""Programs over torch's vocabulary, put together at random: models, freezes, loops, optimizers, modes."""

from __future__ import annotations

from hypothesis import strategies as st

_PREAMBLE = """
import argparse, copy, itertools
import torch, torchvision
import pytorch_lightning as pl
from torch import nn

class Net(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.body = nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)])
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        for layer in self.body:
            x = layer(x)
        return self.fc(x)

parser = argparse.ArgumentParser()
parser.add_argument("--freeze", action="store_true")
args = parser.parse_args()
model = Net(2)
"""

_MODELS = st.sampled_from(
    [
        "nn.Linear(4, 2)",
        "nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 2))",
        "torchvision.models.resnet18(pretrained=True)",
        "nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])",
        "Net(3)",
        "copy.deepcopy(model)",
        "nn.DataParallel(model)",
        "unknown(model)",
    ]
)
_PARTS = st.sampled_from(
    ["model", "model.fc", "model[0]", "other", "model.layer4", "list(model.children())[-1]"]
)
_FLAGS = st.sampled_from(
    ["True", "False", "flag", "not flag", "epoch > 2", "'fc' in name", "None", "args.freeze"]
)
_PARAMETERS = st.sampled_from(
    [
        "model.parameters()",
        "filter(lambda p: p.requires_grad, model.parameters())",
        "[p for p in model.parameters() if p.requires_grad]",
        "[{'params': model.fc.parameters(), 'lr': 1e-3}, {'params': other.parameters()}]",
        "itertools.chain(model.parameters(), other.parameters())",
        "model",
        "[]",
    ]
)
_CONDITIONS = st.sampled_from(
    [
        "flag",
        "args.freeze",
        "epoch == 1",
        "step % 5 == 0",
        "name.startswith('fc')",
        "isinstance(model, nn.Linear)",
        "hasattr(model, 'fc')",
        "optimizer is not None",
        "loss.item() < best",
    ]
)
_ALONE = st.sampled_from(
    [
        "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)",
        "optimizer.zero_grad()",
        "loss = loss.detach()",
        "loss.backward()",
        "optimizer.step()",
        "scheduler.step()",
        "train(model, optimizer, 2)",
        "Learner(model).fit()",
        "params = model.parameters()",
        "for p in params: p.requires_grad = False",
        "del model.fc",
        "raise ValueError",
    ]
)
_STATEMENTS = st.one_of(
    _ALONE,
    st.builds("{} = {}".format, st.sampled_from(["model", "other", "model.fc"]), _MODELS),
    st.builds("{}.requires_grad_({})".format, _PARTS, _FLAGS),
    st.builds("{}.requires_grad = {}".format, _PARTS, _FLAGS),
    st.builds("{}.weight.requires_grad = {}".format, _PARTS, _FLAGS),
    st.builds("{}.train({})".format, _PARTS, _FLAGS),
    st.builds("{}.eval()".format, _PARTS),
    st.builds("freeze({})".format, _PARTS),
    st.builds("loss = {}(torch.zeros(2, 4)).sum()".format, _PARTS),
    st.builds("model.load_state_dict({}.state_dict(), strict={})".format, _PARTS, _FLAGS),
    st.builds("optimizer.add_param_group(dict(params={}.parameters()))".format, _PARTS),
    st.builds(
        "optimizer = torch.optim.{}({}, lr=0.1)".format,
        st.sampled_from(["SGD", "AdamW", "LBFGS"]),
        _PARAMETERS,
    ),
)


def _block(statements: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(statements, min_size=1, max_size=3).map("\n".join)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = _block(inner).map(_indented)
    named = st.sampled_from(["freeze", "train", "unknown"])
    bases = st.sampled_from(["object", "nn.Module", "pl.LightningModule", "Learner"])
    walks = st.sampled_from(["child in model.children()", "name, p in model.named_parameters()"])
    learner = "class Learner({}):\n    def __init__(self, model): self.model = model\n    def fit(self):\n{}"
    return st.one_of(
        st.builds("if {}:\n{}\nelse:\n{}".format, _CONDITIONS, body, body),
        st.builds("for epoch in range({}):\n{}".format, st.integers(0, 4), body),
        st.builds("for {}:\n{}".format, walks, body),
        st.builds("while {}:\n{}".format, _CONDITIONS, body),
        st.builds("with torch.set_grad_enabled({}):\n{}".format, _FLAGS, body),
        st.builds("with torch.no_grad():\n{}".format, body),
        st.builds("try:\n{}\nexcept Exception:\n{}\nfinally:\n{}".format, body, body, body),
        st.builds("def {}(model, *args):\n{}\n    return model".format, named, body),
        st.builds(learner.format, bases, body.map(_indented)),
    )


PROGRAMS = _block(st.recursive(_STATEMENTS, _compound, max_leaves=6)).map(
    lambda body: f"{_PREAMBLE}\n{body}\n"
)
