"""Scripts that ask for a GPU, on the CPU and on tensors without values."""

import copy
import io
import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from freezelint.live.devices import DeviceError, placed
from freezelint.live.patching import Patches
from freezelint.live.process.failures import is_own_fault

Notes = list[tuple[str, str]]
WATCHED = (torch, torch.cuda, torch.Tensor, nn.Module, torch.autograd, torch.optim.Optimizer, DataLoader)


@pytest.fixture
def on_cpu() -> Iterator[Notes]:
    notes: Notes = []
    with placed("cpu", lambda what, why: notes.append((what, why))):
        yield notes


@pytest.fixture
def fake() -> Iterator[Notes]:
    notes: Notes = []
    with placed("fake", lambda what, why: notes.append((what, why))):
        yield notes


def snapshot() -> dict[tuple[str, str], object]:
    return {(owner.__name__, name): value for owner in WATCHED for name, value in vars(owner).items()}


# --- the words ---


def test_an_unknown_device() -> None:
    with pytest.raises(DeviceError, match="unknown device `tpu`: give auto, cpu, cuda or fake"):
        placed("tpu", lambda *_: None)


def test_cuda_without_a_gpu() -> None:
    if torch.cuda.is_available():
        with placed("cuda", lambda *_: None):
            assert torch.ones(1, device="cuda").is_cuda
    else:
        with pytest.raises(DeviceError, match="finds no GPU here; use auto, cpu or fake"):
            placed("cuda", lambda *_: None)


@pytest.mark.parametrize("device", ["cpu", "fake"])
def test_everything_is_put_back(device: str) -> None:
    with placed(device, lambda *_: None):
        pass  # what torch imports and remembers the first time
    before = snapshot()
    for ending in (None, ValueError):
        try:
            with placed(device, lambda *_: None):
                torch.set_default_device("cuda")
                if ending is not None:
                    raise ending
        except ValueError:
            pass
        after = snapshot()
        assert {name for name in after if after[name] is not before.get(name)} == set()
        assert torch._C._len_torch_function_stack() == 0
        assert torch.get_default_device() == torch.device("cpu")
    assert type(torch.ones(1)) is torch.Tensor


# --- on the CPU ---


def test_nothing_is_told_of_a_script_that_wants_no_gpu(on_cpu: Notes) -> None:
    model = nn.Linear(2, 2)
    model(torch.ones(1, 2)).sum().backward()
    assert on_cpu == []
    assert not torch.cuda.is_available()


def test_what_was_moved_is_told_once(on_cpu: Notes) -> None:
    torch.ones(1).cuda()
    nn.Linear(1, 1).to("cuda")
    assert on_cpu == [("cuda", "the script places tensors on a GPU: they were placed on the CPU")]


@pytest.mark.usefixtures("on_cpu")
def test_every_way_to_name_the_gpu() -> None:
    one, gpu = torch.ones(2), torch.device("cuda", 0)
    tensors = [
        one.cuda(),
        one.cuda(0, non_blocking=True),
        one.to("cuda"),
        one.to("cuda:1", torch.float64),
        one.to(gpu),
        one.to(device=gpu),
        one.to(0),
        one.pin_memory(),
        one.type("torch.cuda.FloatTensor"),
        one.new_zeros(2, device="cuda"),
        torch.zeros(2, device="cuda"),
        torch.zeros_like(one, device=gpu),
        torch.tensor([1.0], device="cuda"),
        torch.as_tensor([1.0], device="cuda"),
        torch.arange(3, device=0),
        torch.randn(2, generator=torch.Generator(device="cuda"), device="cuda"),
        torch.cuda.FloatTensor(2),  # type: ignore[attr-defined]
        *nn.Linear(2, 2, device="cuda").parameters(),
        *nn.Linear(2, 2).cuda().parameters(),
        *nn.DataParallel(nn.Linear(2, 2), device_ids=[0, 1]).cuda().parameters(),
    ]
    assert {tensor.device.type for tensor in tensors} == {"cpu"}
    assert isinstance(torch.Generator(device="cuda"), torch.Generator)


@pytest.mark.usefixtures("on_cpu")
def test_default_devices() -> None:
    with torch.device("cuda"):
        assert torch.zeros(2).device.type == "cpu"
    torch.set_default_device("cuda")
    assert torch.zeros(2).device.type == "cpu"
    with torch.device("meta"):
        assert torch.zeros(2).is_meta


