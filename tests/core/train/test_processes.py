"""Two processes must train as one does with the same global batch."""

import os
import socket
import subprocess
import sys

import pytest
import torch
from torch import nn

from napari_microus.core.errors import ConfigError
from napari_microus.core.events import BatchReport, EpochReport, from_json
from napari_microus.core.train import train
from napari_microus.core.train.processes import choose_precision, create_fabric


def reports(run, kind):
    lines = (run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [e for e in map(from_json, lines) if isinstance(e, kind)]


def launch(config, tmp_path, processes):
    """Start training in several processes, as the documentation says."""
    settings = tmp_path / "settings.yaml"
    config.to_yaml(settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run"]
    command += [f"--nproc-per-node={processes}", f"--master-port={port}"]
    command += ["-m", "napari_microus", "train", "--preset", str(settings)]
    command += ["-o", config.output, "--progress", "none"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="torchrun on Windows lacks libuv")
def test_two_processes_give_the_curve_of_one(tiny, drain, tmp_path):
    # Dropout draws differ between processes; everything else must agree.
    plain = {"model": {"transunet": {"dropout": 0.0}}, "epochs": 3}
    drain(train(tiny(output=str(tmp_path / "run1"), **plain)))
    launch(tiny(output=str(tmp_path / "run2"), **plain), tmp_path, 2)

    one, two = (tmp_path / "run1", tmp_path / "run2")
    for kind, name in ((BatchReport, "loss"), (EpochReport, "val_loss")):
        expected = [getattr(report, name) for report in reports(one, kind)]
        found = [getattr(report, name) for report in reports(two, kind)]
        assert found == pytest.approx(expected, abs=1e-3)
    gammas = [[r.gamma for r in reports(run, BatchReport)] for run in (one, two)]
    assert gammas[1] == pytest.approx(gammas[0], abs=1e-3)


SYNCED = """
import sys, torch
import torch.distributed as dist
from torch import nn
from napari_microus.core.train.processes import (
    destroy_process_group, synchronise_batch_norm
)
rank, port, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
torch.manual_seed(0)
x = torch.randn(4, 3, 5, 5)[2 * rank:2 * rank + 2].requires_grad_()
net = synchronise_batch_norm(nn.Sequential(nn.BatchNorm2d(3)))
(net(x) * torch.arange(5.0)).square().sum().backward()
torch.save([x.grad, net[0].running_mean, net[0].running_var], f"{out}{rank}")
destroy_process_group()
"""


def test_synchronised_normalisation_is_that_of_the_whole_batch(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    out = str(tmp_path / "rank")
    command = [sys.executable, "-c", SYNCED]
    children = [subprocess.Popen([*command, str(r), port, out]) for r in range(2)]
    assert [child.wait() for child in children] == [0, 0]

    torch.manual_seed(0)
    x = torch.randn(4, 3, 5, 5).requires_grad_()
    norm = nn.BatchNorm2d(3)
    (norm(x) * torch.arange(5.0)).square().sum().backward()
    parts = [torch.load(f"{out}{rank}", weights_only=True) for rank in range(2)]
    torch.testing.assert_close(
        torch.cat([p[0] for p in parts]), x.grad, atol=1e-3, rtol=1e-4
    )
    for part in parts:
        torch.testing.assert_close(part[1], norm.running_mean)
        torch.testing.assert_close(part[2], norm.running_var)


def test_a_batch_that_cannot_be_shared_is_refused(tiny, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ConfigError, match="4 and 3"):
        create_fabric(tiny())


def test_precision_is_chosen_where_it_pays():
    assert choose_precision("32-true", "cuda") == "32-true"
    assert choose_precision("auto", "mps") == "32-true"


def test_torch_restricted_to_avx2_trains_in_float32(monkeypatch):
    """It would imitate bfloat16, in five times the time."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: True, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert choose_precision("auto", "cpu") == "bf16-mixed"
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert choose_precision("auto", "cpu") == "32-true"
