"""What words claim of `eval()`, and what else the code that says so does: FRZ506."""

import textwrap

import pytest

from freezelint.evidence import Event
from tests.source.reading import codes, found_in, traced

# A class whose method says that it freezes, and the script that trains it.
CLASS = """
import torch
from torch import nn
from elsewhere import Base, stop

def pause(module):
    module.eval()

def fix(module):
    for p in module.parameters():
        p.requires_grad = False

class Net({base}):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1))
        self.head = nn.Linear(8, 2)

    def freeze_encoder(self):
        {body}

    def forward(self, x):
        {forward}
        return self.head(x)

net = Net()
net.freeze_encoder()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
loss = net(torch.randn(3, 4)).sum()
loss.backward()
optimizer.step()
"""


def script(
    body: str = "self.encoder.eval()", base: str = "nn.Module", forward: str = "x = self.encoder(x)"
) -> str:
    return CLASS.format(
        base=base,
        body=textwrap.indent(body, " " * 8).strip(),
        forward=textwrap.indent(forward, " " * 8).strip(),
    )


def claim(text: str) -> Event:
    (event,) = traced(text).events_of("to-eval")
    return event


@pytest.mark.parametrize(
    "body",
    [
        "self.encoder.eval()\nself.encoder.requires_grad_(False)",
        "self.encoder.eval()\nfor p in self.encoder.parameters():\n    p.requires_grad = False",
        "self.encoder.eval()\nfix(self.encoder)",
        "self.encoder.eval()\nfor p in self.encoder.parameters():\n    setattr(p, 'requires_grad', False)",
    ],
)
def test_a_method_that_freezes_too(body: str) -> None:
    event = claim(script(body))
    assert (event.says, event.freezes_otherwise) == ("freeze", True)


def test_a_class_that_detaches_elsewhere() -> None:
    assert claim(script(forward="x = self.encoder(x).detach()")).freezes_otherwise is True


@pytest.mark.parametrize(
    "body", ["self.encoder.eval()\nstop(self.encoder)", "self.encoder.eval()\nself.finish()"]
)
def test_a_call_that_nobody_has_read(body: str) -> None:
    assert claim(script(body)).freezes_otherwise is None


def test_a_base_that_nobody_has_read() -> None:
    assert not found_in(script(base="Base"))


def test_silent_where_isinstance_chooses() -> None:
    body = "for m in self.encoder:\n    if isinstance(m, nn.Dropout):\n        m.eval()"
    assert claim(script(body)).says is None


def test_silent_without_a_claim() -> None:
    event = claim(script().replace("freeze_encoder", "prepare"))
    assert (event.says, event.freezes_otherwise) == (None, None)


def test_a_method_that_only_calls_eval() -> None:
    event = claim(script())
    assert (event.says, event.says_where) == ("freeze", "function `freeze_encoder`")
    assert (event.freezes_otherwise, event.modules) == (False, ((0, "encoder"),))
    assert codes(found_in(script())) == ["FRZ506"]


def test_a_method_that_calls_a_helper_which_says_nothing() -> None:
    assert claim(script("print('done')\nself.encoder.eval()")).freezes_otherwise is False


def test_a_comment() -> None:
    text = script(body="# Freeze the encoder.\nself.encoder.eval()").replace("freeze_encoder", "prepare")
    assert claim(text).says_where.startswith('the comment "Freeze the encoder."')


def test_a_comment_outside_of_functions_is_judged_by_the_whole_file() -> None:
    text = "from torch import nn\nnet = nn.Linear(2, 2)\n# Freeze it.\nnet.eval()\n"
    assert claim(text).freezes_otherwise is False
    assert claim(text + "net.requires_grad_(False)\n").freezes_otherwise is True


# --- code that nothing calls ---

LIBRARY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def freeze_encoder(self):
        self.encoder.eval()

    def forward(self, x):
        {forward}
"""


def test_silent_for_a_class_that_runs_it_without_gradient() -> None:
    assert not found_in(LIBRARY.format(forward="with torch.no_grad(): return self.encoder(x)"))


def test_a_class_that_nothing_here_uses() -> None:
    assert codes(found_in(LIBRARY.format(forward="return self.encoder(x)"))) == ["FRZ506"]
