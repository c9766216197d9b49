"""What counts as an unfreeze that a script still has ahead of it, seen from the line that it is running."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from freezelint.evidence import Location
from freezelint.live.reading.pending import freezes_ahead, pending_unfreezes
from freezelint.live.reading.places import shown_path

Ahead = Callable[..., list[str]]


@pytest.fixture
def ahead(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ahead]:
    yield from _seen_by(pending_unfreezes, tmp_path, request)


@pytest.fixture
def later_freezes(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ahead]:
    yield from _seen_by(freezes_ahead, tmp_path, request)


def _seen_by(
    look: Callable[[Location], tuple[Location, ...]], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Ahead]:
    """The lines ahead in a source: `# now` marks the running line, `# caller` those that led there."""
    names: list[str] = []

    def find(source: str, **others: str) -> list[str]:
        lines: dict[str, list[str]] = {}
        sources = {"train": source, **others}
        for name, text in sources.items():
            path = tmp_path / f"{name}.py"
            path.write_text(dedent(text), encoding="utf-8")
            module = types.ModuleType(f"{request.node.name}.{name}")
            module.__file__ = str(path)
            sys.modules[module.__name__] = module
            names.append(module.__name__)
            lines[shown_path(str(path))] = dedent(text).splitlines()
        here = _marked(tmp_path, sources, "# now")
        position = Location(
            here[0].path, here[0].line, function=here[0].function, calls=_callers(tmp_path, sources)
        )
        found = look(position)
        return [lines[at.path][at.line - 1].strip() for at in found if at.path in lines]

    yield find
    for name in names:
        sys.modules.pop(name, None)


def _callers(directory: Path, sources: dict[str, str]) -> tuple[Location, ...]:
    return tuple(reversed(_marked(directory, sources, "# caller")))


def _marked(directory: Path, sources: dict[str, str], mark: str) -> list[Location]:
    found = []
    for name, text in sources.items():
        source = dedent(text)
        for number, line in enumerate(source.splitlines(), 1):
            if line.endswith(mark):
                path = shown_path(str(directory / f"{name}.py"))
                found.append(Location(path, number, function=_function_at(source, number)))
    return found


def _function_at(source: str, line: int) -> str:
    around = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or line)
    ]
    return max(around, key=lambda node: node.lineno).name if around else ""


# --- what unfreezes ---


@pytest.mark.parametrize(
    "statement",
    [
        "p.requires_grad = True",
        "p.requires_grad = epoch > 3",
        "p.requires_grad_()",
        "p.requires_grad_(True)",
        "model.requires_grad_(requires_grad=flag)",
        "setattr(p, 'requires_grad', True)",
    ],
)
def test_statements_that_unfreeze(ahead: Ahead, statement: str) -> None:
    assert ahead(f"optimizer.step()  # now\n{statement}\n") == [statement]


@pytest.mark.parametrize(
    "statement",
    [
        "p.requires_grad = False",
        "p.requires_grad_(False)",
        "setattr(p, 'requires_grad', False)",
        "setattr(p, 'training', True)",
        "print(p.requires_grad)",
        "x = torch.zeros(1, requires_grad=True)",
        "p.requires_grad == True",
    ],
)
def test_statements_that_do_not(ahead: Ahead, statement: str) -> None:
    assert ahead(f"optimizer.step()  # now\n{statement}\n") == []


# --- at module level ---


def test_what_has_run_is_behind(ahead: Ahead) -> None:
    assert ahead("p.requires_grad = True\noptimizer.step()  # now\n") == []


def test_what_comes_earlier_in_the_same_loop_comes_again(ahead: Ahead) -> None:
    source = """
        for epoch in range(9):
            if epoch == 5:
                p.requires_grad = True
            optimizer.step()  # now
    """
    assert ahead(source) == ["p.requires_grad = True"]


def test_what_comes_in_an_earlier_loop_does_not(ahead: Ahead) -> None:
    source = """
        for p in model.parameters():
            p.requires_grad = True
        for batch in loader:
            optimizer.step()  # now
    """
    assert ahead(source) == []


def test_a_loop_around_the_loop(ahead: Ahead) -> None:
    source = """
        while stage < 3:
            for p in stages[stage]:
                p.requires_grad = True
            for batch in loader:
                optimizer.step()  # now
    """
    assert ahead(source) == ["p.requires_grad = True"]


# --- in functions ---


def test_a_function_that_is_called_later(ahead: Ahead) -> None:
    source = """
        def unfreeze(model):
            model.requires_grad_(True)

        optimizer.step()  # now
        unfreeze(model)
    """
    assert ahead(source) == ["model.requires_grad_(True)"]


def test_a_function_that_was_called_before(ahead: Ahead) -> None:
    source = """
        def unfreeze(model):
            model.requires_grad_(True)

        unfreeze(model)
        optimizer.step()  # now
    """
    assert ahead(source) == []


def test_a_function_that_nothing_calls(ahead: Ahead) -> None:
    source = """
        def never_called(model):
            model.requires_grad_(True)

        optimizer.step()  # now
    """
    assert ahead(source) == []


def test_through_several_functions(ahead: Ahead) -> None:
    source = """
        def second_stage():
            unfreeze(model)

        def unfreeze(model):
            model.requires_grad_(True)

        def first_stage():
            optimizer.step()  # now

        def main():
            first_stage()  # caller
            second_stage()

        main()  # caller
    """
    assert ahead(source) == ["model.requires_grad_(True)"]


def test_functions_that_call_each_other_end(ahead: Ahead) -> None:
    source = """
        def one():
            other()

        def other():
            p.requires_grad = True
            one()

        optimizer.step()  # now
    """
    assert ahead(source) == []


def test_a_function_handed_to_another(ahead: Ahead) -> None:
    source = """
        def unfreeze(module):
            module.requires_grad_(True)

        optimizer.step()  # now
        model.apply(unfreeze)
    """
    assert ahead(source) == ["module.requires_grad_(True)"]


def test_a_function_that_takes_the_flag_is_called_to_freeze(ahead: Ahead) -> None:
    source = """
        def set_trainable(model, flag):
            model.requires_grad_(flag)

        optimizer.step()  # now
        set_trainable(model, False)
    """
    assert ahead(source) == []


@pytest.mark.parametrize("flag", ["True", "flag=epoch > 3", "*options"])
def test_a_function_that_takes_the_flag_is_called_to_unfreeze(ahead: Ahead, flag: str) -> None:
    source = f"""
        def set_trainable(model, flag=False):
            model.requires_grad_(flag)

        optimizer.step()  # now
        set_trainable(model, {flag})
    """
    assert ahead(source) == ["model.requires_grad_(flag)"]


def test_two_functions_of_one_name(ahead: Ahead) -> None:
    """The one that is running is not the one that unfreezes."""
    source = """
        class Head:
            def fit(self):
                optimizer.step()  # now

        class Other:
            def fit(self):
                p.requires_grad = True

        head.fit()  # caller
    """
    assert ahead(source) == []


def test_a_method_that_only_a_framework_can_call(ahead: Ahead) -> None:
    source = """
        class Finetuning(Callback):
            def on_train_epoch_start(self, trainer, module):
                module.backbone.requires_grad_(True)

        class Module(LightningModule):
            def __init__(self):
                self.backbone.requires_grad_(True)

        trainer.fit(module)  # now
    """
    assert ahead(source) == ["module.backbone.requires_grad_(True)"]


def test_tests_are_called_by_their_runner_one_by_one(ahead: Ahead) -> None:
    """A project's tests share a process: another test is not a later stage of the training."""
    source = """
        class TestTraining:
            def test_frozen(self):
                optimizer.step()  # now

            def test_unfrozen(self):
                p.requires_grad = True
    """
    other = """
        class Callback:
            def on_epoch_start(self):
                p.requires_grad = True
    """
    assert ahead(source, test_other=other) == []
    assert ahead(source, callbacks=other) == ["p.requires_grad = True"]


