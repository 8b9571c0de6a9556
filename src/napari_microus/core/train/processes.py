"""Processes, devices and precision, all through Lightning Fabric."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from napari_microus.core.device import choose_device
from napari_microus.core.errors import ConfigError
from napari_microus.core.models.fast import multiplies_bfloat16
from napari_microus.core.train.small_numbers import start_threads

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from napari_microus.core.config.train import TrainConfig


def create_fabric(config: TrainConfig) -> Fabric:
    """Return Fabric for this process, one of those that torchrun started or alone.

    Raises
    ------
    ConfigError
        If the batch cannot be divided over the processes.
    DeviceError
        If the device is not there.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision

    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if config.batch_size % world:
        raise ConfigError(
            "batch_size must be a multiple of the number of processes; got "
            f"{config.batch_size} and {world}. Change either.",
            plain=(
                f"batch_size {config.batch_size} cannot be shared by {world} "
                "processes. Make it a multiple, or change the number of "
                "processes."
            ),
        )
    device = choose_device(config.device)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    start_threads(device)
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    precision = choose_precision(config.precision, device.type)
    plugins: Any = None
    if precision != "32-true":
        plugins = MixedPrecision(precision, device.type)  # type: ignore[arg-type]
    # Deep supervision uses every head; without it DDP must look for idle ones.
    strategy = (
        "ddp" if config.loss.deep_supervision else "ddp_find_unused_parameters_true"
    )
    fabric = Fabric(
        accelerator=device.type,
        devices=[device.index] if device.index is not None and world == 1 else local,
        num_nodes=world // local,
        strategy=strategy if world > 1 else "auto",
        plugins=plugins,
    )
    if world > 1:
        fabric.launch()
    return fabric


def destroy_process_group() -> None:
    """Take leave of the other processes, where there are any.

    A thread of theirs that asks for Python's lock after the interpreter's end aborts
    the process, and torchrun takes an abort for a failed run.
    """
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
        gc.collect()  # the network holds on to the group, in cycles


def choose_precision(name: str, device: str) -> str:
    """Return the precision for a device; "auto" mixes where it pays."""
    if name != "auto":
        return name
    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    # Imitated, bfloat16 on a CPU is many times slower than float32.
    is_quick = device == "cpu" and multiplies_bfloat16(torch.device(device))
    return "bf16-mixed" if is_quick else "32-true"


def synchronise_batch_norm(network: nn.Module) -> nn.Module:
    """Make batch normalisation see the batch of all processes, on any device."""
    for name, child in network.named_children():
        if type(child) is nn.BatchNorm2d:
            synced = SyncedBatchNorm2d(
                child.num_features, child.eps, child.momentum, child.affine
            )
            synced.load_state_dict(child.state_dict())
            setattr(network, name, synced)
        else:
            synchronise_batch_norm(child)
    return network


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over all processes; PyTorch's own refuses CPUs.

    Every process must bring the same number of values.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) by the statistics of all processes' batches."""
        if not self.training or dist.get_world_size() == 1:
            return super().forward(x)
        values = x.float()
        moments = torch.stack([values.mean((0, 2, 3)), values.square().mean((0, 2, 3))])
        moments = mean_over_processes(moments)
        mean, variance = moments[0], moments[1] - moments[0].square()
        self._remember(mean.detach(), variance.detach(), x.numel() // x.shape[1])
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        result = values * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)
        return result.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None  # we never switch tracking off
        assert self.running_var is not None
        count *= dist.get_world_size()
        momentum = 0.1 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * count / max(count - 1, 1), momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


class _MeanOverProcesses(torch.autograd.Function):
    """All-reduce whose gradient is all-reduced too, as every process uses the mean."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _all_mean(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _all_mean(gradients[0])


def mean_over_processes(x: Tensor) -> Tensor:
    """Return the mean of ``x`` over all processes, with gradient."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return x
    return _MeanOverProcesses.apply(x)  # type: ignore[no-untyped-call]


def _all_mean(x: Tensor) -> Tensor:
    result = x.detach().clone().contiguous()
    dist.all_reduce(result)
    return result / dist.get_world_size()
