"""A network on its device, with all that a step needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from napari_microus.core.phantom.texture import TextureBank
from napari_microus.core.train.criterion import create_criterion
from napari_microus.core.train.frames import FrameCache, JoinedFrames
from napari_microus.core.train.optimizer import WeightAverage, create_optimizer
from napari_microus.core.train.processes import synchronise_batch_norm

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import Tensor

    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.train.patches import PatchSource
    from napari_microus.core.train.training_data import TrainingData


@dataclass
class Learner:
    """All that a step needs and changes.

    ``network`` is the bare module, ``model`` the same as Fabric wraps it.
    """

    config: TrainConfig
    fabric: Fabric
    network: torch.nn.Module
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    criterion: torch.nn.Module
    average: WeightAverage | None
    frames: FrameCache | JoinedFrames | PatchSource
    bank: TextureBank | None
    unlabelled: Tensor | None
    micro_batch: int

    @property
    def evaluated(self) -> torch.nn.Module:
        """The network that is validated and kept."""
        return self.network if self.average is None else self.average.network


def memory_format(config: TrainConfig) -> torch.memory_format:
    """Return how images and weights lie in memory."""
    if not config.channels_last:
        return torch.contiguous_format
    is_3d = config.model.spatial_dims == 3
    return torch.channels_last_3d if is_3d else torch.channels_last


def create_learner(
    config: TrainConfig, fabric: Fabric, network: torch.nn.Module, data: TrainingData
) -> Learner:
    """Put a network, its optimiser and what it learns from together."""
    if fabric.world_size > 1:
        synchronise_batch_norm(network)  # first: it renews what the optimiser holds
    # Elsewhere PyTorch's default is as fast, and loss scaling has no fused one.
    fused = fabric.device.type == "cpu" and config.precision != "16-mixed"
    optimizer = create_optimizer(network, config.optimizer, fused=fused)
    network = network.to(fabric.device)
    network = network.to(memory_format=memory_format(config))  # type: ignore[call-overload]
    ema = config.optimizer.ema
    average = WeightAverage(network, ema) if ema > 0 else None
    model, wrapped = fabric.setup(network, optimizer)
    bank, unlabelled = None, None
    if data.textures is not None:
        bank = TextureBank(data.textures) if config.augment.texture > 0 else None
        unlabelled = torch.from_numpy(data.textures).to(fabric.device).unsqueeze(1)
        unlabelled = unlabelled.to(torch.float32) / 255
    frames: FrameCache | JoinedFrames | PatchSource = data.frames
    if data.phantoms is not None and isinstance(data.frames, FrameCache):
        frames = JoinedFrames(data.frames, data.phantoms)
    return Learner(
        config=config,
        fabric=fabric,
        network=network,
        model=model,
        optimizer=wrapped,
        criterion=create_criterion(config.loss).to(fabric.device),
        average=average,
        frames=frames,
        bank=bank,
        unlabelled=unlabelled,
        micro_batch=config.micro_batch or config.batch_size,
    )
