"""Python's own functions and types, as the source reader runs them."""

from __future__ import annotations

import pytest

from freezelint.source.interpreter.iteration import Repeat
from freezelint.source.interpreter.values import MISSING, Items, Library, Module, Tensor, Unknown
from tests.source.reading import read_source, traced, value_of, variables

MODEL = """
import torch
from torch import nn
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
"""


def shown(expression: str, before: str = "") -> object:
    return value_of(f"{before}\nresult = {expression}\n")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # iterables
        ("list(range(3))", [0, 1, 2]),
        ("list(enumerate('ab', start=1))", [(1, "a"), (2, "b")]),
        ("list(zip([1, 2, 3], 'ab'))", [(1, "a"), (2, "b")]),
        ("list(map(lambda x: x + 1, [1, 2]))", [2, 3]),
        ("list(map(lambda x, y: x * y, [1, 2], [3, 4]))", [3, 8]),
        ("list(filter(lambda x: x > 1, [1, 2, 3]))", [2, 3]),
        ("list(filter(None, [0, 1, '', 'a']))", [1, "a"]),
        ("list(reversed([1, 2, 3]))", [3, 2, 1]),
        ("list(reversed(range(3)))", [2, 1, 0]),
        ("sorted(['b', 'a'])", ["a", "b"]),
        ("sorted([1, 3, 2], key=lambda x: -x)", [3, 2, 1]),
        ("sorted({'b': 1, 'a': 2}.items(), key=lambda kv: kv[1], reverse=True)", [("a", 2), ("b", 1)]),
        ("min(3, 1, 2)", 1),
        ("max([3, 1], key=lambda x: -x)", 1),
        ("max([], default=7)", 7),
        ("sum([1, 2, 3])", 6),
        ("sum([[1], [2]], [])", [1, 2]),
        ("sum(x for x in range(4))", 6),
        ("any(x > 1 for x in [1, 2])", True),
        ("all([])", True),
        ("next(iter([5, 6]))", 5),
        ("next(iter([]), 'nothing')", "nothing"),
        ("len('abc') + len([1]) + len({})", 4),
        # conversions
        ("list('ab')", ["a", "b"]),
        ("tuple([1, 2])", (1, 2)),
        ("set([1, 1])", {1}),
        ("dict([('a', 1)], b=2)", {"a": 1, "b": 2}),
        ("dict([])", {}),
        ("dict(zip('ab', [1, 2]))", {"a": 1, "b": 2}),
        ("int('7') + int(2.9)", 9),
        ("int('ff', 16)", 255),
        ("float('1e-3')", 1e-3),
        ("str(3) + str(None) + str('x')", "3Nonex"),
        ("repr('x')", "'x'"),
        ("str([1, 'a'])", "[1, 'a']"),
        ("bool([]) or bool('x')", True),
        ("round(2.567, 1)", 2.6),
        ("abs(-3) + pow(2, 3)", 11),
        ("divmod(7, 2)", (3, 1)),
        ("[*map(str, [1, 2])]", ["1", "2"]),
        ("ord('a')", 97),
        # objects
        ("isinstance(3, int) and not isinstance('a', (int, float))", True),
        ("isinstance([], list) and isinstance({}, dict)", True),
        ("type(3) is int and type([]) == list", True),
        ("type(3).__name__", "int"),
        ("callable(len) is not False and callable(lambda: 0)", True),
        ("hasattr('a', 'upper')", True),
        ("getattr('abc', 'upper')()", "ABC"),
        ("eval('1 + 2')", 3),
    ],
)
def test_known_values_are_computed(expression: str, value: object) -> None:
    assert shown(expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("' '.join(x.upper() for x in ['a', 'b'])", "A B"),
        ("'{}-{:.2f}'.format('a', 1.5)", "a-1.50"),
        ("'a.b.c'.rsplit('.', 1)", ["a.b", "c"]),
        ("'layer4.0'.startswith(('layer3', 'layer4'))", True),
        ("'%s_%d' % ('a', 3)", "a_3"),
        ("[1, 2].index(2)", 1),
        ("{'a': 1}.get('b', 5)", 5),
        ("list({'a': 1}.items())", [("a", 1)]),
        ("[k for k, v in {'a': 1, 'b': 2}.items() if v > 1]", ["b"]),
        ("{1, 2}.union([3])", {1, 2, 3}),
        ("{'a'}.issubset({'a', 'b'})", True),
        ("{'a': 1}.keys() & {'a': 2, 'b': 3}.keys()", {"a"}),
        ("range(2, 9).start", 2),
        ("dict.fromkeys('ab', 0)", {"a": 0, "b": 0}),
        ("list(map(str.upper, ['a']))", ["A"]),
    ],
)
def test_methods_of_plain_values(expression: str, value: object) -> None:
    assert shown(expression) == value


