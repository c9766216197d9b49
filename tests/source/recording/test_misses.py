"""Statements that were to freeze and froze nothing, as the source reader sees them: FRZ504."""

import textwrap

import pytest

from freezelint.evidence import Event
from freezelint.finding import Finding
from tests.source.reading import found_in, traced

NET = """
import copy, re, torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.layer1 = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 2)

    def freeze(self):
        self.stem.requires_grad_(False)

    def forward(self, x):
        return self.fc(self.pool(self.layer2(self.layer1(self.stem(x)))).flatten(1))

model = Net()
"""
FIRST = NET.count("\n") + 1


def miss(text: str) -> Event:
    """The only statement that froze nothing."""
    (event,) = traced(NET + textwrap.dedent(text)).events_of("froze-nothing")
    return event


def findings(text: str) -> list[Finding]:
    return [finding for finding in found_in(NET + textwrap.dedent(text)) if finding.code == "FRZ504"]


def loop(test: str, before: str = "") -> str:
    """A loop over all parameters that freezes those that pass the test."""
    body = f"    if {test}:\n        p.requires_grad = False\n"
    return f"{before}\nfor name, p in model.named_parameters():\n{body}"


# --- silent: the loop freezes something, or is not known to freeze nothing ---


@pytest.mark.parametrize(
    "test", ['"layer1" in name', 'name.startswith(("encoder", "fc"))', 'any(w in name for w in ["x", "fc"])']
)
def test_silent_where_a_name_matches(test: str) -> None:
    assert not findings(loop(test))


def test_silent_where_another_word_of_the_list_matches() -> None:
    assert not findings("""
        for word in ["encoder", "layer1"]:
            for name, p in model.named_parameters():
                if name.startswith(word):
                    p.requires_grad = False
    """)


def test_silent_where_another_call_of_the_helper_freezes() -> None:
    assert not findings("""
        def freeze(network, words):
            for name, p in network.named_parameters():
                if any(name.startswith(word) for word in words):
                    p.requires_grad = False
        freeze(model, ["encoder"])
        freeze(Net(), ["layer1"])
    """)


def test_silent_where_another_path_freezes() -> None:
    assert not findings("""
        import sys
        def freeze(network, words):
            for name, p in network.named_parameters():
                if any(name.startswith(word) for word in words):
                    p.requires_grad = False
        if len(sys.argv) > 1:
            freeze(model, ["layer1"])
        else:
            freeze(model, ["encoder"])
    """)


def test_silent_where_the_words_come_from_the_command_line() -> None:
    assert not findings(
        loop(
            "name.startswith(options.prefix)",
            "import argparse\nparser = argparse.ArgumentParser()\n"
            'parser.add_argument("--prefix", default="encoder")\noptions = parser.parse_args()',
        )
    )


@pytest.mark.parametrize(
    ("test", "before"),
    [
        ('FREEZE and "layer1" in name', "FREEZE = False"),
        ('p.requires_grad and "layer1" in name', "model.requires_grad_(False)"),
        ('hasattr(p, "mask") and "fc" in name', ""),
        ("p.ndim > 4", ""),
    ],
)
def test_silent_where_the_test_asks_for_something_else_too(test: str, before: str) -> None:
    assert not findings(loop(test, before))


def test_silent_where_isinstance_chooses() -> None:
    assert not findings("""
        for module in model.modules():
            if isinstance(module, nn.LayerNorm):
                module.requires_grad_(False)
    """)


def test_silent_for_a_loop_that_unfreezes_the_rest() -> None:
    assert not findings("""
        for name, p in model.named_parameters():
            if "encoder" in name:
                p.requires_grad = False
            else:
                p.requires_grad = True
    """)


def test_silent_for_a_loop_that_ends_early() -> None:
    assert not findings("""
        for name, p in model.named_parameters():
            if "layer1" in name:
                break
            if "encoder" in name:
                p.requires_grad = False
    """)


def test_silent_for_a_part_that_nobody_knows() -> None:
    assert not findings("from elsewhere import make\nmodel.extra = make()\n" + loop('"encoder" in name'))


@pytest.mark.parametrize("count", ["0", "-1"])
def test_silent_for_a_count_that_asks_for_nothing(count: str) -> None:
    assert not findings(f"""
        count = {count}
        for position, child in enumerate(model.children()):
            if position < count:
                child.requires_grad_(False)
        for p in list(model.parameters())[:max(count, 0)]:
            p.requires_grad = False
    """)


