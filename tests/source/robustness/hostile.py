"""Sources that are made to bring a reader down: endless, huge, circular, or plainly absurd.

A case is something odd and a list of lines that use it. Each line is a program of its own: after an exception
the rest of a script is not read.
"""

from __future__ import annotations

from collections.abc import Iterator

# -- odd values, each twice, and all that may be done with them --------------------------------------------

VALUES: dict[str, str] = {
    # A handful of lines, and more elements than there are atoms.
    "tuples that double": "x, y = (1,), (1,)\nfor i in range(60): x, y = (x, x), (y, y)\n",
    "lists that double": "x, y = [1], [1]\nfor i in range(60): x, y = [x, x], [y, y]\n",
    "dicts that double": "x, y = {1: 1}, {1: 1}\nfor i in range(60): x, y = {1: x, 2: x}, {1: y, 2: y}\n",
    "modules that double": "from torch.nn import Linear, Sequential\nx = y = Linear(1, 1)\n"
    "for i in range(100): x, y = Sequential(x, x), Sequential(y, y)\n",
    "deep lists": "x, y = [], []\nfor i in range(1900): x, y = [x], [y]\n",
    "deep tuples": "x, y = (), ()\nfor i in range(900): x, y = (x,), (y,)\n",
    "deep dicts": "x, y = {}, {}\nfor i in range(1900): x, y = {1: x}, {1: y}\n",
    "lists in themselves": "x, y = [], []\nx.append(x)\ny.append(x)\nx.append(y)\n",
    "dicts in themselves": "x, y = {}, {}\nx[1], x[2], y[1] = x, y, x\n",
    "modules in themselves": "from torch.nn import *\nx = Sequential(Linear(2, 2))\nx.x = x\n"
    "y = ModuleList([x, x])\n",
    "objects in themselves": "class A: pass\nx, y = A(), A()\nx.x, x.y, y.x = x, y, x\n",
    "objects that double": "class A: pass\nx, y = A(), A()\n"
    "for i in range(60):\n    a = A()\n    a.x, a.y = x, x\n    x, y = a, [a, a]\n",
    "large numbers": "x, y = 10 ** 1200, -(7 ** 1200)\n",
    "odd numbers": "x, y = float('nan'), 3j\n",
    "many digits": f"x = y = 0x{'F' * 100_000}\n",
    "long texts": "x, y = 'a' * 90_000, '{0:{0}}%s%d((((' * 200\n",
    "wide formats": "x, y = '%999999999d', '{:>999999999}'\n",
    "half a character": "x, y = '\\ud800', b'\\xff'\n",
    "endless ranges": "x, y = range(10 ** 30), range(0, -(10 ** 18), -3)\n",
    "endless iterators": "import itertools\nx, y = itertools.count(), itertools.cycle([1, 'a', None])\n",
    "endless generators": "def g():\n    while True: yield g\nx, y = g(), iter(g())\n",
    "wide lists": "x, y = [[1] * 20_000] * 1000, list(range(10_000))\n",
    "classes": "class x: pass\nclass y(x, x): pass\n",
    "functions": "x, y = lambda *a, **k: x(*a, **k), lambda f: f(f)\n",
    "nobody knows": "import unheard_of\nx, y = unheard_of.x, unheard_of.y()\n",
}
USES = """
x == y, x != y, x is y
x < y
x in [y], y in x
[y].index(x), [y].count(x), [y].remove(x)
x.index(y), x.count(y)
sorted([x, y]), min(x, y), max([x, y])
sorted(x, key=y), max(x, key=y)
[x, y].sort()
sum(x), any(x), all(y), len(x), len(y)
{x, y}, {x: y}, frozenset([x]), hash(x), dict.fromkeys([x])
str(x), repr(y), f'{x!r:>{y}}', '%s %d' % (x, y), '{0[0]}{1.a}'.format(x, y)
print(x, *x, **y)
x % y, x + y, x * 3
x ** y, x << y, divmod(x, y), -x, ~y
x[y], x[0], x[::0], x[-1:y:x]
x[y] = x[0] = y
del x[y], x[0], x.y
x.y.z = x
x.append(y), x.extend(x), x.update(y), x.insert(0, y), x.pop(y)
x(y), y(*x), x(**y)
isinstance(1, x), isinstance(x, (int, (y, (list,)))), issubclass(x, y)
getattr(x, y), setattr(x, y, x), hasattr(x, y), callable(x), vars(x), type(x)(y), type('A', x, y)
list(map(x, y)), list(filter(x, y)), list(zip(x, y)), dict(zip(x, x)), next(x, y), range(x, y), int(x)
for a in x: x = [x, a, y]
for a, (b, *c) in x: print(a, b, c)
while x == y: x = x[1:]
[[a for a in x if a in y] for b in x]
(a, (b, *c)), d = x
class A(x, metaclass=y): a = x
with x as a, y() as a.b: raise x from y
import copy; copy.deepcopy([x, y, x]), copy.copy(x)
import functools; functools.reduce(lambda a, b: (a, b), x), functools.partial(x, y)(y, x)
import itertools; list(itertools.product(x, y, repeat=9)), list(itertools.permutations(x))
import itertools; list(itertools.chain(*x)), list(itertools.islice(x, y)), list(itertools.zip_longest(x, y))
import collections; collections.Counter([x, y]), collections.namedtuple(x, y), collections.deque(x, y)
import re; re.sub(y, x, x), re.compile(x).findall(y)
import math; math.factorial(x), math.prod(x), math.comb(x, y)
from argparse import *; p = ArgumentParser(); p.add_argument('--a', choices=x, default=y); p.parse_args().a
import torch; torch.tensor(x), torch.zeros(x, *y), torch.ones(3)[x], torch.stack(x).view(y), torch.ones(3) + x
from torch.nn import *; Linear(x, y)(x), Sequential(*x), ModuleList(x), ModuleDict(y)
import torch; torch.nn.Linear(1, 1).load_state_dict(x), torch.nn.Linear(1, 1).add_module(x, y)
import torch; o = torch.optim.SGD(x, lr=y); o.step(); o.add_param_group(y); o.param_groups = x; o.step()
import torch; torch.optim.lr_scheduler.StepLR(torch.optim.Adam([torch.zeros(1)], lr=x), y).step()
import torchvision; torchvision.models.resnet18(x, weights=y), torchvision.models.get_model(x)
for p in x.parameters(): p.requires_grad = y
for n, p in x.named_parameters(): p.requires_grad = any(k in n for k in y)
x.train(y), x.eval(), x.apply(y), x.state_dict(), x.to(y), x.half().cuda(), list(x.named_modules())
"""

# -- odd objects, and lines made for them ------------------------------------------------------------------

_ITSELF = (
    """
class A:
    def __getattr__(self, name): return getattr(self, name + 'x')
    def __setattr__(self, name, value): self.n = value
    def __getitem__(self, key): return self[key]
    def __iter__(self): return iter(self)
    def __len__(self): return len(self)
    def __eq__(self, other): return self == other
    def __hash__(self): return hash(self)
    def __bool__(self): return bool(self)
    def __call__(self): return self()
    def __enter__(self):
        with self: pass
    def __contains__(self, x): return x in self
    def __add__(self, other): return self + other
    def __repr__(self): return repr(self)
    def __next__(self): return next(self)
a = A()
""",
    """
a.q
a.q = 1
a[0], list(a)
len(a), bool(a)
a == a, hash(a), {a: 1}
a()
1 in a, a + a
repr(a), str(a), f'{a}'
next(a)
sorted([a, a])
for x in a: pass
with a: pass
""",
)

_MODULE = (
    """
import copy
import torch
from torch import nn
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.m, self.l, self.m2 = self, nn.Sequential(self, self), M
    def forward(self, x): return self(self.forward(x))
    def parameters(self): return self.parameters()
    def train(self, mode=True): return self.train(mode)
    def __getattr__(self, name): return getattr(self.m, name)
m = M()
a = nn.Sequential(nn.Linear(1, 1))
b = nn.Sequential(a)
a.add_module('b', b)
a.c = b
""",
    """
m(1)
m.train(), m.eval()
m.foo.bar
m.l.append(m.l), m.l.extend(m.l)
m.apply(m), m.apply(lambda x: x.apply(lambda y: y))
for p in m.parameters(): p.requires_grad = False
torch.optim.SGD(m.parameters(), lr=.1).step()
for name, child in m.named_modules(): setattr(m, name, m)
m.load_state_dict(m), copy.deepcopy(m), print(m)
o = torch.optim.Adam(a.parameters()); a(torch.zeros(1)).sum().backward(); o.step()
copy.deepcopy(a), a.half().cuda(), repr(a), list(a.named_modules())
del a[9], a[::0], a.weight, a.nope
a[::0], a['a'], a[None], a[1.5], a[-7]
nn.Sequential({10 ** 5000: a, m: m, (a, b): b, 1: a})
""",
)

