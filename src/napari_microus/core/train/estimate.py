"""How long a run will take and how much memory, before it starts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from napari_microus.core.train.criterion import create_criterion
from napari_microus.core.train.processes import create_fabric
from napari_microus.core.train.start import start_network

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from napari_microus.core.config.train import TrainConfig

# A CPU run longer than this deserves a word before it starts.
_LONG_S = 2 * 3600
# Parameters are held as weights, gradients and up to two optimiser moments.
_COPIES = {"sgd": 3, "adam": 4, "adamw": 4}


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes
    ----------
    seconds : float
        Training alone; validation adds to it.
    memory_mib : float
        Weights, optimiser and activations of a micro-batch.
    parameters : int
        Weights of the network.
    advice : str
        A sentence where the run would take hours on a CPU, else "".
    """

    seconds: float
    memory_mib: float
    parameters: int
    advice: str


def estimate(config: TrainConfig, frames: int) -> Estimate:
    """Time one step of a few frames on the run's device and scale it up.

    Parameters
    ----------
    config : TrainConfig
        The run.
    frames : int
        Training frames; ``samples_per_epoch`` goes before.
    """
    fabric = create_fabric(config)
    network, config = start_network(config)
    network = network.to(fabric.device).train()
    return measure(config, fabric, network, frames)


def measure(
    config: TrainConfig, fabric: Fabric, network: torch.nn.Module, frames: int
) -> Estimate:
    """Do the work of `estimate` with a network that is on the run's device.

    Its weights stay as they are, and it is left without gradients. What it keeps of
    the frames it sees (running means) is put back.
    """
    was_training = network.training
    kept = {name: value.clone() for name, value in network.named_buffers()}
    network.train()
    try:
        return _measured(config, fabric, network, frames)
    finally:
        for name, value in network.named_buffers():
            value.copy_(kept[name])
        network.train(was_training)


def _measured(
    config: TrainConfig, fabric: Fabric, network: torch.nn.Module, frames: int
) -> Estimate:
    criterion = create_criterion(config.loss)
    count = min(2, config.batch_size)
    images = torch.rand(count, *config.model.input_shape, device=fabric.device)
    masks = (images[:, :1] > 0.5).float()
    saved: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: _note(tensor, saved), lambda tensor: tensor
    ):
        _step(network, criterion, images, masks, fabric)  # warms up, and weighs
    began = time.monotonic()
    _step(network, criterion, images, masks, fabric)
    if fabric.device.type == "cuda":
        torch.cuda.synchronize()
    per_frame = (time.monotonic() - began) / count
    epoch = config.data.samples_per_epoch or frames
    seconds = per_frame * epoch * config.epochs
    if config.time_limit_s is not None:
        seconds = min(seconds, config.time_limit_s)
    parameters = sum(p.numel() for p in network.parameters())
    micro = config.micro_batch or config.batch_size
    copies = _COPIES[config.optimizer.name] + (config.optimizer.ema > 0)
    memory = (sum(saved) / count * micro + parameters * 4 * copies) / 2**20
    advice = ""
    if fabric.device.type == "cpu" and seconds > _LONG_S:
        smaller = "the small network"
        if config.model.spatial_dims == 3:
            smaller = "a small network, such as that of the preset lesion-small"
        advice = (
            f"This run would take about {seconds / 3600:.0f} hours on this processor. "
            f"Use a GPU, fewer epochs, or {smaller}."
        )
    return Estimate(seconds, memory, parameters, advice)


def _step(
    network: torch.nn.Module,
    criterion: torch.nn.Module,
    images: torch.Tensor,
    masks: torch.Tensor,
    fabric: Fabric,
) -> None:
    with fabric.autocast():
        loss = criterion(network(images), masks, masks)
    loss.backward()
    network.zero_grad()


def _note(tensor: torch.Tensor, saved: list[int]) -> torch.Tensor:
    # Parameters are saved too, and counted elsewhere.
    if not isinstance(tensor, torch.nn.Parameter):
        saved.append(tensor.numel() * tensor.element_size())
    return tensor
