"""Measure a network on whole scans, at their own resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.core.preprocess import (
    intensity_window,
    labels_to_network,
    to_full_size,
    to_network,
)
from napari_microus.core.statistics import by_patient, patient_mean
from napari_microus.core.train.training_data import ValidationCase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_microus.core.train.training_data import VolumeCase

# How often a cancel is looked for while a scan is read, in seconds.
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class CaseScore:
    """How one case was segmented: means over its frames.

    ``dice`` counts the frames on which the expert drew something; ``hd95_mm``
    those of them on which the network found something too, and is NaN without any.
    ``glands`` are the frames on which the expert drew something, ``lost`` those of
    them on which the network found nothing, and ``false_contours`` frames without a
    gland on which it found one.
    """

    case: str
    patient: str
    dice: float
    hd95_mm: float
    loss: float
    frames: int
    glands: int = 0
    lost: int = 0
    false_contours: int = 0


@dataclass(frozen=True)
class FramePreview:
    """One validation frame, what is true there, and what the network says."""

    case: str
    frame: int
    image: NDArray[Any]
    expert: NDArray[np.bool_]
    probability: NDArray[np.float32]
    spacing_mm: tuple[float, float]


def score_case(
    network: Callable[[Tensor], Any],
    criterion: Callable[[Any, Tensor, Tensor | None], Tensor],
    case: ValidationCase,
    *,
    size: int,
    device: torch.device,
    frames: int | None,
    batch_size: int,
    cancelled: Callable[[], bool],
    previews: list[FramePreview] | None = None,
    watched: int | None = None,
) -> CaseScore | None:
    """Return the score of a case, or None when cancelled midway.

    Parameters
    ----------
    network, criterion : callable
        The network in evaluation mode and the loss it is trained with.
    case : ValidationCase
        Scan with its masks.
    size : int
        Edge of the network's input, in pixels.
    device : device
        Where the network lies.
    frames : int, optional
        How many frames to measure, evenly spread; None: all.
    batch_size : int
        Frames at once.
    cancelled : callable
        Asked between batches.
    previews : list, optional
        Receives the watched frame.
    watched : int, optional
        Frame for ``previews``, or the nearest that is measured; None: the one with
        the largest expert mask.
    """
    loaded = _unless(cancelled, lambda: _load(case))
    if loaded is None:
        return None
    (scan, expert, nonexpert), window = loaded
    chosen = spread(len(scan.array), frames)
    shown = int(np.argmax((expert.array[chosen] == 1).sum((1, 2))))
    if watched is not None:
        shown = int(np.argmin(np.abs(chosen - watched)))
    spacing = scan.spacing_mm[1:]
    losses, pairs = [], []
    for start in range(0, len(chosen), batch_size):
        if cancelled():
            return None
        part = chosen[start : start + batch_size]
        images = _tensor(scan.array[part], device)
        truth = _tensor(expert.array[part], device)
        other = None if nonexpert is None else _tensor(nonexpert.array[part], device)
        output = network(to_network(images, size, window))
        labels = [
            labels_to_network(mask, size) for mask in (truth, other) if mask is not None
        ]
        loss = criterion(output, labels[0], labels[1] if other is not None else None)
        losses += [float(loss)] * len(part)
        logits = output[0] if isinstance(output, tuple) else output
        full = to_full_size(logits.float(), scan.shape[1:]).sigmoid()
        probability = full[:, 0].cpu().numpy()
        for index, frame in enumerate(part):
            valid = expert.array[frame] != IGNORE_VALUE
            pair = (probability[index] >= 0.5) & valid, expert.array[frame] == 1
            pairs.append(pair)
            if previews is not None and start + index == shown:
                image = scan.array[frame]
                previews.append(
                    FramePreview(
                        case.name,
                        int(frame),
                        image,
                        pair[1],
                        probability[index],
                        spacing,
                    )
                )
    dice, hd95_mm = mean_over_frames(pairs, spacing, cancelled)
    if cancelled():  # the means are over some frames only
        return None
    loss_mean = float(np.mean(losses))
    drawn = [bool(reference.any()) for _, reference in pairs]
    found = [bool(prediction.any()) for prediction, _ in pairs]
    both = list(zip(drawn, found, strict=True))
    return CaseScore(
        case.name,
        case.patient,
        dice,
        hd95_mm,
        loss_mean,
        len(chosen),
        glands=sum(drawn),
        lost=sum(is_drawn and not is_found for is_drawn, is_found in both),
        false_contours=sum(is_found and not is_drawn for is_drawn, is_found in both),
    )


def _load(case: ValidationCase) -> Any:
    scan, expert, nonexpert = case.load()
    return (scan, expert, nonexpert), intensity_window(scan.array)


def _unless(cancelled: Callable[[], bool], work: Callable[[], Any]) -> Any:
    """Return what ``work`` returns, or None as soon as somebody cancels.

    A large scan takes seconds to read, which nothing can interrupt: the thread is
    then left to itself. It is no daemon, since a process that ends while a thread is
    inside a library aborts.
    """
    ended: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            ended.append(work())
        except BaseException as error:  # noqa: BLE001  raised below
            failed.append(error)

    thread = Thread(target=run, name="validation case")
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_EVERY_S)
        if thread.is_alive() and cancelled():
            return None
    if failed:
        raise failed[0]
    return ended[0]


def mean_over_frames(
    pairs: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    spacing_mm: tuple[float, float],
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[float, float]:
    """Return mean Dice and HD95 in mm over frames (prediction, reference).

    Frames with an empty reference are left out, as published; a missed capsule has
    Dice 0 and no distance.
    """
    from napari_microus.core import metrics

    dices, distances = [], []
    for prediction, reference in pairs:
        if not reference.any() or cancelled():
            continue
        dices.append(float(metrics.dice(prediction, reference)))
        if prediction.any():
            distance = metrics.hausdorff_mm(
                prediction, reference, spacing_mm, percentile=95
            )
            distances.append(float(distance))
    return _mean(dices), _mean(distances)


def human_dice(
    cases: Sequence[ValidationCase | VolumeCase], frames: int | None
) -> float | None:
    """Return the annotators' own agreement on the validation patients: their ceiling.

    A mean over patients; None where no case has a second annotation.
    """
    found: list[tuple[str, float]] = []
    for case in cases:
        if not isinstance(case, ValidationCase):  # volumes have one annotator
            continue
        _, expert, nonexpert = case.load()
        if nonexpert is None:
            continue
        from napari_microus.core import metrics

        values = [
            float(metrics.dice(nonexpert.array[z] == 1, expert.array[z] == 1))
            for z in spread(len(expert.array), frames)
            if (expert.array[z] == 1).any()
        ]
        found.append((case.patient, _mean(values)))
    mean = patient_mean(found).mean
    return None if math.isnan(mean) else mean


def summarise(scores: Sequence[CaseScore]) -> dict[str, float]:
    """Return means over patients: ``loss``, ``dice``, ``hd95_mm`` (NaN where none)."""
    losses = by_patient([(s.patient, s.loss) for s in scores])
    return {
        "loss": _mean(list(losses.values())),  # as it is: an infinite one is reported
        "dice": patient_mean([(s.patient, s.dice) for s in scores]).mean,
        "hd95_mm": patient_mean([(s.patient, s.hd95_mm) for s in scores]).mean,
    }


def spread(count: int, wanted: int | None) -> NDArray[np.int64]:
    """Return ``wanted`` indices spread evenly over ``count``."""
    if wanted is None or wanted >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, wanted + 2)[1:-1].round().astype(np.int64)


def _tensor(array: NDArray[Any], device: torch.device) -> Tensor:
    values = np.ascontiguousarray(array)
    if values.dtype != np.uint8:
        values = values.astype(np.float32)
    return torch.from_numpy(values).unsqueeze(1).to(device)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan
