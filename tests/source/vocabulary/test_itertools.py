"""`itertools`, `functools`, `operator`, `collections`, `copy`, `math`, `re` and `numpy` as they are read."""

from __future__ import annotations

import pytest

from freezelint.source.interpreter.signals import BudgetError
from freezelint.source.interpreter.values import Items, Unknown
from tests.source.reading import read_source, value_of, variables

MODEL = """
import torch, itertools, copy, math, operator, re
import numpy as np
from collections import OrderedDict, defaultdict, deque, namedtuple, Counter
from functools import partial, reduce, lru_cache
from torch import nn
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
"""


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("list(itertools.chain([1], (2,), {3: 0}))", [1, 2, 3]),
        ("list(itertools.chain.from_iterable([[1], [2]]))", [1, 2]),
        ("list(itertools.islice([1, 2, 3, 4], 1, 3))", [2, 3]),
        ("list(itertools.islice(itertools.count(5), 2))", [5, 6]),
        ("list(zip('ab', itertools.count(1)))", [("a", 1), ("b", 2)]),
        ("list(zip('abc', itertools.cycle([0, 1])))", [("a", 0), ("b", 1), ("c", 0)]),
        ("[next(c) for c in [itertools.count(3)] * 2]", [3, 4]),
        ("list(itertools.product('ab', [0, 1]))", [("a", 0), ("a", 1), ("b", 0), ("b", 1)]),
        ("list(itertools.combinations('abc', 2))", [("a", "b"), ("a", "c"), ("b", "c")]),
        ("list(itertools.repeat(0, 2))", [0, 0]),
        ("list(itertools.accumulate([1, 2, 3]))", [1, 3, 6]),
        ("[(k, list(g)) for k, g in itertools.groupby('aab')]", [("a", ["a", "a"]), ("b", ["b"])]),
        ("list(itertools.starmap(lambda a, b: a + b, [(1, 2)]))", [3]),
        ("list(itertools.takewhile(lambda x: x < 2, [1, 2, 1]))", [1]),
        ("list(itertools.dropwhile(lambda x: x < 2, [1, 2, 1]))", [2, 1]),
        ("list(itertools.zip_longest([1, 2], [3]))", [(1, 3), (2, None)]),
        ("list(itertools.filterfalse(lambda x: x > 1, [1, 2]))", [1]),
        ("partial(lambda a, b: a - b, 5)(3)", 2),
        ("partial(int, base=2)('101')", 5),
        ("reduce(lambda a, b: a * b, [2, 3, 4], 1)", 24),
        ("operator.itemgetter(1)([4, 5])", 5),
        ("operator.attrgetter('real')(3)", 3),
        ("operator.methodcaller('upper')('a')", "A"),
        ("operator.add(2, 3)", 5),
        ("math.ceil(2.1) + math.floor(2.9)", 5),
        ("math.prod([2, 3])", 6),
        ("round(math.pi, 2)", 3.14),
        ("list(OrderedDict([('a', 1)]))", ["a"]),
        ("list(deque([1, 2, 3], maxlen=2))", [2, 3]),
        ("Counter('aab').most_common(1)", [("a", 2)]),
        ("bool(re.match(r'layer[34]', 'layer4.0'))", True),
        ("re.match('x', 'layer4')", None),
        ("re.search(r'layers\\.(\\d+)\\.', 'encoder.layers.11.bias').group(1)", "11"),
        ("int(re.findall(r'\\d+', 'layer.7')[0])", 7),
        ("re.sub(r'\\d', '#', 'a1')", "a#"),
        ("bool(re.compile('BIAS$', re.I).search('fc.bias'))", True),
        ("[m is not None for m in [re.fullmatch('a.c', 'abc')]]", [True]),
        ("list(np.arange(3))", [0, 1, 2]),
        ("[len(part) for part in np.array_split([1, 2, 3], 2)]", [2, 1]),
        ("np.linspace(0, 1, 3)[1]", 0.5),
        ("np.argsort([3, 1, 2])[0]", 1),
    ],
)
def test_known_values_are_computed(expression: str, value: object) -> None:
    assert value_of(f"{MODEL}\nresult = {expression}\n") == value


def test_chain_of_parameters_is_one_iterator_that_is_spent() -> None:
    scope = variables(
        read_source(
            MODEL
            + """
both = itertools.chain(model[0].parameters(), model[2].parameters())
first, second = list(both), list(both)
"""
        )
    )
    assert isinstance(scope["both"], Items)
    assert scope["both"].of_parameters
    assert (len(scope["first"]), len(scope["second"])) == (4, 0)