def test_lists_and_dicts_change_in_place() -> None:
    scope = variables(
        read_source(
            """
            values = [3, 1]
            same = values
            values.extend(x for x in (2,))
            values.sort(key=lambda v: -v)
            config = {"a": 1}
            config.update(zip("bc", (2, 3)), d=4)
            count = config.setdefault("e", 5)
            """
        )
    )
    assert scope["same"] == [3, 2, 1]
    assert scope["config"] == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}


# -- what is not known ---------------------------------------------------------------------------------------


def test_what_depends_on_an_unknown_value_is_unknown() -> None:
    for expression in (
        "len(data)",
        "int(data)",
        "sorted(data)",
        "sum(data)",
        "max(data)",
        "list(data)",
        "str(data)",
    ):
        value = shown(expression, "from somewhere import data")
        assert not isinstance(value, (int, str, list)), expression


def test_a_default_is_a_hint() -> None:
    before = "import argparse\np = argparse.ArgumentParser()\n"
    before += "p.add_argument('--n', type=int, default=3)\nargs = p.parse_args()"
    value = shown("int(args.n) * 2", before)
    assert isinstance(value, Unknown)
    assert value.hint == 6
    assert shown("list(range(args.n))", before) == [0, 1, 2]


def test_a_loop_of_unknown_length_is_a_repeat() -> None:
    assert isinstance(shown("range(n)", "from somewhere import n"), Repeat)
    value = shown("enumerate(loader)", "from somewhere import loader")
    assert isinstance(value, Repeat)
    assert value.counts
    assert value.element(1)[0] == 1


def test_any_and_all_are_three_valued() -> None:
    assert shown("any([flag, True])", "from somewhere import flag") is True
    assert isinstance(shown("any([flag, False])", "from somewhere import flag"), Unknown)
    assert shown("all([flag, False])", "from somewhere import flag") is False


def test_an_order_that_nobody_knows_is_unknown() -> None:
    assert isinstance(shown("sorted([1, 2], key=score)", "from somewhere import score"), Unknown)


# -- lazily --------------------------------------------------------------------------------------------------


def test_filter_and_map_run_when_they_are_asked() -> None:
    scope = variables(
        read_source(
            """
            seen = []
            lazy = map(lambda x: seen.append(x), [1, 2])
            before = len(seen)
            first = next(lazy)
            """
        )
    )
    assert scope["before"] == 0
    assert scope["seen"] == [1]


def test_filter_of_parameters_is_spent_once() -> None:
    scope = variables(
        read_source(
            MODEL
            + """
trainable = filter(lambda p: p.requires_grad, model.parameters())
first = list(trainable)
second = list(trainable)
"""
        )
    )
    assert isinstance(scope["trainable"], Items)
    assert scope["trainable"].of_parameters
    assert len(scope["first"]) == 4
    assert scope["second"] == []


def test_filter_sees_flags_as_they_are_when_it_runs() -> None:
    scope = variables(
        read_source(
            MODEL
            + """
trainable = filter(lambda p: p.requires_grad, model.parameters())
for p in model[0].parameters():
    p.requires_grad = False
kept = list(trainable)
"""
        )
    )
    assert len(scope["kept"]) == 2


