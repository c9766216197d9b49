"""Which files directories stand for, and which of them are worth reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from freezelint.source.files.discovery import discover, holds_sources, may_concern


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")


def found(*targets: Path, **options: object) -> list[str]:
    paths = discover(targets, **options)  # type: ignore[arg-type]
    return [
        path.relative_to(targets[0] if targets[0].is_dir() else targets[0].parent).as_posix()
        for path in paths
    ]


def test_sources_in_the_order_of_their_names(tmp_path: Path) -> None:
    tree(tmp_path, "b.py", "a.py", "models/net.py", "nb.ipynb", "types.pyi", "notes.md", "data.csv")
    assert found(tmp_path) == ["a.py", "b.py", "nb.ipynb", "types.pyi", "models/net.py"]
    assert holds_sources(tmp_path)


def test_directories_that_are_not_the_projects_own(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", ".hidden/b.py", ".venv/c.py", "venv/d.py", "build/e.py", "x/__pycache__/f.py")
    tree(tmp_path, "node_modules/g.py", "lib/site-packages/h.py", "nb/.ipynb_checkpoints/nb.ipynb")
    tree(tmp_path, "my_environment/bin/i.py", "my_environment/pyvenv.cfg")
    assert found(tmp_path) == ["a.py"]
    assert not holds_sources(tmp_path / ".." / tmp_path.name / "x")


def test_what_is_named_is_meant(tmp_path: Path) -> None:
    tree(tmp_path, "venv/a.py", "script")
    assert discover([tmp_path / "venv"]) == [tmp_path / "venv/a.py"]
    assert discover([tmp_path / "script"], ["script"]) == [tmp_path / "script"]


def test_each_file_once(tmp_path: Path) -> None:
    tree(tmp_path, "src/a.py", "src/b.py")
    assert found(tmp_path, tmp_path / "src", tmp_path / "src" / "b.py") == ["src/a.py", "src/b.py"]


def test_exclusions(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "a_pb2.py", "old/b.py", "x/old/c.py", "x/d.py", "x/y/e.py")
    assert found(tmp_path, exclude=["*_pb2.py", "old"]) == ["a.py", "x/d.py", "x/y/e.py"]
    assert found(tmp_path, exclude=["x/old/", "./old/**"], root=tmp_path) == [
        "a.py",
        "a_pb2.py",
        "x/d.py",
        "x/y/e.py",
    ]


def test_forced_exclusions_hold_for_what_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "old/x/a.py", "new/old.py", "new/b.py")
    named = [tmp_path / "old/x/a.py", tmp_path / "old/x", tmp_path / "new/old.py", tmp_path / "new/b.py"]
    kept = [tmp_path / "new/old.py", tmp_path / "new/b.py"]
    assert discover(named, ["old"], tmp_path, force_exclude=True) == kept
    assert discover(named, ["old/**", "new/old.py"], tmp_path, force_exclude=True) == kept[1:]
    assert discover(named, ["new"], tmp_path / "new", force_exclude=True) == [named[0], *kept]
    assert discover(named, ["old"], tmp_path) == [named[0], *kept]


def test_links_that_go_round_in_circles(tmp_path: Path) -> None:
    tree(tmp_path, "a/b.py")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "a" / "gone.py").symlink_to("nowhere.py")
    assert found(tmp_path) == ["a/b.py", "a/gone.py"]


@pytest.mark.parametrize(
    "line",
    [
        "import torch",
        "with torch.no_grad(): y = model(x)",
        "model = AutoModel.from_pretrained(name)",
        ">>> model.from_pretrained(name)",
        "def eval(self): self.model.eval()",
        "register_gguf = 1; recurrent_gate = 2",
        "# the optimal value of an option",
        "scheduler.step(noise)",
    ],
)
def test_passed_over_at_first_sight(line: str) -> None:
    assert not may_concern(f"import torch\n{line}\n".encode())


@pytest.mark.parametrize(
    "line",
    [
        "for p in ps: p.requires_grad = False",
        "for p in ps: p.require_grad = False",
        "for p in ps: p.requires_gard = False",
        "for p in ps: p.RequiresGrad = False",
        "setattr(p, 'required_grads', False)",
        "p.requires_grad_(False)",
        "def freeze(model): model.eval()",
        "    self.embedding.from_pretrained(weights)",
        "optimizer = torch.optim.SGD(model.parameters())",
        "from torch import optim",
        "from torch.optim import AdamW as Opt",
        "loss.backward()",
        "accelerator.backward(loss)",
        "for group in optimizer.param_groups: group['lr'] = 0",
        "def configure_optimizers(self): return None",
        "trainer = Trainer(model=model, args=args)",
        "learner = vision_learner(data, resnet18)",
        "opt.step()",
        "optimizer = create_optimizer(args, model)",
    ],
)
def test_worth_reading(line: str) -> None:
    assert may_concern(f"import torch\n{line}\n".encode())
