"""Vary training frames: pose, brightness, speckle and the gain along depth.

The whole batch is transformed at once, on the device it lies on, with MONAI's
affine matrices and resampler. Every number comes from generators seeded by the
sample's own key, so that a batch is the same however it is divided over processes
and however often a run was interrupted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from monai.networks.layers.spatial_transforms import AffineTransform
from monai.transforms.utils import create_rotate, create_scale, create_translate
from torch import Tensor

from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_microus.core.config.augment import AugmentConfig

_CONTROL_POINTS = 5


def augment(
    frames: Tensor,
    masks: Tensor,
    keys: Sequence[tuple[int, ...]],
    config: AugmentConfig,
) -> tuple[Tensor, Tensor]:
    """Vary a batch of frames and move their masks along.

    Parameters
    ----------
    frames : Tensor of float, shape (B, 1, S, S)
        Intensities from 0 to 1.
    masks : Tensor, shape (B, K, S, S)
        Masks of each frame, 0 or 1, and 255 where a pixel is to be ignored.
    keys : sequence of tuple of int, length B
        What seeds each sample; the same key gives the same variation.
    config : AugmentConfig
        Ranges; zero switches a variation off.

    Returns
    -------
    frames : Tensor of float32, shape (B, 1, S, S)
        From 0 to 1.
    masks : Tensor of float32, shape (B, K, S, S)
        0, 1 or 255.
    """
    draws = [np.random.default_rng(key) for key in keys]
    frames, masks = _move(frames, masks, draws, config)
    if config.bars > 0:
        frames, masks = cut_sides(frames, masks, draws, config.bars)
    frames = change_intensity(frames, draws, config)
    if config.shadow > 0:
        frames = add_shadows(frames, draws, config.shadow)
    if config.resolution > 0:
        frames = _coarser(frames, draws, config.resolution)
    if config.swap_annotators > 0:
        swapped = _chance(draws, config.swap_annotators, masks)
        masks = torch.where(swapped, masks.flip(1), masks)
    return frames, masks


def preview_augmentation(
    frame: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    config: AugmentConfig,
    count: int = 8,
    seed: int = 0,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return what a run would make of one frame, to be looked at before it starts.

    Parameters
    ----------
    frame, mask : ndarray of uint8, shape (S, S)
        A frame of 0 to 255 at the network's size, and its mask of 0, 1 or 255.
    config : AugmentConfig
        Ranges.
    count : int
        Variations to make; the frame itself comes first.
    seed : int
        Another seed shows other variations.

    Returns
    -------
    frames, masks : ndarray of uint8, shape (1 + count, S, S)
    """
    frames = torch.from_numpy(frame).expand(count, 1, *frame.shape).float() / 255
    masks = torch.from_numpy(mask).expand(count, 1, *mask.shape)
    keys = [(seed, 0, place) for place in range(count)]
    varied, moved = augment(frames, masks, keys, config)
    shown = (varied[:, 0] * 255).round().to(torch.uint8).numpy()
    return (
        np.concatenate([frame[None], shown]),
        np.concatenate([mask[None], moved[:, 0].to(torch.uint8).numpy()]),
    )


def change_intensity(
    frames: Tensor, draws: Sequence[np.random.Generator], config: AugmentConfig
) -> Tensor:
    """Vary brightness, contrast, sharpness, gain and speckle of frames in [0, 1]."""
    if config.blur > 0:
        part = _column(draws, config.blur, frames)
        frames = frames + part * (_blurred(frames) - frames)
    if config.gain_curve > 0:
        frames = frames * _gain(frames, draws, config.gain_curve)
    if config.contrast > 0 or config.brightness > 0:
        mean = frames.mean((-2, -1), keepdim=True)
        slope = 1 + _column(draws, config.contrast, frames)
        offset = _column(draws, config.brightness, frames)
        frames = (frames - mean) * slope + mean + offset
    if config.speckle > 0:
        frames = frames + _speckle(frames, draws, config.speckle)
    frames = frames.clamp(0, 1)
    if config.gamma > 0:
        frames = frames.pow(_column(draws, config.gamma, frames).exp())
    return frames