@pytest.mark.usefixtures("on_cpu")
def test_questions_about_the_gpu_have_answers() -> None:
    torch.cuda.set_device(0)
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.manual_seed_all(0)
    assert torch.cuda.current_device() == torch.cuda.device_count() == torch.cuda.memory_allocated() == 0
    assert torch.cuda.get_device_name(0).startswith("CPU")
    assert torch.cuda.get_device_properties(0).total_memory == torch.cuda.mem_get_info()[1] > 0
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream), torch.cuda.device(0):
        start.record()
        end.record()
    stream.wait_stream(torch.cuda.current_stream())
    assert start.elapsed_time(end) >= 0


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.filterwarnings("ignore")
def test_mixed_precision_and_loaders() -> None:
    model = nn.Linear(2, 2).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.cuda.amp.GradScaler()
    before = model.weight.detach().clone()
    for (batch,) in DataLoader(TensorDataset(torch.ones(4, 2)), batch_size=2, pin_memory=True, num_workers=1):
        with torch.autocast("cuda", dtype=torch.float16), torch.cuda.amp.autocast():
            loss = model(batch.cuda(non_blocking=True)).sum()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    assert not torch.equal(model.weight, before)


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("place", [None, "cuda", torch.device("cuda"), {"cuda:0": "cuda:1"}])
def test_loading_for_the_gpu(place: object) -> None:
    file = io.BytesIO()
    torch.save({"weight": torch.ones(2)}, file)
    file.seek(0)
    assert torch.load(file, map_location=place)["weight"].device.type == "cpu"


@pytest.mark.usefixtures("on_cpu")
def test_hooks_in_a_backward_may_name_the_gpu() -> None:
    weight = nn.Parameter(torch.ones(2))
    weight.register_hook(lambda gradient: gradient.cuda() + torch.ones(2, device="cuda"))
    (weight * 2).sum().backward()
    torch.autograd.backward((weight * 2).sum())
    assert weight.grad is not None
    assert weight.grad.tolist() == [6.0, 6.0]
    (again,) = torch.autograd.grad((weight * 2).sum(), weight)
    assert again.tolist() == [3.0, 3.0]