# -- objects -------------------------------------------------------------------------------------------------


def test_attributes_by_name() -> None:
    scope = variables(
        read_source(
            MODEL
            + """
class Config:
    lr = 0.1
config = Config()
setattr(config, "epochs", 5)
known = getattr(config, "lr"), getattr(config, "epochs")
missing = getattr(config, "missing", None), hasattr(config, "missing")
delattr(config, "epochs")
gone = hasattr(config, "epochs")
names = vars(config)
first = getattr(model, "0")
"""
        )
    )
    assert scope["known"] == (0.1, 5)
    assert scope["missing"] == (None, False)
    assert scope["gone"] is False
    assert scope["names"] == {}
    assert isinstance(scope["first"], Module)


def test_whether_an_unknown_module_has_a_child_is_unknown() -> None:
    value = value_of(
        """
        from somewhere import model
        result = hasattr(model, "fc")
        """
    )
    assert isinstance(value, Unknown)


def test_classes_of_modules() -> None:
    scope = variables(
        read_source(
            MODEL
            + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(3)
net = Net()
of_net = isinstance(net, nn.Module), isinstance(net, Net)
of_child = isinstance(net.bn, nn.BatchNorm2d), isinstance(net.bn, nn.Linear)
either = (nn.BatchNorm1d, nn.BatchNorm2d)
norms = isinstance(net.bn, either), isinstance(net.bn, nn.BatchNorm1d | nn.BatchNorm2d)
names = type(net).__name__, net.__class__.__name__, type(net.bn).__name__
same = type(net.bn) == nn.BatchNorm2d, type(net.bn) is nn.Linear, type(net.bn) in (nn.BatchNorm2d,)
child = issubclass(Net, nn.Module), issubclass(Net, nn.Linear)
"""
        )
    )
    assert (scope["of_net"], scope["of_child"]) == ((True, True), (True, False))
    assert scope["norms"] == (True, True)
    assert scope["names"] == ("Net", "Net", "BatchNorm2d")
    assert scope["same"] == (True, False, True)
    assert scope["child"][0] is True


def test_super_in_every_place() -> None:
    scope = variables(
        read_source(
            """
            class Base:
                def __init__(self, x):
                    self.x = x
                def double(self):
                    return self.x * 2
                @classmethod
                def make(cls):
                    return cls(3)
            class Child(Base):
                def __init__(self):
                    super().__init__(4)
                def double(self):
                    return [super(Child, self).double() for _ in range(1)]
                def later(self):
                    def inner():
                        return super(Child, self).double()
                    return inner()
                def soon(self):
                    return [super().x for _ in range(1)] and super().double()
            child = Child()
            results = child.double(), child.later(), child.soon()
            """
        )
    )
    assert scope["results"] == ([8], 8, 8)


def test_decorated_methods_know_their_class() -> None:
    assert (
        value_of(
            """
            import functools
            def logged(f):
                @functools.wraps(f)
                def wrapper(*args, **kwargs):
                    return f(*args, **kwargs)
                return wrapper
            class Base:
                def value(self):
                    return 1
            class Child(Base):
                @logged
                def value(self):
                    return super().value() + 1
            result = Child().value()
            """
        )
        == 2
    )


def test_numbers_of_tensors_have_no_graph() -> None:
    scope = variables(
        read_source(
            MODEL + "loss = model(torch.randn(2, 4)).sum()\nvalue = float(loss)\ntotal = sum([loss, loss])"
        )
    )
    assert not isinstance(scope["value"], Tensor)
    assert isinstance(scope["total"], Tensor)
    assert scope["total"].requires_grad is True


def test_exiting_ends_the_script() -> None:
    scope = variables(read_source("before = 1\nexit()\nafter = 2"))
    assert "before" in scope
    assert "after" not in scope


def test_code_made_at_run_time_is_a_limit() -> None:
    machine = read_source("import sys\nexec(sys.stdin.read())")
    assert any("exec" in what for what, _ in machine.limits)


def test_eval_of_a_known_name_is_read() -> None:
    assert (
        value_of("import torch.nn as nn\nkind = 'nn.Linear'\nresult = eval(kind)(2, 3)").class_name
        == "Linear"
    )


def test_types_are_libraries() -> None:
    assert isinstance(value_of("result = list"), Library)


# -- hostile -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "x = 'a' * 10**9",
        "x = [0] * 10**10",
        "x = 10**10**10",
        "x = 1 << 10**9",
        "x = list(range(10**12))",
        "x = sum(range(10**12))",
        "x = len(range(10**30))",
        "x = '{:>1000000000}'.format(1)",
        "x = '%1000000000d' % 1",
        "x = f'{1:>1000000000}'",
        "x = 'a'.ljust(10**9)",
        "x = 'a,'.join(['b' * 90000] * 90000)",
        "x = 'a' * 90000\nx = x.replace('a', x)",
        "x = int('9' * 99999)",
        "x = set([[1], {}])",
        "x = {[]: 1}",
        "x = dict([1, 2])",
        "x = sorted([1, 'a', None])",
        "x = max(1, 'a')",
        "x = next(iter(()))",
        "x = next(3)",
        "x = int([])",
        "x = chr(10**20)",
        "x = round('a', 10**9)",
        "x = getattr(1, 2)",
        "x = isinstance(1, 2)",
        "x = super()",
        "x = type('A', (), {})",
        "x = zip()\ny = list(x)",
        "x = []\nx.append(x)\ny = str(x)\nz = x == x",
        "x = [1]\nfor i in range(60):\n    x = x + x",
        "x = [1]\nfor i in range(60):\n    x += x",
        "x = 'a'\nfor i in range(60):\n    x = f'{x}{x}'",
        "g = (next(g) for _ in range(3))\nx = list(g)",
        "def f():\n    while True:\n        yield 1\nx = list(f())",
        "def f(n):\n    return f(n + 1)\nx = f(0)",
        "x = (lambda f: f(f))(lambda f: f(f))",
        "x = eval('(' * 90 + ')' * 90)",
        "x = eval('eval')('1')",
        "x = len()\ny = isinstance()\nz = getattr()\nw = zip(1)\nv = map()\nu = filter()",
        "x = enumerate()\ny = sorted()\nz = print(*[1] * 5, **{'sep': ''})\nw = range()",
        "x = sum()\ny = any()\nz = next()\nw = iter()\nv = min()",
        "for i in range(10**12):\n    pass",
        "x = [i for i in range(10**7)]",
        "t = (1,)\nfor i in range(60):\n    t = (t, t)\nd = {t: 1}",
        "s = t = [1]\nfor i in range(60):\n    s, t = [s, s], [t, t]\nd = s == [t, t][0]",
        "x = [0] * 90000\ny = []\nfor i in range(2000):\n    y.append(x[:])",
        "x = 'a' * 90000\ny = []\nfor i in range(2000):\n    y.append(f'{x}{i}')",
        "x = [a for a in range(1000) for b in range(1000) for c in range(1000)]",
    ],
)
def test_nothing_hangs_fills_memory_or_raises(statement: str) -> None:
    from freezelint.source.interpreter.signals import BudgetError

    try:
        read_source(statement)
    except BudgetError:
        return


def test_a_freeze_through_setattr_and_map() -> None:
    trace = traced(
        MODEL
        + """
list(map(lambda p: setattr(p, "requires_grad", False), model[0].parameters()))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
    )
    assert [event.kind for event in trace.events if event.kind == "frozen"] == ["frozen"]


def test_missing_is_no_value() -> None:
    value = shown("getattr(args, 'lr', 0.5)", "from somewhere import args")
    assert isinstance(value, Unknown)
    assert value.hint == 0.5
    assert value.hint is not MISSING