def _move(
    frames: Tensor,
    masks: Tensor,
    draws: Sequence[np.random.Generator],
    config: AugmentConfig,
) -> tuple[Tensor, Tensor]:
    matrices = np.stack([_matrix(draw, config) for draw in draws])
    masks = masks.to(torch.float32)
    if config.elastic > 0:
        frames, masks = _bend(frames.to(torch.float32), masks, draws, config.elastic)
    if np.array_equal(matrices, np.broadcast_to(np.eye(3), matrices.shape)):
        return frames.to(torch.float32), masks
    theta = torch.from_numpy(matrices).to(frames.device, torch.float32)
    size = frames.shape[-2:]
    smooth = AffineTransform(size, normalized=True, padding_mode="zeros")
    ignored = masks == IGNORE_VALUE
    images = torch.cat([frames.to(torch.float32), masks.where(~ignored, 0.0)], dim=1)
    moved = smooth(images, theta)
    frames, masks = moved[:, :1], (moved[:, 1:] >= 0.5).to(torch.float32)
    if ignored.any():
        nearest = AffineTransform(size, normalized=True, mode="nearest")
        lost = nearest(ignored.to(torch.float32), theta) > 0.5
        masks = masks.masked_fill(lost, float(IGNORE_VALUE))
    return frames, masks