def test_a_process_group_falls_back_to_gloo(on_cpu: Notes, tmp_path: Path) -> None:
    torch.distributed.init_process_group("nccl", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        assert torch.distributed.get_backend() == "gloo"
        body = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
        model = nn.parallel.DistributedDataParallel(body.cuda(0), device_ids=[0])
        model(torch.ones(2, 2).cuda()).sum().backward()
    finally:
        torch.distributed.destroy_process_group()
    assert "nccl" in dict(on_cpu)


@pytest.mark.usefixtures("fake")
def test_what_torch_refuses_a_handler_is_not_our_fault() -> None:
    with pytest.raises(IndexError) as refused:
        torch.all(torch.ones(2, 2), dim=5)
    assert not is_own_fault(refused.value)
    with pytest.raises(IndexError) as refused:
        torch.ones(2).sum(dim=5)
    assert not is_own_fault(refused.value)


@pytest.mark.parametrize("device", ["cpu", "fake"])
def test_stand_ins_are_pickled_by_the_names_of_what_they_replace(device: str) -> None:
    with placed(device, lambda *_: None):
        for there in (torch.load, torch.save, torch.Generator, torch.FloatTensor, torch.cuda.is_available):
            assert pickle.loads(pickle.dumps(there)) is there


@pytest.mark.usefixtures("on_cpu")
def test_a_replaced_method_is_called_once() -> None:
    calls: list[str] = []
    patches = Patches()

    def detach(tensor: torch.Tensor) -> torch.Tensor:
        calls.append("detach")
        return original(tensor)

    original = patches.replace(torch.Tensor, "detach", detach)
    torch.ones(1, requires_grad=True).detach()
    patches.undo()
    assert calls == ["detach"]


# --- without values ---


def test_tensors_have_no_values(fake: Notes) -> None:
    assert torch.ones(10**9, 10**3).shape == (10**9, 10**3)
    assert dict(fake).keys() == {"values"}


@pytest.mark.usefixtures("fake")
def test_values_that_scripts_ask_for() -> None:
    loss = nn.Linear(2, 2)(torch.ones(1, 2)).sum()
    assert (loss.item(), float(loss), int(loss), loss.tolist(), f"{loss:.2f}") == (1.0, 1.0, 1, 1.0, "1.00")
    assert f"{loss}" == "1.0"
    assert not torch.isnan(loss).any()
    assert torch.isfinite(torch.ones(3)).all()
    assert not (~torch.isfinite(torch.ones(3))).any()
    assert loss.detach().cpu().numpy().shape == ()
    assert torch.ones(2, 3).tolist() == [[1.0] * 3] * 2
    assert (torch.ones(4) == 1).sum().item() == 1
    assert torch.tensor([loss, loss]).shape == (2,)


@pytest.mark.usefixtures("fake")
def test_shapes_that_depend_on_values() -> None:
    values = torch.randn(4, 3)
    assert values[values > 0].shape == (12,)
    assert torch.nonzero(values).shape == (12, 2)
    assert torch.masked_select(values, values > 0).shape == (12,)
    assert torch.unique(torch.randint(0, 3, (10,))).shape == (10,)
    nn.Parameter(values)[torch.ones(4) > 0].sum().backward()


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam"])
@pytest.mark.parametrize("how", [{}, {"foreach": True}])
def test_optimizers(name: str, how: dict[str, bool]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=None), nn.Dropout())
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.1, **how)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(2, 3, 8, 8).cuda()).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.usefixtures("fake")
def test_fused_optimizers_and_scalers() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    scaler = torch.amp.GradScaler("cpu")
    steps: list[int] = []
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    for _ in range(3):
        scaler.scale(model(torch.ones(1, 2)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert len(steps) == 3


@pytest.mark.usefixtures("fake")
def test_copies_and_conversions_keep_parameters() -> None:
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 2)
    teacher = copy.deepcopy(model).requires_grad_(False)
    assert all(isinstance(p, nn.Parameter) and not p.requires_grad for p in teacher.parameters())
    kept = list(model.parameters())
    assert all(new is old for new, old in zip(model.cuda().to("cuda:0").parameters(), kept, strict=True))
    assert {p.dtype for p in teacher.half().parameters()} == {torch.float16}


@pytest.mark.usefixtures("fake")
def test_loaders_stay_in_one_process() -> None:
    data = TensorDataset(torch.randn(8, 2), torch.zeros(8))
    loader = DataLoader(
        data, 4, True, num_workers=4, prefetch_factor=2, persistent_workers=True, pin_memory=True
    )
    assert loader.num_workers == 0
    assert [images.shape for images, _ in loader] == [(4, 2), (4, 2)]


def test_checkpoints_are_not_written_but_can_be_read_back(fake: Notes, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(b"a real checkpoint")
    model = nn.Linear(2, 2)
    torch.save(model.state_dict(), file)
    model.load_state_dict(torch.load(file, map_location="cuda"))
    assert file.read_bytes() == b"a real checkpoint"
    assert "torch.save" in dict(fake)


@pytest.mark.usefixtures("fake")
def test_models_built_on_meta_can_be_trained() -> None:
    with torch.device("meta"):
        model = nn.Linear(2, 2)
    model(torch.ones(1, 2)).sum().backward()
    assert model.weight.grad is not None


def test_a_step_of_a_llama_with_seventy_billion_parameters_takes_little_memory(tmp_path: Path) -> None:
    script = tmp_path / "llama.py"
    script.write_text(
        "import torch, transformers\n"
        "from freezelint.live.devices import placed\n"
        "with placed('fake', lambda *_: None):\n"
        "    with torch.device('meta'):\n"
        "        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(hidden_size=8192,\n"
        "            intermediate_size=28672, num_hidden_layers=80, num_attention_heads=64,\n"
        "            num_key_value_heads=8, vocab_size=128256)).to(torch.bfloat16)\n"
        "    model.requires_grad_(False)\n"
        "    model.lm_head.requires_grad_(True)\n"
        "    model.model.layers[-1].requires_grad_(True)\n"
        "    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])\n"
        "    tokens = torch.randint(0, 128256, (2, 512), device='cuda')\n"
        "    model(input_ids=tokens, labels=tokens).loss.backward()\n"
        "    optimizer.step()\n"
        "    print(sum(p.numel() for p in model.parameters()) // 10**9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "70\n"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= 2 * 1024**2