def test_partial_of_a_module_class_builds_the_module() -> None:
    scope = variables(
        read_source(
            MODEL
            + """
norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
layer = norm(8)
class Block(nn.Module):
    def __init__(self, norm_layer=norm):
        super().__init__()
        self.bn = norm_layer(4)
block = Block()
"""
        )
    )
    assert scope["layer"].class_name == "BatchNorm2d"
    assert scope["block"].children["bn"].class_name == "BatchNorm2d"


def test_defaultdict_makes_what_is_missing() -> None:
    groups = value_of(
        MODEL
        + """
result = defaultdict(lambda: {"params": []})
for name, p in model.named_parameters():
    result["bias" if name.endswith("bias") else "weight"]["params"].append(p)
"""
    )
    assert {name: len(group["params"]) for name, group in groups.items()} == {"weight": 2, "bias": 2}


def test_named_tuples_are_unpacked_and_read_by_name() -> None:
    assert value_of(
        MODEL
        + """
from typing import NamedTuple
Point = namedtuple("Point", "x y")
class Sizes(NamedTuple):
    a: int
    b: int = 5
p = Point(1, y=2)
x, y = p
first, second = Sizes(3)
result = x, y, p.y, p[0], first, second, p._replace(x=9).x
"""
    ) == (1, 2, 2, 1, 3, 5, 9)


def test_deepcopy_is_another_model() -> None:
    scope = variables(
        read_source(
            MODEL
            + "teacher = copy.deepcopy(model)\nfor p in teacher.parameters():\n    p.requires_grad = False\n"
        )
    )
    assert [p.requires_grad for _, p in scope["model"].own_and_below()] == [True] * 4
    assert [p.requires_grad for _, p in scope["teacher"].own_and_below()] == [False] * 4


def test_cached_and_wrapped_functions_are_what_they_were() -> None:
    assert (
        value_of(
            MODEL
            + """
class A:
    @lru_cache(maxsize=None)
    def f(self, x):
        return x + 1
result = A().f(1)
"""
        )
        == 2
    )


@pytest.mark.parametrize(
    "expression",
    [
        "list(itertools.product(range(1000), repeat=5))",
        "list(itertools.permutations(range(100)))",
        "list(itertools.count())",
        "list(itertools.cycle([1]))",
        "list(itertools.repeat(1))",
        "max(itertools.count())",
        "math.factorial(10**9)",
        "math.comb(10**6, 5 * 10**5)",
        "math.prod([10**11] * 1000)",
        "re.match('(a+)+$', 'a' * 40 + 'b')",
        "re.match('(a|aa)+$', 'a' * 40 + 'b')",
        "re.match('.*.*.*.*.*x', 'a' * 1000)",
        "re.match('(' * 400, 'a')",
        "re.compile('a{1,999999999999}')",
        "re.sub('a', 'b' * 90000, 'a' * 2000)",
        "np.arange(10**12)",
        "np.linspace(0, 1, 10**10)",
        "reduce(lambda a, b: a + a, range(100), [1])",
        "deque([1] * 10, maxlen=-1)",
        "Counter([[1]])",
        "namedtuple('P', 3)",
        "partial()",
        "operator.itemgetter()()",
        "list(itertools.accumulate(['a', 1]))",
        "list(itertools.islice(range(5), -1))",
    ],
)
def test_nothing_hangs_fills_memory_or_raises(expression: str) -> None:
    try:
        read_source(f"{MODEL}\nx = {expression}\n")
    except BudgetError:
        return


def test_patterns_that_could_take_for_ever_are_unknown() -> None:
    assert isinstance(value_of(f"{MODEL}\nresult = re.match('(a+)+$', 'aaaa')\n"), Unknown)


def test_a_spent_filter_is_told_with_what_spent_it() -> None:
    """Whatever the model is: `filter` gives an iterator, and the optimizer reads it to its end."""
    for model in ("nn.Linear(4, 2)", "unknown.Thing()"):
        machine = read_source(
            "import torch, unknown\nfrom torch import nn\n"
            f"model = {model}\n"
            "wanted = filter(lambda p: p.requires_grad, model.parameters())\n"
            "optimizer = torch.optim.SGD(wanted, lr=0.1)\n"
            "model(torch.ones(1, 4)).sum().backward()\n"
            "torch.nn.utils.clip_grad_norm_(wanted, 1.0)\n"
        )
        (event,) = [record for record in machine.recorder.records if record.kind == "iterator-exhausted"]
        assert (event.details["name"], event.details["value"]) == ("clip_grad_norm_", "SGD (line 5)")