def _matrix(draw: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """Return the inverse map in normalised coordinates, as MONAI's resampler asks."""
    angle, size, down, right = draw.uniform(-1, 1, 4)
    flips = draw.random(2) < (config.flip_vertical, config.flip_horizontal)
    factor = (1 + config.scale) ** size
    squeeze = 1.0
    if config.aspect > 0:
        squeeze = (1 + config.aspect) ** (draw.uniform(-1, 1) / 2)
    scale = [
        factor * stretch * (-1 if flip else 1)
        for stretch, flip in zip((squeeze, 1 / squeeze), flips, strict=True)
    ]
    matrix = create_translate(2, (2 * config.shift * down, 2 * config.shift * right))
    matrix = matrix @ create_rotate(2, math.radians(config.rotation_deg * angle))
    return np.asarray(matrix @ create_scale(2, scale))


def _bend(
    frames: Tensor, masks: Tensor, draws: Sequence[np.random.Generator], reach: float
) -> tuple[Tensor, Tensor]:
    """Bend frames and masks by a smooth field that moves no pixel beyond ``reach``."""
    size = frames.shape[-1]
    knots = np.stack([draw.uniform(-1, 1, (2, 5, 5)) for draw in draws])
    strength = np.array([draw.uniform(0, 2 * reach) for draw in draws])
    field = torch.from_numpy(knots * strength[:, None, None, None])
    field = field.to(frames.device, torch.float32)
    field = F.interpolate(field, (size, size), mode="bicubic", align_corners=True)
    along = torch.linspace(-1, 1, size, device=frames.device)
    down, across = torch.meshgrid(along, along, indexing="ij")
    grid = torch.stack([across, down], dim=-1) + field.permute(0, 2, 3, 1)
    bent = F.grid_sample(frames, grid, align_corners=True)
    # Nearest: a value between 1 and 255 would mean nothing.
    return bent, F.grid_sample(masks, grid, mode="nearest", align_corners=True)


def cut_sides(
    frames: Tensor, masks: Tensor, draws: Sequence[np.random.Generator], chance: float
) -> tuple[Tensor, Tensor]:
    """Black out the sides of some frames, as a narrower field of view would.

    What lies behind a bar cannot be seen: the masks end there too.
    """
    size = frames.shape[-1]
    edges = np.zeros((len(draws), 4))
    for row, draw in zip(edges, draws, strict=True):
        chosen = draw.random(4) < chance
        row[:] = chosen * draw.uniform(0.0, (0.08, 0.12, 0.25, 0.25))
    top, bottom, left, right = (
        torch.from_numpy(edge * size).to(frames.device).view(-1, 1, 1, 1)
        for edge in edges.T
    )
    place = torch.arange(size, device=frames.device)
    down, across = place.view(1, 1, -1, 1), place.view(1, 1, 1, -1)
    seen = (down >= top) & (down < size - bottom)
    seen = seen & (across >= left) & (across < size - right)
    return frames.where(seen, 0.0), masks.where(seen, 0.0)


def add_shadows(
    frames: Tensor, draws: Sequence[np.random.Generator], chance: float
) -> Tensor:
    """Lay acoustic shadows on some frames, half of them below a calcification."""
    size = frames.shape[-1]
    names = ("column", "depth", "width", "slope", "strength", "echo")
    values = np.zeros((len(draws), 2, len(names)))
    for sample, draw in zip(values, draws, strict=True):
        for shadow in sample:
            is_there, is_calcified = draw.random(2) < (chance, 0.5)
            low = (0.05, 0.0, 0.015, -0.3, 0.3, 0.3)
            high = (0.95, 0.7, 0.08, 0.3, 0.95, 1.0)
            shadow[:] = draw.uniform(low, high)
            shadow[4] *= is_there
            shadow[5] *= is_there and is_calcified
    drawn = torch.from_numpy(values).to(frames.device, torch.float32)
    along = torch.linspace(0, 1, size, device=frames.device)
    down, across = along.view(1, -1, 1), along.view(1, 1, -1)
    for index in range(drawn.shape[1]):
        column, depth, width, slope, strength, echo = (
            drawn[:, index, n].view(-1, 1, 1) for n in range(len(names))
        )
        below = down - depth
        aside = (across - column - slope * below) / width
        dark = torch.sigmoid(below / 0.02) * torch.exp(-aside.square())
        spot = torch.exp(-aside.square() - (below / 0.012).square())
        frames = frames * (1 - strength * dark).unsqueeze(1)
        frames = frames + (echo * spot).unsqueeze(1) * (1 - frames)
    return frames


def _coarser(
    frames: Tensor, draws: Sequence[np.random.Generator], chance: float
) -> Tensor:
    """Give some frames half their resolution."""
    half = F.interpolate(frames, scale_factor=0.5, mode="area")
    half = F.interpolate(half, frames.shape[-2:], mode="bilinear")
    return torch.where(_chance(draws, chance, frames), half, frames)


def _chance(
    draws: Sequence[np.random.Generator], chance: float, like: Tensor
) -> Tensor:
    hits = [bool(draw.random() < chance) for draw in draws]
    return torch.tensor(hits, device=like.device).view(-1, 1, 1, 1)


def _column(draws: Sequence[np.random.Generator], reach: float, like: Tensor) -> Tensor:
    values = [draw.uniform(-reach, reach) for draw in draws]
    return torch.tensor(values, device=like.device, dtype=like.dtype).view(-1, 1, 1, 1)


def _blurred(frames: Tensor) -> Tensor:
    """Return frames under a binomial kernel of five pixels, edges repeated."""
    # Shifted sums: convolving a single channel costs a CPU ten times as much.
    padded = F.pad(frames, (2, 2, 2, 2), mode="replicate")
    for dim in (-2, -1):
        size = frames.shape[dim]
        far, near, own, after, last = (padded.narrow(dim, i, size) for i in range(5))
        padded = (far + last + 4 * (near + after) + 6 * own) / 16
    return padded


def _gain(frames: Tensor, draws: Sequence[np.random.Generator], reach: float) -> Tensor:
    """Return a smooth gain (B, 1, S, S): a curve along depth times one along width."""
    points = [draw.uniform(-reach, reach, (2, _CONTROL_POINTS)) for draw in draws]
    knots = torch.tensor(np.stack(points), device=frames.device, dtype=frames.dtype)
    curves = F.interpolate(knots, frames.shape[-1], mode="linear", align_corners=True)
    down, across = curves[:, 0, :, None], curves[:, 1, None, :]
    return (down + 0.5 * across).exp().unsqueeze(1)


def _speckle(
    frames: Tensor, draws: Sequence[np.random.Generator], reach: float
) -> Tensor:
    """Return noise whose grain and strength differ from frame to frame.

    Speckle multiplies the echo, so that after log compression it adds to the grey
    level; it is weaker where the frame is black.
    """
    size = frames.shape[-1]
    noise = torch.empty_like(frames)
    for index, draw in enumerate(draws):
        strength, grain = draw.uniform(0, reach), draw.uniform(1, 3)
        seed = int(draw.integers(2**62))
        source = torch.Generator(frames.device).manual_seed(seed)
        shape = (1, 1, math.ceil(size / grain), math.ceil(size / grain / 1.5))
        grains = torch.randn(shape, generator=source, device=frames.device)
        grains = F.interpolate(grains, (size, size), mode="bilinear")
        noise[index] = (strength * grains)[0]
    return noise * frames.clamp(0, 1).sqrt()