_OPTIMIZER = (
    """
import torch
p = torch.nn.Parameter(torch.zeros(3))
o = torch.optim.SGD([{'params': [p] * 100}] * 100, lr=.1)
o.step()
""",
    """
o.param_groups[0]['params'] = o; o.step()
for g in o.param_groups: g['lr'] = g
o.param_groups.append(o.param_groups); o.step()
o.param_groups.extend(o.param_groups); o.zero_grad()
o.add_param_group(o), o.step(o.step), o.step(lambda: o.step()), o.zero_grad(o), o.load_state_dict(o)
torch.optim.lr_scheduler.StepLR(o, o).step()
for what in (o, 5, {}, [{}], [[p], [p]]): torch.optim.AdamW(what).step()
torch.optim.AdamW(p for p in [p] for _ in range(10**9)).step()
""",
)

_ABSURD = (
    "",
    """
sorted([1, 'a', None, [], {}]), min([]), max([1, 'a']), sum(['a'])
set([[]]), {[]: 1}, {{}: 1}
{**1}, [*1]
f(*1, **2), f(**{1: 2})
{1: 2}[[]], {}.get([])
int('x'), int('9' * 10000), chr(10**10), ord('ab')
1 / 0, 1 % 0, 'a' % 0, divmod(1, 0), pow(2, 10**10), abs(None), round('x')
range(10**30), range(0, 10, 0), list(range(10**9)), range(10)[::0], 'abc'[::0], bytes(10**12)
'a'.encode('nonsense'), b'x'.decode('utf-99'), hex('a')
enumerate(5), zip(1, 2), map(1, 2), next(5), iter(5)
eval('1'), exec('x'), __import__(1), format(1, 'x' * 999)
type(1, 2, 3), super(1, 2), property(1), staticmethod(2)
a, b = 1
a, b = 1, 2, 3
[*a] = 5
for x.y in z: pass
for x[0] in [1]: pass
del y, y[0], y.z
globals().clear(); __name__ = 'y'
globals()[globals] = globals; print(x)
torch = torch.nn = 3; torch.nn.Linear(1, 2)
from torch import *; from nonsense import *; from . import *; from ....... import y; Linear(1, 2)
10 ** 10 ** 10, 2 ** 100000 ** 3, 1 << (1 << 60)
'a' * 10**12, [0] * 10**12, (1,) * 10**10, b'x' * 10**11
'%1000000000d' % 1, f'{1:>1000000000}', '{:>999999999}'.format(1), 'a'.ljust(10**10), 'x'.zfill(10**11)
[0 for a in range(10**6) for b in range(10**6) for c in range(10**6)]
[[[[i for i in q] for q in r] for r in s] for s in t]
import re; re.match('(a+)+$', 'a' * 40 + 'b'), re.findall('(.*)*', 'a' * 1000)
import re; re.compile('(x+x+)+y').search('x' * 50), re.compile('(' * 1000), re.compile('a{100000000}')
(lambda x: x(x))(lambda x: x(x))
""",
)

_DECORATED = (
    """
class B:
    @property
    def x(self): return self.x
    @x.setter
    def x(self, value): self.x = value
    @property
    def y(self): return self.z
    @property
    def z(self): return self.y
class M(type):
    def __call__(cls, *rest): return cls(*rest)
    def __new__(meta, *rest): return meta(*rest)
    def __getattr__(cls, name): return getattr(cls, name)
class C(metaclass=M):
    def __new__(cls): return cls()
@1
def f(): pass
@None
class A: pass
@(lambda f: 3)
def g(): pass
@f
@g
@A
def k(x): return k
""",
    """
f(), g(), A()
k(k)(k)(k)
B().x
B().y
B().x = 3
C().x
C.y
""",
)

