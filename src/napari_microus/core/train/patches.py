"""Patches of prepared volumes, drawn where the target is more often than by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from numpy.random import Generator as Draw
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_microus.core.config.augment import AugmentConfig


@dataclass(frozen=True, eq=False)
class PreparedVolume:
    """A case as the network sees it.

    Attributes
    ----------
    case : str
    stack : ndarray of float16, shape (C, Z, Y, X)
        Standardised channels at the wanted voxel size.
    mask : ndarray of uint8, shape (Z, Y, X)
        0, 1 and 255.
    foreground : ndarray of int, shape (N, 3)
        Some voxels of the target, evenly taken; none where it is empty.
    """

    case: str
    stack: NDArray[np.float16]
    mask: NDArray[np.uint8]
    foreground: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PatchSource:
    """What a run on volumes learns from: so many patches of each case an epoch.

    Attributes
    ----------
    volumes : list of PreparedVolume
    patch : tuple of int
        Slices, rows and columns.
    per_case : int
        Patches of each case in an epoch.
    foreground_share : float
        Probability that a patch is drawn around a voxel of the target, where the
        case has one.
    """

    volumes: list[PreparedVolume]
    patch: tuple[int, int, int]
    per_case: int
    foreground_share: float

    def __len__(self) -> int:
        return len(self.volumes) * self.per_case

    def names(self, indices: NDArray[np.int64]) -> list[str]:
        """Return the cases that patches come from, each once."""
        found = [self.volumes[i // self.per_case].case for i in indices]
        return list(dict.fromkeys(found))

    def batch(
        self, indices: NDArray[np.int64], keys: list[tuple[int, ...]]
    ) -> tuple[Tensor, Tensor]:
        """Return patches (B, C, *patch) as float32 and masks (B, 2, *patch) as uint8.

        The second mask is the first, as volumes have one annotator. What lies
        outside a volume is 0 in the channels and ignored in the masks.
        """
        stacks, masks = [], []
        for index, key in zip(indices, keys, strict=True):
            volume = self.volumes[index // self.per_case]
            corner = self._corner(volume, np.random.default_rng(key))
            stack, mask = _cut(volume, corner, self.patch)
            stacks.append(stack)
            masks.append(mask)
        both = torch.stack(masks).unsqueeze(1).expand(-1, 2, -1, -1, -1)
        return torch.stack(stacks), both.contiguous()

    def _corner(self, volume: PreparedVolume, draw: Draw) -> tuple[int, ...]:
        shape = volume.mask.shape
        last = [max(0, n - edge) for n, edge in zip(shape, self.patch, strict=True)]
        around = draw.random() < self.foreground_share
        if around and len(volume.foreground):
            middle = volume.foreground[draw.integers(len(volume.foreground))]
            # Anywhere in the patch but at its rim, so that a place gives nothing away.
            reach = [edge // 4 for edge in self.patch]
            corner = [
                int(m) - edge // 2 + int(draw.integers(-r, r + 1))
                for m, edge, r in zip(middle, self.patch, reach, strict=True)
            ]
        else:
            corner = [int(draw.integers(n + 1)) for n in last]
        return tuple(
            -((edge - n) // 2) if n < edge else min(max(c, 0), end)
            for c, end, n, edge in zip(corner, last, shape, self.patch, strict=True)
        )


def _cut(
    volume: PreparedVolume, corner: tuple[int, ...], patch: tuple[int, int, int]
) -> tuple[Tensor, Tensor]:
    """Cut a patch out; ``corner`` is negative where the volume is smaller."""
    inside = tuple(
        slice(max(0, c), min(n, c + edge))
        for c, n, edge in zip(corner, volume.mask.shape, patch, strict=True)
    )
    stack = torch.from_numpy(volume.stack[(slice(None), *inside)].astype(np.float32))
    mask = torch.from_numpy(np.array(volume.mask[inside]))
    before = [max(0, -c) for c in corner]
    after = [e - b - n for e, b, n in zip(patch, before, mask.shape, strict=True)]
    sides = [side for pair in zip(before, after, strict=True) for side in pair]
    sides = [side for axis in (2, 1, 0) for side in sides[2 * axis : 2 * axis + 2]]
    return F.pad(stack, sides), F.pad(mask, sides, value=IGNORE_VALUE)


def augment_patches(
    stacks: Tensor, masks: Tensor, keys: list[tuple[int, ...]], config: AugmentConfig
) -> tuple[Tensor, Tensor]:
    """Return patches turned, scaled and mirrored in their slices, and changed in value.

    Parameters
    ----------
    stacks, masks : Tensor, shape (B, C, D, H, W) and (B, 2, D, H, W)
        Masks of 0, 1 and 255; what a rotation brings in from outside is ignored.
    keys : list of tuple of int
        Seeds the draws of each.
    config : AugmentConfig
        ``contrast`` and ``brightness`` count in standard deviations.
    """
    draws = [np.random.default_rng((*key, 1)) for key in keys]
    if config.rotation_deg or config.scale:
        stacks, masks = _turn(stacks, masks, draws, config)
    stacks, masks = stacks.clone(), masks.clone()
    for place, draw in enumerate(draws):
        chances = (config.flip_vertical, config.flip_horizontal)
        axes = [a for a, p in zip((-2, -1), chances, strict=True) if draw.random() < p]
        if axes:
            stacks[place] = stacks[place].flip(axes)
            masks[place] = masks[place].flip(axes)
        channels = stacks.shape[1]
        gain = 1 + draw.uniform(-1, 1, channels) * config.contrast
        shift = draw.uniform(-1, 1, channels) * config.brightness
        gains, shifts = (
            torch.tensor(v, dtype=stacks.dtype, device=stacks.device).view(-1, 1, 1, 1)
            for v in (gain, shift)
        )
        stacks[place] = stacks[place] * gains + shifts
    return stacks, masks


def _turn(
    stacks: Tensor, masks: Tensor, draws: list[Draw], config: AugmentConfig
) -> tuple[Tensor, Tensor]:
    """Turn and scale in the plane of the slices."""
    height, width = stacks.shape[-2:]
    matrices = []
    for draw in draws:
        angle = np.deg2rad(draw.uniform(-1, 1) * config.rotation_deg)
        zoom = 1 / (1 + draw.uniform(-1, 1) * config.scale)
        cosine, sine = np.cos(angle) * zoom, np.sin(angle) * zoom
        # Coordinates run from -1 to 1 along each edge, whatever its length.
        matrices.append(
            [
                [cosine, -sine * height / width, 0, 0],
                [sine * width / height, cosine, 0, 0],
                [0, 0, 1, 0],
            ]
        )
    theta = torch.tensor(matrices, dtype=stacks.dtype, device=stacks.device)
    grid = F.affine_grid(theta, list(stacks.shape), align_corners=False)
    turned = F.grid_sample(stacks, grid, align_corners=False)
    # One more than its value, so that 0 stands for outside.
    raised = masks.to(stacks.dtype) + 1
    labels = F.grid_sample(raised, grid, mode="nearest", align_corners=False) - 1
    labels[labels < 0] = IGNORE_VALUE
    return turned, labels.to(masks.dtype)
