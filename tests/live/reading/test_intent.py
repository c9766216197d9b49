"""What surrounds a freeze: every program calls `look()` at the statement in question."""

import inspect
import linecache
import sys
import textwrap
from types import SimpleNamespace
from typing import Any

import pytest

from freezelint.live.reading.intent import context_of
from freezelint.reading.surroundings import Context

NAMES = ("layer1.conv.weight", "layer10.conv.weight", "fc.bias")


class Flagged:
    """Stands for a parameter: each write to `requires_grad` is a look at the context."""

    def __init__(self, seen: list[Context]) -> None:
        object.__setattr__(self, "seen", seen)

    def __setattr__(self, name: str, value: object) -> None:
        self.requires_grad_()

    def requires_grad_(self, *_: object, **__: object) -> None:
        frame = inspect.currentframe()
        while frame is not None and frame.f_globals.get("__name__") != "program":
            frame = frame.f_back
        assert frame is not None
        self.seen.append(context_of(frame))


class Network:
    """Stands for a model with three parameters."""

    def __init__(self) -> None:
        self.seen: list[Context] = []

    def parameters(self) -> list[Flagged]:
        return [Flagged(self.seen) for _ in NAMES]

    def named_parameters(self) -> list[tuple[str, Flagged]]:
        return list(zip(NAMES, self.parameters(), strict=True))

    def modules(self) -> list[object]:
        return [object() for _ in NAMES]

    def requires_grad_(self, *_: object, **__: object) -> None:
        Flagged(self.seen).requires_grad_()


def contexts(source: str, **names: Any) -> list[Context]:
    """The context of every write to `requires_grad` in a program that knows `model`."""
    model = Network()
    text = textwrap.dedent(source)
    filename = f"/project/{abs(hash(text))}.py"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec"), {"__name__": "program", "model": model, **names})
    return model.seen


def context(source: str, **names: Any) -> Context:
    return contexts(source, **names)[0]


def loop_with(condition: str, before: str = "") -> str:
    """A function that freezes what a condition on the name chooses."""
    return textwrap.dedent(f"""\
        def select(model):
            {before or "pass"}
            for name, p in model.named_parameters():
                if {condition}:
                    p.requires_grad = False
        select(model)
        """)


# --- nothing is said ---


def test_a_plain_statement_says_nothing() -> None:
    assert context("model.requires_grad_(False)") == Context()


def test_code_without_source_says_nothing() -> None:
    model = Network()
    exec("model.requires_grad_(False)", {"__name__": "program", "model": model})
    assert model.seen == [Context()]


def test_source_that_has_changed_and_does_not_parse_says_nothing() -> None:
    model = Network()
    code = compile("model.requires_grad_(False)", "/project/changed.py", "exec")
    linecache.cache["/project/changed.py"] = (4, None, ["def (\n"], "/project/changed.py")
    exec(code, {"__name__": "program", "model": model})
    assert model.seen == [Context()]


# --- patterns ---


@pytest.mark.parametrize(
    "condition",
    [
        "True",
        "name in ('fc.bias', 'fc.weight') or True",  # whole names
        "name == 'fc.bias' or True",
        "'fc' in name.split('.') or True",  # whole words
        "name.endswith('bias') or True",
        "'resnet' in ARCHITECTURE",  # not the name of a parameter
        "any(part == 'fc' for part in name.split('.')) or True",
        "model.unknown()",  # never called a second time
    ],
)
def test_conditions_without_patterns(condition: str) -> None:
    asked: list[int] = []
    names = {"ARCHITECTURE": "resnet50"}
    program = loop_with(condition, before="model.unknown = lambda: asked.append(1) or True")
    found = contexts(program, asked=asked, **names)
    assert {seen.patterns for seen in found} == {()}
    assert len(asked) in (0, len(NAMES))