_RECURSIVE = (
    """
def f(n): return g(n) + g(n)
def g(n): return f(n) + f(n)
def fib(n): return fib(n - 1) + fib(n - 2) + fib(n - 3)
def a(m, n): return n + 1 if m == 0 else a(m - 1, 1) if n == 0 else a(m - 1, a(m, n - 1))
def h():
    yield from h()
class D(D): pass
""",
    """
f(0)
fib(100)
a(4, 4)
list(h())
D().x
while True: f(1)
""",
)

_GROWING = (
    "x, s, l, t, d = [1], 'a', [1], (), {1: 2}\n",
    """
while True: x = x + x
while True: s += s
while True: l.extend(l)
while True: x = [x]
for i in range(10**9): t = (t, i)
for i in range(10**9): s = f'{s}{s}'
for a in x: x.append(a)
for key in d: d[key + 1] = 1
""",
)

CASES: dict[str, tuple[str, str]] = {
    **{name: (made, USES) for name, made in VALUES.items()},
    "an object that asks itself": _ITSELF,
    "a module that asks itself": _MODULE,
    "an optimizer of anything": _OPTIMIZER,
    "nonsense": _ABSURD,
    "decorated with anything": _DECORATED,
    "without end": _RECURSIVE,
    "ever larger": _GROWING,
}


def programs(name: str) -> Iterator[str]:
    """The programs of a case."""
    made, uses = CASES[name]
    for line in uses.strip().splitlines():
        yield f"{made}{line}\n"


# -- whole scripts -----------------------------------------------------------------------------------------

_TRAIN = "import torch\nm = torch.nn.Linear(1, 1)\no = torch.optim.SGD(m.parameters(), lr=1.)\n"
_STEP = "m(torch.zeros(1)).sum().backward()\no.step()\n"

SCRIPTS: dict[str, str] = {
    "parentheses": f"x = {'(' * 150}1{')' * 150}\n",
    "more parentheses": f"x = {'(' * 5000}1{')' * 5000}\n",
    "a long sum": f"x = {'+'.join(['1'] * 20_000)}\n",
    "a long name": f"import torch\nx = torch{'.a' * 20_000}\n",
    "calls of calls": f"x = f{'()' * 5000}\n",
    "nots": f"x = {'not ' * 3000}a\n",
    "lambdas in lambdas": f"x = {'lambda: ' * 500}1\n",
    "ifs in ifs": "".join(f"{'    ' * depth}if a:\n" for depth in range(95)) + "    " * 95 + "x = 1\n",
    "many branches": "if a == 0: pass\n" + "".join(f"elif a == {n}: x = {n}\n" for n in range(800)),
    "loops in loops": "while True:\n  while True:\n    while 1:\n      try: x = [x]\n      finally: pass\n",
    "ancestors that double": "class A: pass\n" + "class A(A, A): pass\n" * 60 + "A().x\n",
    "a large table": f"x = [{','.join(map(str, range(50_000)))}]\nsorted(x), x + x, {{a: a for a in x}}\n",
    "a long line": f"x = '{'a' * 1_000_000}'\nx + x, x.upper(), x * 2, x.replace('a', 'bb'), list(x)\n",
    "modules around modules": _TRAIN + "for i in range(300): m = torch.nn.Sequential(m)\n" + _STEP,
    "many layers": "from torch import nn\nm = nn.ModuleList([nn.Linear(1, 1) for _ in range(100_000)])\n"
    "for p in m.parameters(): p.requires_grad = False\n",
    "many steps": _TRAIN + _STEP * 1000,
    "many conditions": _TRAIN + "".join(f"if c{n}: m.requires_grad_(0)\n" for n in range(400)) + _STEP,
    "comparisons of large containers": "x, y = [[1] * 50_000] * 4, [[1] * 50_000] * 4\n"
    "for i in range(1900):\n  for j in range(1900):\n    x == y, x in y, x[1:], str(x)\n",
    "asynchronous": "async def f():\n    async with a as b:\n        async for x in y: yield await z\n"
    "import asyncio\nasyncio.run([x async for x in f()])\n",
    "builtins renamed": "len = range = print = super = object = None\nfor i in range(3): len(i)\n"
    "class A(object):\n    def __init__(self): super().__init__()\nA()\n",
}
