"""Whatever is handed to optimizers, schedules, scalers and wrappers: the reader goes on."""

import pytest

from tests.source.reading import read_source, variables

SETTING = """
import accelerate, apex, deepspeed, timm, torch, transformers
from torch import nn
from torch.optim import lr_scheduler, swa_utils
model = nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9)
scaler = torch.amp.GradScaler()
accelerator = accelerate.Accelerator()
def function(*args):
    return args
"""
ODD = [
    *("", "None", "5", "-1.5", "'x'", "[]", "()", "{}", "[1, 2]", "{'params': None}", "[{'params': 5}]"),
    *("[{'lr': 1}]", "thing", "*thing", "**thing", "torch.zeros(2)", "model", "[model]", "[[model.weight]]"),
    *("optimizer", "[optimizer]", "scheduler", "[scheduler]", "function", "nn.ReLU", "iter([1])", "10**400"),
    *("float('nan')", "model, -1, 'x'", "optimizer, 'x', None", "optimizer, [], {}", "optimizer, model, 0"),
    *("lr='x'", "params=5", "model.parameters(), 'x'", "model.parameters(), lr=None, momentum='x'"),
]
CALLED = [
    *(
        "torch.optim.SGD",
        "torch.optim.LBFGS",
        "torch.optim.Optimizer",
        "torch.optim.__dict__['x']",
        "get_optimizer",
    ),
    *("timm.optim.create_optimizer", "timm.optim.create_optimizer_v2", "timm.optim.Lookahead", "MyAdamW"),
    *(
        "timm.optim.param_groups_weight_decay",
        "apex.amp.initialize",
        "apex.amp.scale_loss",
        "deepspeed.initialize",
    ),
    *("lr_scheduler.StepLR", "lr_scheduler.OneCycleLR", "lr_scheduler.SequentialLR", "lr_scheduler.LambdaLR"),
    *(
        "lr_scheduler.ChainedScheduler",
        "lr_scheduler.CyclicLR",
        "lr_scheduler.MultiStepLR",
        "swa_utils.SWALR",
    ),
    *(
        "transformers.get_linear_schedule_with_warmup",
        "transformers.get_scheduler",
        "swa_utils.AveragedModel",
    ),
    *("nn.utils.clip_grad_norm_", "nn.utils.parameters_to_vector", "nn.utils.vector_to_parameters"),
    *(
        "nn.DataParallel",
        "nn.parallel.DistributedDataParallel",
        "torch.compile",
        "torch.multiprocessing.spawn",
    ),
    *("accelerator.prepare", "accelerator.backward", "accelerator.clip_grad_norm_", "accelerator.load_state"),
    *("scaler.scale", "scaler.step", "scaler.unscale_", "timm.utils.NativeScaler()", "timm.utils.ModelEmaV2"),
    *("optimizer.step", "optimizer.zero_grad", "optimizer.add_param_group", "optimizer.load_state_dict"),
    *("scheduler.step", "scheduler.get_last_lr", "scheduler.load_state_dict", "optimizer.state.update"),
]


@pytest.mark.parametrize("called", CALLED)
def test_odd_arguments_are_no_trouble(called: str) -> None:
    attempts = "".join(
        f"try:\n    made = {called}({odd})\n    made.step()\nexcept Exception:\n    pass\n" for odd in ODD
    )
    machine = read_source(SETTING + attempts + "end = 1\n")
    assert variables(machine)["end"] == 1