@pytest.mark.parametrize(
    ("condition", "patterns"),
    [
        ("'layer1' in name", ("layer1",)),
        ("'layer4' not in name", ("layer4",)),
        ("not ('layer4' in name or 'fc' in name)", ("layer4", "fc")),
        ("name.startswith('layer1')", ("layer1",)),
        ("name.startswith(('layer1', 'layer2'))", ("layer1", "layer2")),
        ("name.find('layer1') >= 0", ("layer1",)),
        ("'LAYER1' in name.lower() or True", ("LAYER1",)),
        ("PREFIX in name", ("layer",)),
        ("any(k in name for k in PREFIXES)", ("layer1", "layer2")),
        ("any(name.startswith(k) for k in PREFIXES)", ("layer1", "layer2")),
        ("all(k not in name for k in ['fc9', 'head'])", ("fc9", "head")),
        ("not any([k in name for k in ['head']])", ("head",)),
        ("any(f'layer{i}' in name for i in range(FIRST, 3))", ("layer1", "layer2")),
        ("any('layer' + str(i) + '.' in name for i in range(2))", ("layer0.", "layer1.")),
        ("'layer{}'.format(FIRST) in name", ("layer1",)),
        ("ARGUMENTS.prefix in name", ("layer",)),
        ("CONFIGURATION['freeze'][0] in name", ("layer1",)),
        ("any(k in name for k in CONFIGURATION)  or True", ("freeze",)),
        ("any(k in name for k in UNDEFINED if False) or 'layer1' in name", ("layer1",)),
    ],
)
def test_patterns(condition: str, patterns: tuple[str, ...]) -> None:
    found = context(
        loop_with(condition),
        PREFIX="layer",
        PREFIXES=["layer1", "layer2"],
        FIRST=1,
        ARGUMENTS=SimpleNamespace(prefix="layer"),
        CONFIGURATION={"freeze": ["layer1"]},
        UNDEFINED=(),
    )
    assert found.patterns == patterns


def test_patterns_in_local_variables() -> None:
    assert context(loop_with("any(k in name for k in keys)", before="keys = ('layer1',)")).patterns == (
        "layer1",
    )


def test_a_loop_over_patterns_gives_the_one_of_the_moment() -> None:
    found = contexts(
        """\
        for key in ["layer1.", "fc"]:
            for name, p in model.named_parameters():
                if key in name:
                    p.requires_grad = False
        """
    )
    assert [seen.patterns for seen in found] == [("layer1.",), ("fc",)]


def test_patterns_of_a_guard() -> None:
    found = context(
        """\
        for name, p in model.named_parameters():
            if not name.startswith("layer1"):
                continue
            p.requires_grad = False
        """
    )
    assert found.patterns == ("layer1",)


def test_patterns_of_the_value_itself() -> None:
    found = context("for name, p in model.named_parameters():\n    p.requires_grad = 'fc' in name\n")
    assert found.patterns == ("fc",)
    found = context("for name, p in model.named_parameters(): p.requires_grad_('fc' in name)\n")
    assert found.patterns == ("fc",)


def test_patterns_of_a_flag_and_of_another_spelling() -> None:
    found = context(
        """\
        for name, p in model.named_parameters():
            short = name.lower()
            chosen = "layer1" in short
            if chosen:
                p.requires_grad = False
        """
    )
    assert found.patterns == ("layer1",)


def test_patterns_of_the_else_branch() -> None:
    found = contexts(
        """\
        for name, p in model.named_parameters():
            if "fc" in name:
                p.requires_grad = True
            elif "layer10" in name:
                p.requires_grad = True
            else:
                p.requires_grad = False
        """
    )
    assert [seen.patterns for seen in found] == [("fc", "layer10"), ("fc", "layer10"), ("fc",)]


@pytest.mark.parametrize(
    "statement",
    [
        "[p.requires_grad_(False) for n, p in model.named_parameters() if 'layer1' in n]",
        "for p in [p for n, p in model.named_parameters() if 'layer1' in n]: p.requires_grad = False",
    ],
)
def test_patterns_of_a_comprehension(statement: str) -> None:
    assert context(statement).patterns == ("layer1",)