# --- other files ---


def test_a_function_of_another_file(ahead: Ahead) -> None:
    helpers = """
        def unfreeze(model):
            model.requires_grad_(True)
    """
    source = """
        from helpers import unfreeze

        optimizer.step()  # now
        unfreeze(model)
    """
    assert ahead(source, helpers=helpers) == ["model.requires_grad_(True)"]


def test_a_step_in_another_file(ahead: Ahead) -> None:
    engine = """
        def train_one_epoch(model, optimizer):
            optimizer.step()  # now
    """
    source = """
        for epoch in range(9):
            if epoch == 3:
                model.backbone.requires_grad_(True)
            engine.train_one_epoch(model, optimizer)  # caller
    """
    assert ahead(source, engine=engine) == ["model.backbone.requires_grad_(True)"]


def test_a_file_with_a_syntax_error_says_nothing(ahead: Ahead) -> None:
    assert ahead("optimizer.step()  # now\n", broken="def (:\n    p.requires_grad = True\n") == []


def test_without_a_position_nothing_is_ahead() -> None:
    assert pending_unfreezes(None) == ()


def test_a_freeze_of_a_later_stage(later_freezes: Ahead) -> None:
    source = """
    def train(model):
        for batch in range(2):
            step(model)  # now

    tuned.requires_grad_(True)
    train(tuned)  # caller
    for weight in extractor.parameters():
        weight.requires_grad = False
    train(extractor)
    """
    assert later_freezes(source) == ["weight.requires_grad = False"]


def test_freezes_of_the_running_loop_and_of_other_functions_are_not_later(later_freezes: Ahead) -> None:
    source = """
    def freeze(model):
        model.requires_grad_(False)

    model.requires_grad_(False)
    for batch in range(2):
        step(generator)  # now
        critic.requires_grad_(False)
    model.requires_grad_(True)
    """
    assert later_freezes(source) == []
