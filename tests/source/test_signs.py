"""What a fragment must say to be run at all: code without a sign shows nothing, and costs nothing."""

from __future__ import annotations

import ast
import textwrap

import pytest

from freezelint.finding import Finding
from freezelint.source.files.project import Project
from freezelint.source.files.source_file import SourceFile
from freezelint.source.judging import findings_of
from freezelint.source.reader import read
from freezelint.source.signs import Signs, signs_of
from tests.source.reading import codes, found_in
from tests.stories import FIXTURES


def _signs(text: str) -> Signs:
    file = SourceFile("library.py", textwrap.dedent(text))
    tree = ast.parse(file.text)
    return signs_of(file, tree)


def _told(text: str) -> list[str]:
    """The functions of this source that may show something."""
    signs = _signs(text)
    return [getattr(node, "name", "") for node in signs.functions() if signs.in_function(node)]


# --- right whatever the arguments are ---


@pytest.mark.parametrize(
    "body",
    [
        "for p in self.parameters(): p.requires_grad = False",
        "for name, p in self.encoder.named_parameters(): p.requires_grad_(False)",
        "for p in self.parameters(): p.requires_grad = flag",
        "self.requires_grad_(False)",
        "self.head.requires_grad_(True)",
        "if any(p.requires_grad for p in self.parameters()): return None",
        "self.encoder._freeze_parameters()",
        "self.network.eval()",
        "model = self.kind.from_pretrained('base')",
        "'''Freezes nothing: `optimizer.step()` is the caller's, who does `loss.backward()`.'''",
    ],
)
def test_a_method_that_is_right_in_any_class(body: str) -> None:
    assert _told(f"class Net:\n    def prepare(self, flag):\n        {body}\n") == []


def test_what_a_forward_gets_are_tensors() -> None:
    assert (
        _told("class Net:\n    def forward(self, x):\n        x.requires_grad = True\n        return x\n")
        == []
    )


# --- what may be a fault ---


@pytest.mark.parametrize(
    "body",
    [
        "self.encoder.requires_grad = False",
        "self.encoder.requires_grad == False",
        "self.encoder.require_grad = False",
        "setattr(self.encoder, 'requires_grad', False)",
        "self.pool.requires_grad_(False)",
        "for p in self.parameters(): p.requires_grad = True",
        "for n, p in self.named_parameters():\n            if 'fc' in n: p.requires_grad = False",
        "for p in list(self.parameters())[:20]: p.requires_grad = False",
        "for p in self.state_dict().values(): p.requires_grad = False",
        "map(lambda p: p.requires_grad_(False), self.parameters())",
        "self.encoder.requires_grad_",
        "self.encoder.eval()  # freeze it",
        "self.encoder.from_pretrained('base')",
        "freeze(self.encoder)",
        "torch.nn.Linear(2, 2, require_grad=False)",
        "params = self.parameters()",
        "optimizer.step()",
        "loss.backward()",
    ],
)
def test_a_method_that_may_be_at_fault(body: str) -> None:
    assert _told(f"class Net:\n    def freeze_encoder(self):\n        {body}\n") == ["freeze_encoder"]


def test_a_sign_in_what_is_called_is_one() -> None:
    text = """
        def prepare(model):
            stop(model)

        def stop(model):
            model.body.requires_grad = False

        def other(model):
            return model
    """
    assert _told(text) == ["prepare", "stop"]


def test_a_freeze_that_is_right_may_be_done_to_a_copy() -> None:
    text = """
        import copy

        def freeze(model):
            for p in model.parameters():
                p.requires_grad = False

        def prepare(model):
            freeze(copy.deepcopy(model))
    """
    assert _told(text) == ["prepare"]


# --- bodies ---


@pytest.mark.parametrize(
    "text",
    [
        "import torch\nlogger = get_logger(__name__)\ndef f(loss): loss.backward()",
        "class A:\n    names = sorted({'a'})\n    def f(self): self.x.requires_grad = False",
        "if TYPE_CHECKING:\n    from a import b\nelse:\n    b = None",
    ],
)
def test_a_body_that_only_defines(text: str) -> None:
    assert not _signs(text).in_body()


@pytest.mark.parametrize(
    "text",
    [
        "def f(): ...\nif __name__ == '__main__':\n    f()",
        "def f(loss): loss.backward()\nresult = f(1)",
        "from engine import run\nrun()",
        "x.require_grad = True",
        "for name in names:\n    build(name)",
    ],
)
def test_a_body_that_does_something(text: str) -> None:
    assert _signs(text).in_body()


def test_a_definition_that_the_body_does_not_reach_is_read_alone() -> None:
    text = """
        from torch import nn
        from torchvision.models import resnet18

        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = resnet18()

            def freeze(self):
                self.backbone.requires_grad = False
    """
    assert codes(found_in(text)) == ["FRZ501"]


# --- the same with all stories ---


def _wrapped(story: str) -> SourceFile | None:
    """The script as a function that nobody calls; None for what cannot stand in one."""
    text = "def story():\n" + textwrap.indent(story, "    ")
    try:
        compile(text, "story.py", "exec")
    except SyntaxError:
        return None
    return SourceFile("story.py", text)


def _always(*_: object) -> bool:
    return True


def _found(file: SourceFile) -> list[tuple[str, int]]:
    findings: list[Finding] = findings_of(read(file, Project(file)))
    return [(finding.code, finding.line) for finding in findings]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in FIXTURES.glob("*/train.py")))
def test_whatever_is_passed_over_shows_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each story as a function that nobody calls, with all functions run and with those that have signs."""
    story = (FIXTURES / name / "train.py").read_text()
    first, second = _wrapped(story), _wrapped(story)
    if first is None or second is None:
        return
    found = _found(first)
    monkeypatch.setattr(Signs, "in_function", _always)
    monkeypatch.setattr(Signs, "in_class", _always)
    monkeypatch.setattr(Signs, "in_body", _always)
    assert _found(second) == found
