"""Measure a network on whole volumes, on each scan's own grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.core.multichannel.sliding import sliding_logits
from napari_microus.core.multichannel.spacing import resized, resized_mask, shape_at
from napari_microus.core.train.validate import CaseScore, FramePreview

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_microus.core.config.data import DataConfig
    from napari_microus.core.train.training_data import VolumeCase


def score_volume(
    network: Callable[[Tensor], Any],
    criterion: Callable[[Any, Tensor, Tensor | None], Tensor],
    case: VolumeCase,
    *,
    data: DataConfig,
    patch: tuple[int, int, int],
    device: torch.device,
    batch_size: int,
    cancelled: Callable[[], bool],
    previews: list[FramePreview] | None = None,
    watched: int | None = None,
) -> CaseScore | None:
    """Return the score of a volume, or None when cancelled midway.

    DSC and HD95 are those of the whole volume; both are NaN where the mask is empty,
    and HD95 where nothing was found. See `score_case` for the rest.

    Parameters
    ----------
    network, criterion, case, device, cancelled, previews, watched
        As for `score_case`; a slice of the first channel is shown.
    data : DataConfig
        Its voxel size and the overlap of windows.
    patch : tuple of int
        What the network sees at once.
    batch_size : int
        Windows at once.
    """
    stack, scan, mask = case.load()
    if cancelled():
        return None
    shape = shape_at(scan.shape, scan.spacing_mm, data.spacing_mm)
    values = resized(torch.from_numpy(stack), shape)
    work = sliding_logits(
        network,
        values,
        patch,
        device=device,
        overlap=data.overlap,
        batch_size=batch_size,
    )
    while True:
        try:
            next(work)
        except StopIteration as stop:
            logits: Tensor = stop.value
            break
        if cancelled():
            work.close()
            return None
    truth = torch.from_numpy(np.ascontiguousarray(mask.array))
    labels = resized_mask(truth, shape)[None, None].to(device)
    loss = float(criterion(logits[None].to(device), labels, None))
    probability = resized(logits, scan.shape)[0].sigmoid().numpy()
    valid = mask.array != IGNORE_VALUE
    found, reference = (probability >= 0.5) & valid, mask.array == 1
    if previews is not None:
        shown = int(reference.sum((1, 2)).argmax()) if watched is None else watched
        shown = min(shown, len(reference) - 1)
        previews.append(
            FramePreview(
                case.name,
                shown,
                stack[0, shown],
                reference[shown],
                probability[shown],
                scan.spacing_mm[1:],
            )
        )
    dice, hd95_mm = overlap_and_distance(found, reference, scan.spacing_mm)
    return CaseScore(case.name, case.patient, dice, hd95_mm, loss, len(reference))


def overlap_and_distance(
    found: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
) -> tuple[float, float]:
    """Return DSC and HD95 in mm of a volume; NaN where they mean nothing."""
    from napari_microus.core import metrics

    if not reference.any():
        return math.nan, math.nan
    if not found.any():
        return 0.0, math.nan
    # The distances of far voxels are those of the box around both masks.
    places = np.argwhere(found | reference)
    low, high = places.min(0), places.max(0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    found, reference = found[box], reference[box]
    distance = metrics.hausdorff_mm(found, reference, spacing_mm, percentile=95)
    return float(metrics.dice(found, reference)), float(distance)
