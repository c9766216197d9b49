"""What wraps models and optimizers, as the source reader imitates it."""

import pytest

from freezelint.evidence import Trace
from tests.source.reading import codes, found_in, traced, value_of

MODEL = """
import torch
from torch import nn
model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
inputs = torch.ones(2, 4)
"""
TRAIN = """
model.train()
optimizer.zero_grad()
model(inputs).sum().backward()
optimizer.step()
"""
FROZEN = "model[1].requires_grad_(False)\n"


def moved(trace: Trace) -> list[bool | None]:
    """What the last step did to each parameter of the first model."""
    return [trace.completed[-1].parameters[p].moved for p in trace.models[0].parameters]


WRAPPED = {
    "data parallel": "model = nn.DataParallel(model)",
    "distributed": "model = nn.parallel.DistributedDataParallel(model, device_ids=[0])",
    "moved first": "model = nn.DataParallel(model.cuda()).to('cuda')",
    "compiled": "model = torch.compile(model, mode='reduce-overhead')",
    "FSDP": "from torch.distributed.fsdp import FullyShardedDataParallel as FSDP\nmodel = FSDP(model)",
    "fully_shard": "from torch.distributed.fsdp import fully_shard\nfully_shard(model)",
    "apex": "from apex import amp\nmodel, optimizer = amp.initialize(model, optimizer, opt_level='O1')",
    "accelerate": "import accelerate\nmodel, optimizer = accelerate.Accelerator().prepare(model, optimizer)",
    "Fabric": "import lightning\nmodel, optimizer = lightning.Fabric().setup(model, optimizer)",
    "horovod": "import horovod.torch as hvd\noptimizer = hvd.DistributedOptimizer(optimizer)",
}


@pytest.mark.parametrize("wrap", list(WRAPPED.values()), ids=list(WRAPPED))
def test_a_wrapped_model_is_trained_as_before(wrap: str) -> None:
    trace = traced(MODEL + wrap + TRAIN)
    (model,) = trace.models
    assert [module.path for module in model.modules] == ["", "0", "1", "2"]
    assert moved(trace) == [True] * 6
    assert trace.completed[0].modules[0]["1"].ran is True


@pytest.mark.parametrize("wrap", list(WRAPPED.values()), ids=list(WRAPPED))
def test_faults_show_through_the_wrapper(wrap: str) -> None:
    assert "FRZ101" in codes(found_in(MODEL + FROZEN + wrap + TRAIN))
    mended = TRAIN.replace(
        "model.train()\n",
        "model.train()\nfor m in model.modules():\n    if isinstance(m, nn.BatchNorm1d):\n        m.eval()\n",
    )
    assert "FRZ101" not in codes(found_in(MODEL + FROZEN + wrap + mended))


def test_the_wrapped_model_is_its_module() -> None:
    text = MODEL + "wrapped = nn.DataParallel(model)\n"
    assert value_of(text + "result = wrapped.module is model\n") is True
    assert (
        value_of(text + "result = [name for name, _ in wrapped.named_parameters()][0]\n") == "module.0.weight"
    )
    assert value_of(text + "result = hasattr(wrapped, 'module')\n") is True
    assert value_of(text + "result = hasattr(model, 'module')\n") is False


def test_accelerate_starts_backward_and_clips() -> None:
    text = """
from accelerate import Accelerator
accelerator = Accelerator(gradient_accumulation_steps=2)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
for batch in loader:
    with accelerator.accumulate(model):
        loss = model(batch).sum()
        accelerator.backward(loss)
        if accelerator.sync_gradients:
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
if accelerator.is_main_process:
    torch.save(accelerator.unwrap_model(model).state_dict(), "x")
"""
    trace = traced(MODEL + text)
    assert moved(trace) == [True] * 6
    assert not trace.events_of("iterator-exhausted")


def test_accelerate_hands_back_one_thing_as_it_is() -> None:
    text = MODEL + "from accelerate import Accelerator\nother = Accelerator().prepare(model)\n"
    assert value_of(text + "result = other is model\n") is True


def test_the_engine_of_deepspeed() -> None:
    text = """
import deepspeed
wanted = model.parameters()
engine, optimizer, _, _ = deepspeed.initialize(args=args, model=model, model_parameters=wanted)
loss = engine(inputs).sum()
engine.backward(loss)
engine.step()
"""
    trace = traced(MODEL.replace("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n", "") + text)
    assert len(trace.completed) == 1
    assert [step.stepping is not None for step in trace.completed] == [True]
    assert trace.completed[0].parameters[0].gradient == "nonzero"


def test_an_average_follows_and_is_held_by_nobody() -> None:
    text = """
from torch.optim.swa_utils import AveragedModel
average = AveragedModel(model)
for batch in loader:
    optimizer.zero_grad()
    model(batch).sum().backward()
    optimizer.step()
    average.update_parameters(model)
"""
    assert not {"FRZ203", "FRZ301", "FRZ107", "FRZ210"} & set(codes(found_in(MODEL + "model.train()" + text)))


def test_a_process_that_is_spawned_is_read() -> None:
    text = """
import torch.multiprocessing as mp
import torch.distributed as dist
def work(rank, epochs):
    dist.init_process_group("nccl", rank=rank, world_size=2)
    net = nn.parallel.DistributedDataParallel(model, device_ids=[rank])
    for epoch in range(epochs):
        net(inputs).sum().backward()
        optimizer.step()
mp.spawn(work, nprocs=2, args=(1,))
"""
    assert moved(traced(MODEL + text)) == [True] * 6