def test_silent_for_modules_without_parameters_among_others() -> None:
    assert not findings("for module in model.modules():\n    module.requires_grad_(False)")


def test_silent_for_what_holds_a_place() -> None:
    assert not findings("model.extra = nn.Identity()\nmodel.extra.requires_grad_(False)")


def test_silent_for_a_norm_layer_without_scale_and_shift() -> None:
    """It could have had some: the same line holds for both."""
    assert not findings("model.norm = nn.BatchNorm1d(1, affine=False)\nmodel.norm.requires_grad_(False)")


@pytest.mark.parametrize(
    "statement",
    [
        "list(map(lambda p: p.requires_grad_(False), model.parameters()))",
        "any(p.requires_grad_(False) is None for p in model.parameters())",
        "[p.requires_grad_(False) for p in model.parameters()]",
        "map(print, model.parameters())",
        "model.stem",
        "model.freeze()",
    ],
)
def test_silent_for_statements_that_run_or_freeze_nothing_anyway(statement: str) -> None:
    assert not findings(statement)


@pytest.mark.parametrize(
    "text",
    [
        "for p in model.parameters():\n    kept = p.detach().requires_grad_(False)",
        "saved = model.state_dict()\nfor tensor in saved.values():\n    tensor.requires_grad = False",
        "teacher = frozen(model)",
        "class Pair:\n    def copy(self, of):\n        self.other = frozen(of)\nPair().copy(model)",
        "def export(module):\n    save(frozen(module))\nexport(model)",
        "def measure(module):\n    still = frozen(module)\n    still(x)\n    return still\nmeasure(model)",
    ],
)
def test_silent_for_a_copy_that_is_kept(text: str) -> None:
    assert not findings(FROZEN + text)


FROZEN = """
def frozen(module):
    module = copy.deepcopy(module)
    for p in module.parameters():
        p.requires_grad = False
    return module
"""


# --- names ---


@pytest.mark.parametrize(
    ("test", "patterns"),
    [
        ('"encoder" in name', ("encoder",)),
        ('name == "layer1"', ("layer1",)),
        ('name in ["layer1", "layer2"]', ("layer1", "layer2")),
        ('name.split(".")[0] in ("encoder",)', ("encoder",)),
        ('name.find("encoder") >= 0', ("encoder",)),
        ('any(name.startswith(word) for word in ["encoder", "body"])', ("encoder", "body")),
        ('any(f"blocks.{i}." in name for i in range(2))', ("blocks.0.", "blocks.1.")),
        ('name.startswith("encoder") or name.endswith("alpha")', ("encoder", "alpha")),
        ('re.match("encoder", name)', ("encoder",)),
    ],
)
def test_a_test_that_no_name_passes(test: str, patterns: tuple[str, ...]) -> None:
    event = miss(loop(test))
    assert (event.reason, event.certain, event.name) == ("pattern", True, "named_parameters")
    assert (event.value, event.patterns) == (test, patterns)
    assert event.modules == ((0, ""),)
    assert len(event.parameters) == 12
    assert event.location is not None
    assert (event.location.line, event.location.end_line) == (FIRST + 1, FIRST + 3)


def test_what_words_around_it_say() -> None:
    event = miss("# Freeze the encoder." + loop('"encoder" in name'))
    assert event.says == "freeze"


def test_a_loop_that_leaves_out_the_others() -> None:
    event = miss("""
        for name, p in model.named_parameters():
            if "encoder" not in name:
                continue
            p.requires_grad = False
    """)
    assert event.value == '"encoder" in name'


def test_a_variable_that_holds_the_answer() -> None:
    event = miss("""
        for name, p in model.named_parameters():
            chosen = "encoder" in name
            if chosen:
                p.requires_grad = False
    """)
    assert event.value == '"encoder" in name'


def test_words_of_an_inner_loop() -> None:
    event = miss("""
        for name, p in model.named_parameters():
            for word in ["encoder", "body"]:
                if word in name:
                    p.requires_grad = False
    """)
    assert event.patterns == ("encoder", "body")


def test_a_choice_in_the_header() -> None:
    event = miss("""
        for p in [p for name, p in model.named_parameters() if "encoder" in name]:
            p.requires_grad = False
    """)
    assert (event.reason, event.patterns, len(event.parameters)) == ("pattern", ("encoder",), 12)


# --- counts ---


def test_a_position_beyond_the_last() -> None:
    event = miss("""
        for position, child in enumerate(model.children()):
            if position > 20:
                for p in child.parameters():
                    p.requires_grad = False
    """)
    assert (event.reason, event.value, event.name) == ("count", "position > 20", "children")