def test_looking_keeps_nothing_of_the_users_alive() -> None:
    class Checkpoint:
        alive = 0

        def __init__(self) -> None:
            Checkpoint.alive += 1

        def __del__(self) -> None:
            Checkpoint.alive -= 1

    alive: list[int] = []
    found = context(
        """\
        def main(model, keys):
            checkpoint = Checkpoint()
            for name, p in model.named_parameters():
                if any(k in name for k in keys):
                    p.requires_grad = False
            del checkpoint
            alive.append(Checkpoint.alive)
        main(model, ["layer1"])
        """,
        Checkpoint=Checkpoint,
        alive=alive,
    )
    assert found.patterns == ("layer1",)
    assert alive == [0]


def test_the_users_own_locals_stay() -> None:
    found = context(
        """\
        def select(model, keys):
            given = locals()
            for name, p in model.named_parameters():
                if any(k in name for k in keys):
                    p.requires_grad = False
            assert given["keys"] == ["layer1"]
        select(model, ["layer1"])
        """
    )
    assert found.patterns == ("layer1",)


# --- zip ---


@pytest.mark.parametrize(
    "iteration",
    [
        "zip(model.modules(), model.parameters())",
        "enumerate(zip(model.named_parameters(), list(model.modules())))",
    ],
)
def test_modules_zipped_with_parameters(iteration: str) -> None:
    assert context(f"for _ in {iteration}:\n    model.requires_grad_(False)\n").zipped


@pytest.mark.parametrize(
    "iteration",
    ["zip(model.parameters(), model.parameters())", "model.parameters()", "zip(NAMES, model.modules())"],
)
def test_other_loops_are_not_zipped(iteration: str) -> None:
    assert not context(f"for _ in {iteration}:\n    model.requires_grad_(False)\n", NAMES=NAMES).zipped


# --- what the code claims ---


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("freeze", "freeze"),
        ("_freeze_backbone", "freeze"),
        ("freezeBackbone", "freeze"),
        ("unfreeze_all", "unfreeze"),
        ("un_freeze", "unfreeze"),
        ("unFreezeLast", "unfreeze"),
        ("defrost", "unfreeze"),
        ("lock", None),
        ("set_parameter_requires_grad", None),
        ("freeze_except_head", None),
        ("freeze_all_but_last", None),
        ("freeze_until", None),
        ("freeze_to", None),
        ("freeze_or_unfreeze", None),
        ("toggle_freeze", None),
        ("prepare_for_freeze", None),
        ("no_freeze", None),
        ("dont_freeze", None),
        ("antifreezer", None),
        ("load_frozen", None),
    ],
)
def test_the_name_of_the_function(function: str, says: str | None) -> None:
    found = context(f"def {function}(model):\n    model.requires_grad_(True)\n{function}(model)\n")
    assert found.says == says
    assert found.says_where == ("" if says is None else f"function `{function}`")


@pytest.mark.parametrize(
    ("comment", "says"),
    [
        ("# freeze the backbone", "freeze"),
        ("#Freezing all layers", "freeze"),
        ("# Unfreeze the last block", "unfreeze"),
        ("# un-freeze everything", "unfreeze"),
        ("# freeze all but the last", None),
        ("# freeze everything except fc", None),
        ("# do not freeze", None),
        ("# don't freeze this", None),
        ("# train only the head, freeze the body", None),
        ("# freeze the body and train the head", None),
        ("# freeze until layer 3", None),
        ("# unfreeze (freeze comes later)", None),
        ("# if we freeze, then all", None),
        ("# freeze?", None),
        ("# freeze_backbone(model)", None),
        ("# freeze = True", None),
        ("# the frozen part", None),
        ("# the gradients are needed here", None),
    ],
)
def test_comments(comment: str, says: str | None) -> None:
    above = context(f"x = 1\n{comment}\nmodel.requires_grad_(True)\n")
    at_the_end = context(f"model.requires_grad_(True)  {comment}\n")
    over_the_loop = context(f"{comment}\nfor p in model.parameters():\n    p.requires_grad = True\n")
    assert [above.says, at_the_end.says, over_the_loop.says] == [says] * 3
    words = comment.lstrip("# ")
    lines = [2, 1, 1] if says else [None] * 3
    for found, line in zip((above, at_the_end, over_the_loop), lines, strict=True):
        assert found.says_where == ("" if line is None else f'the comment "{words}" on line {line}')


