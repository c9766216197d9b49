"""The frame of `--hermetic`: installed before anything is imported, no network, and everything put back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import urllib.request
from pathlib import Path

import pytest
import torch
from torch import nn

from freezelint.live.hermetic import HermeticError
from tests.live.hermetic.running import hermetic

BEFORE_THE_SCRIPT = """
import runpy, sys
from freezelint.live.hermetic import installed
with installed(lambda what, why: print("NOTE", what), lambda parameters, origin: None):
    assert not {"torchvision", "transformers", "timm", "datasets"} & set(sys.modules)
    runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(script: str, folder: Path) -> str:
    path = folder / "train.py"
    path.write_text(textwrap.dedent(script))
    command = [sys.executable, "-c", BEFORE_THE_SCRIPT, str(path)]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_a_script_that_needs_nothing_is_left_alone(tmp_path: Path) -> None:
    """Neither a library that the script does not import, nor a file beside it, nor a note."""
    said = run(
        """
        import sys, torch
        torch.save(torch.nn.Linear(2, 2).state_dict(), "mine.pt")
        torch.nn.Linear(2, 2).load_state_dict(torch.load("mine.pt"))
        assert not {"torchvision", "transformers", "timm", "datasets"} & set(sys.modules)
        """,
        tmp_path,
    )
    assert said == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.pt", "train.py"]


def test_libraries_imported_by_the_script_are_replaced(tmp_path: Path) -> None:
    """Names imported from a library, data loader workers and the main guard work as without the stand-ins."""
    said = run(
        """
        from torch.hub import load_state_dict_from_url
        from torch.utils.data import DataLoader
        from torchvision.datasets import CIFAR10
        from torchvision.models import resnet18, ResNet18_Weights
        from torchvision.transforms import ToTensor

        if __name__ == "__main__":
            model = resnet18(weights=ResNet18_Weights.DEFAULT)
            address = "https://download.pytorch.org/models/resnet18-5c106cde.pth"
            model.load_state_dict(load_state_dict_from_url(address))
            data = CIFAR10("data", download=True, transform=ToTensor())
            loader = DataLoader(data, batch_size=4, num_workers=2)
            images, labels = next(iter(loader))
            assert model.eval()(images).shape == (4, 1000)
        """,
        tmp_path,
    )
    assert said.splitlines() == ["NOTE torchvision weights", "NOTE torchvision CIFAR10"]
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]


def test_a_missing_weights_file_is_missing_as_ever(tmp_path: Path) -> None:
    with hermetic(), pytest.raises(FileNotFoundError, match=r"resnet50\.pth"):
        torch.load(tmp_path / "resnet50.pth")


def test_connections_within_the_machine_work() -> None:
    with hermetic(), socket.create_server(("127.0.0.1", 0)) as server:
        answer = threading.Thread(target=lambda: server.accept()[0].close())
        answer.start()
        with socket.create_connection(("localhost", server.getsockname()[1])) as connection:
            assert connection.recv(1) == b""
        answer.join()
        left, right = socket.socketpair()
        with left, right:
            left.sendall(b"x")
            assert right.recv(1) == b"x"


def test_a_gloo_process_group_works() -> None:
    with hermetic():
        store = torch.distributed.TCPStore("localhost", 0, 1, is_master=True)
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        try:
            values = torch.ones(2)
            torch.distributed.all_reduce(values)
            assert values.tolist() == [1, 1]
        finally:
            torch.distributed.destroy_process_group()


@pytest.mark.parametrize("host", ["93.184.216.34", "example.com"])
def test_connections_to_other_hosts_are_refused(host: str) -> None:
    with (
        hermetic(),
        pytest.raises(HermeticError, match=rf"{host}.*--hermetic refuses the network.*local file"),
    ):
        socket.create_connection((host, 80), timeout=5)


def test_a_download_by_the_script_says_why_it_fails() -> None:
    with hermetic(), pytest.raises(OSError, match="--hermetic refuses the network"):
        urllib.request.urlopen("https://example.com/data.zip", timeout=5)


def test_the_error_is_what_a_failed_download_is() -> None:
    """Scripts with a plan for a machine without network follow it."""
    assert issubclass(HermeticError, OSError)


def test_everything_is_put_back() -> None:
    from torchvision import datasets, models

    def watched() -> list[object]:
        return [
            models.WeightsEnum.get_state_dict,
            datasets.CIFAR10.__init__,
            vars(datasets.EuroSAT).get("__getitem__"),
            torch.hub.load,
            torch.hub.load_state_dict_from_url,
            vars(socket.socket).get("connect"),
            socket.getaddrinfo,
            list(sys.meta_path),
            dict(os.environ),
        ]

    before = watched()
    with hermetic():
        kept = torch.hub.load_state_dict_from_url
        assert watched() != before
    assert watched() == before
    # A name that outlives the run behaves as it did before.
    assert kept.__wrapped__ is torch.hub.load_state_dict_from_url  # type: ignore[attr-defined]


def test_the_noted_model_is_the_users_to_change() -> None:
    """Weights of the stand-in are ordinary parameters."""
    from torchvision.models import resnet18

    with hermetic() as reports:
        model = resnet18(weights="DEFAULT")
        model.fc = nn.Linear(512, 3)
        assert reports.of(model)["fc.weight"] == "unmarked"
        assert reports.of(model)["conv1.weight"] == "pretrained"