def test_a_counter() -> None:
    event = miss("""
        count = 0
        for child in model.children():
            count += 1
            if count > 40:
                child.requires_grad_(False)
    """)
    assert (event.reason, event.value, event.certain) == ("count", "count > 40", True)


@pytest.mark.parametrize(
    "text",
    [
        "for child in list(model.children())[10:]:\n    child.requires_grad_(False)",
        "layers = list(model.children())\nfor child in layers[10:]:\n    child.requires_grad_(False)",
    ],
)
def test_a_slice_beyond_the_end(text: str) -> None:
    event = miss(text)
    assert (event.reason, event.certain, event.modules) == ("count", True, ((0, ""),))
    assert event.value.endswith("[10:]")


def test_modules_without_parameters() -> None:
    event = miss("for layer in [model.pool, model.layer1[2]]:\n    layer.requires_grad_(False)")
    assert (event.reason, event.modules) == ("no-parameters", ((0, "pool"), (0, "layer1.2")))


def test_a_module_without_parameters() -> None:
    event = miss("model.pool.requires_grad_(False)")
    assert (event.reason, event.modules) == ("no-parameters", ((0, "pool"),))


def test_a_recursion_that_passes_zero() -> None:
    (finding,) = findings("""
        def freeze_first(module, count):
            for position, child in enumerate(module.children()):
                if position < count:
                    child.requires_grad_(False)
                else:
                    freeze_first(child, 0)
        freeze_first(model, 1)
    """)
    assert finding.message.startswith("the recursive call `freeze_first(child, 0)` never freezes anything")


# --- what does not run, or runs on something else ---


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("map(lambda p: p.requires_grad_(False), model.parameters())", "map"),
        ("filter(lambda p: p.requires_grad_(False), model.parameters())", "filter"),
        ("(p.requires_grad_(False) for p in model.parameters())", "generator expression"),
    ],
)
def test_what_is_never_run(statement: str, name: str) -> None:
    event = miss(statement)
    assert (event.reason, event.name, len(event.parameters)) == ("never-run", name, 12)


@pytest.mark.parametrize("statement", ["model.freeze", "model.layer1.requires_grad_"])
def test_a_method_that_is_not_called(statement: str) -> None:
    event = miss(statement)
    assert (event.reason, event.value, len(event.modules)) == ("not-called", statement, 1)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("for p in model.parameters():\n    p.data.requires_grad = False", "data"),
        ("for p in model.parameters():\n    p.detach().requires_grad_(False)", "detach"),
        ("for tensor in model.state_dict().values():\n    tensor.requires_grad = False", "state_dict"),
    ],
)
def test_tensors_that_share_the_memory(text: str, name: str) -> None:
    event = miss(text)
    assert (event.reason, event.name, len(event.parameters)) == ("tensor-copy", name, 12)
    assert len(findings(text)) == 1


def test_a_frozen_copy_that_is_thrown_away() -> None:
    event = miss(FROZEN + "frozen(model)")
    assert (event.reason, event.name, len(event.parameters)) == ("object-copy", "frozen", 12)


# --- code that nothing calls ---


def test_silent_for_a_model_that_nobody_knows() -> None:
    assert not found_in("""
        def freeze(model):
            for name, p in model.named_parameters():
                if name.startswith("encoder"):
                    p.requires_grad = False
    """)


@pytest.mark.parametrize(
    ("name", "argument", "part"),
    [
        ("Net", "", "make()"),
        ("Net", "", "part"),
        ("Net", ", prefix", "nn.Linear(2, 2)"),
        ("BaseNet", "", "nn.Linear(2, 2)"),
    ],
)
def test_silent_for_a_class_that_is_not_known_to_its_end(name: str, argument: str, part: str) -> None:
    assert not found_in(
        CLASS.format(name=name, argument=argument, part=part, test=argument[2:] or '"encoder"')
    )


def test_a_class_that_nothing_here_uses() -> None:
    text = CLASS.format(name="Net", argument="", part="nn.Linear(2, 2)", test='"encoder"')
    assert [finding.code for finding in found_in(text)] == ["FRZ504"]


CLASS = """
from torch import nn
from elsewhere import make

class {name}(nn.Module):
    def __init__(self, part=None):
        super().__init__()
        self.head, self.part = nn.Linear(2, 2), {part}

    def freeze_encoder(self{argument}):
        for name, p in self.named_parameters():
            if name.startswith({test}):
                p.requires_grad = False

    def forward(self, x):
        return self.head(x)
"""