def test_a_comment_that_is_not_directly_above_says_nothing() -> None:
    assert context("# freeze the backbone\n\nmodel.requires_grad_(True)\n").says is None
    assert context("x = 1  # freeze the backbone\nmodel.requires_grad_(True)\n").says is None


def test_a_comment_over_a_loop_that_writes_both_is_not_about_one_of_them() -> None:
    found = contexts(
        """\
        # freeze the early layers
        for name, p in model.named_parameters():
            if "layer1" in name:
                p.requires_grad = False
            else:
                p.requires_grad = True
        """
    )
    assert {seen.says for seen in found} == {None}


def test_the_nearest_words_count() -> None:
    found = context(
        """\
        def freeze_backbone(model):
            model.requires_grad_(True)  # unfreeze the last block
        freeze_backbone(model)
        """
    )
    assert (found.says, found.says_where) == ("unfreeze", 'the comment "unfreeze the last block" on line 2')


def test_doubtful_words_nearby_silence_the_functions_name() -> None:
    found = context(
        "def freeze(model):\n    model.requires_grad_(True)  # do not freeze this\nfreeze(model)\n"
    )
    assert found.says is None


def test_a_comment_over_several_lines_is_read_as_one() -> None:
    found = context("# freeze the backbone,\n# except the last block\nmodel.requires_grad_(True)\n")
    assert found.says is None


# --- the one constant ---


@pytest.mark.parametrize(
    ("body", "constant"),
    [
        ("model.requires_grad_(False)", False),
        ("model.requires_grad_()", True),
        ("model.requires_grad_(requires_grad=True)", True),
        ("for p in model.parameters(): p.requires_grad = False", False),
        ("for p in model.parameters(): setattr(p, 'requires_grad', False)", False),
        ("model.requires_grad_(False); model.requires_grad_(True)", None),
        ("model.requires_grad_(flag)", None),
        ("for p in model.parameters(): p.requires_grad = not flag", None),
    ],
)
def test_the_one_constant_that_a_function_writes(body: str, constant: bool | None) -> None:
    assert context(f"def f(model, flag=True):\n    {body}\nf(model)\n").only_writes is constant
    assert context(f"flag = True\n{body}\n").only_writes is None


def test_a_statement_over_several_lines() -> None:
    found = context(
        "def freeze(model):\n    (model\n     .requires_grad_(\n        True\n    ))\nfreeze(model)\n"
    )
    assert (found.says, found.only_writes) == ("freeze", True)


def test_decorators_handlers_and_matches_are_looked_through() -> None:
    found = context(
        """\
        import functools
        class Trainer:
            @functools.lru_cache
            def freeze(self):
                try:
                    raise ValueError
                except ValueError:
                    match 1:
                        case 1:
                            with open(__import__("os").devnull):
                                model.requires_grad_(False)
        Trainer().freeze()
        """
    )
    assert (found.says, found.only_writes) == ("freeze", False)


def test_a_cell_of_a_notebook_has_a_source() -> None:
    name = "<ipython-input-1-0123456789ab>"
    model = Network()
    text = "# unfreeze all\nmodel.requires_grad_(True)\n"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), {"__name__": "program", "model": model})
    assert model.seen[0].says == "unfreeze"


def test_looking_at_a_deep_tree_gives_up_quietly() -> None:
    frame = sys._getframe()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 12)
    try:
        found = context_of(frame)
    finally:
        sys.setrecursionlimit(limit)
    assert found == Context()
