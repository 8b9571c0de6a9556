"""The generator that takes a scan through a network, batch by batch."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_microus.core.device import choose_device, is_out_of_memory, reports_memory
from napari_microus.core.errors import ConfigError, DeviceError, InputError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.core.predict.along_sweep import SweepAverage
from napari_microus.core.predict.components import fill_holes as fill
from napari_microus.core.predict.components import (
    keep_largest_component,
    keep_one_piece,
)
from napari_microus.core.predict.confidence import frame_confidence, left_empty
from napari_microus.core.predict.networks import Panel
from napari_microus.core.predict.opening import cut_narrow_parts
from napari_microus.core.predict.outline import smooth_mask
from napari_microus.core.predict.result import Prediction
from napari_microus.core.preprocess import (
    cut_at_full_size,
    intensity_window,
    to_network,
)
from napari_microus.core.provenance import (
    recommended_along_sweep,
    recommended_min_confidence,
    recommended_opening,
    recommended_outline,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_microus.core.library import LoadedModel
    from napari_microus.core.volume import Volume

    Model = nn.Module | LoadedModel

OUTLINES = ("smooth", "raw")
PROBES = ("top", "bottom", "automatic")
# Frames from which the side of the probe is worked out (docs/results.md).
_LOOKED_AT = 10
_DIRECT = ("uint8", "int8", "int16", "int32", "float16", "float32")


@reports_memory(
    "The scan and the model",
    "Close other programs, choose fewer frames or a smaller model, or the CPU.",
)
def predict(
    model: Model | Sequence[Model],
    volume: Volume,
    *,
    device: str | torch.device = "auto",
    frames: int | Iterable[int] | None = None,
    batch_size: int = 8,
    threshold: float = 0.5,
    largest_component: bool = True,
    fill_holes: bool = True,
    opening: int | None = None,
    outline: str | None = None,
    min_confidence: float | None = None,
    flip: bool = False,
    probe: str = "top",
    along_sweep: bool | None = None,
    precision: str = "auto",
    first: int | None = None,
    out: NDArray[np.uint8] | None = None,
) -> Generator[Event, None, Prediction]:
    """Segment the capsule in a scan.

    Frames go to the network in batches, resized with antialiasing; its logits
    come back to full size bilinearly and are cut at ``threshold``.

    Parameters
    ----------
    model : Module, LoadedModel, or a sequence of them
        A sequence answers with its mean probability (folds of a run, say).
        A module is moved to ``device`` and keeps its training mode.
    volume : Volume, shape (Z, Y, X)
        The scan. Intensities are taken over the whole scan, so that one frame
        gives the same answer alone and among all.
    device : str or torch.device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    frames : int or iterable of int, optional
        Which frames to segment; all by default. Others stay empty.
    batch_size : int
        Frames at once; halved when the device runs out of memory.
    threshold : float
        Probability above which a pixel is capsule, between 0 and 1.
    largest_component, fill_holes : bool
        In each frame keep the largest component only, then fill what it encloses.
    opening : int, optional
        Cut off parts narrower than this many pixels at the network's size
        (`opening.cut_narrow_parts`) first; None does as the model recommends, 0
        cuts nothing.
    outline : str, optional
        ``"smooth"``: one closed, smooth outline through the probabilities
        (`outline.smooth_mask`), where ``largest_component`` and ``fill_holes`` are
        on; ``"raw"``: every pixel above the threshold. None does as the model
        recommends.
    min_confidence : float, optional
        Frames that the model is less sure of (`confidence.frame_confidence`, 0 to 1)
        stay empty: they seldom show a gland. None does as the model recommends, 0
        leaves none empty.
    flip : bool
        Average with the answer to the mirrored frame (test-time augmentation).
    probe : str
        Where the frames show the probe: ``"top"``, as the models have learnt;
        ``"bottom"``: frames are turned upside down for the model, and its answer
        back; ``"automatic"``: whichever way the model is surer of, on a few frames
        spread over the scan, with a `Notice` where that is the bottom.
    along_sweep : bool, optional
        Average each frame's answer with those to the frames beside it that look like
        it (`along_sweep.SweepAverage`), which need not be asked for. None does as
        the model recommends.
    precision : str
        ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    first : int, optional
        A frame to answer before all others: somebody may be looking at it.
        Nothing else changes; one that is not asked for has no effect.
    out : ndarray of uint8, shape (Z, Y, X), optional
        Zeros that become the mask, frame by frame, for somebody who watches it grow.

    Yields
    ------
    Event
        `Progress` before the first and after every batch; `Notice` when the batch
        was halved, and of the frames below ``min_confidence``. Closing the generator
        between batches cancels the work.

    Returns
    -------
    Prediction
        Mask and probability on the scan's grid.

    Raises
    ------
    InputError
        If intensities are not finite or all equal, or a frame does not exist.
    ConfigError
        If a setting is out of range.
    DeviceError
        If the device is missing or cannot hold one frame.
    """
    chosen = _frames(frames, len(volume.array))
    _check_out(out, volume.shape)
    cut = _logit(threshold)
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(
            f"batch_size must be a whole number above 0; got {batch_size}. Use 8.",
            plain=f"{batch_size} frames at a time are not possible. Use 8.",
        )
    if probe not in PROBES:
        raise ConfigError(
            f"probe must be one of {', '.join(PROBES)}; got '{probe}'. Use top.",
            plain=(
                f"There is no place '{probe}' of the probe. Choose one of "
                f"{', '.join(PROBES)}."
            ),
        )
    _check_intensities(volume.array)
    window = intensity_window(volume.array)
    models: list[Any] = list(model) if isinstance(model, (list, tuple)) else [model]
    width = _opening(opening, models)
    least = _least_confidence(min_confidence, models)
    is_smooth = _outline(outline, models) == "smooth"
    is_smooth = is_smooth and largest_component and fill_holes
    panel = Panel(
        models,
        choose_device(device),
        precision=precision,
        flip=flip,
        frames=len(chosen),
    )
    mask = np.zeros(volume.shape, dtype=np.uint8) if out is None else out
    is_turned = probe == "bottom"
    if probe == "automatic":
        is_turned = yield from _is_upside_down(panel, volume.array, window)
    array, drawn = volume.array, mask
    if is_turned:  # views: what is drawn there stands upright in the mask
        array, drawn = array[:, ::-1], mask[:, ::-1]
    is_sweep = _along_sweep(along_sweep, models) and len(volume.array) > 1
    sweep = SweepAverage(chosen, len(volume.array), panel.size) if is_sweep else None
    queue = _in_order(chosen if sweep is None else sweep.frames, chosen, first, sweep)
    place_of = {frame: place for place, frame in enumerate(chosen)}
    logits = torch.empty((len(chosen), 1, panel.size, panel.size))
    done = 0
    unsure: list[int] = []
    yield Progress(0, len(chosen), "frames", "Segmenting")
    with panel.evaluating():
        while queue:
            batch = queue[0][:batch_size]
            try:
                seen, answer = _answer(panel, array, batch, window)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                torch.cuda.empty_cache()
                if len(batch) == 1:
                    raise DeviceError(
                        f"One frame must fit into the memory of {panel.device}; got "
                        "an out-of-memory error. Choose the CPU, or a smaller model.",
                        plain="The graphics card is out of memory. Close other "
                        "programs that use it, run the model on the processor, or "
                        "choose a smaller model.",
                    ) from error
                batch_size = len(batch) // 2
                yield Notice(f"Memory is short: {batch_size} frames at once from here.")
                continue
            queue[0] = queue[0][len(batch) :]
            queue = [part for part in queue if part]
            known: Sequence[int] = batch
            if sweep is not None:
                known, answer = sweep.put(batch, seen, answer)
                if not known:
                    continue
            answer = cut_narrow_parts(answer, width, cut)
            places = [place_of[frame] for frame in known]
            logits[places] = answer.cpu()
            for frame, confidence, foreground in zip(
                known,
                frame_confidence(answer),
                _smooth(logits[places], volume.shape[1:], cut)
                if is_smooth
                else _foreground(logits[places], volume.shape[1:], cut),
                strict=True,
            ):
                if confidence < least:
                    unsure += [frame] if foreground.any() else []
                    continue
                if not is_smooth:
                    _tidy(foreground, largest_component, fill_holes)
                drawn[frame] = foreground
            done += len(known)
            yield Progress(done, len(chosen), "frames", "Segmenting")
    if is_turned:
        logits = logits.flip(2)
    if unsure:
        yield Notice(left_empty(sorted(unsure), least))
    return Prediction(volume.like(mask), chosen, logits)


def _is_upside_down(
    panel: Panel, array: NDArray[Any], window: tuple[float, float]
) -> Generator[Event, None, bool]:
    """Return whether the model is surer of the frames when they are turned round."""
    count = min(len(array), _LOOKED_AT)
    places = np.linspace(0, len(array) - 1, count).round().astype(int)
    batch = tuple(int(place) for place in dict.fromkeys(places))
    sure = []
    yield Progress(0, 2, "ways", "Looking for the probe")
    with panel.evaluating():
        for turn, frames in enumerate((array, array[:, ::-1]), start=1):
            answers = [_answer(panel, frames, (frame,), window)[1] for frame in batch]
            sure.append(frame_confidence(torch.cat(answers)).mean())
            yield Progress(turn, 2, "ways", "Looking for the probe")
    if sure[1] <= sure[0]:
        return False
    yield Notice(
        "The model is surer of these frames when they are turned upside down: they "
        "were segmented as if the probe were at the bottom. If that is wrong, choose "
        "top."
    )
    return True


def _answer(
    panel: Panel,
    array: NDArray[Any],
    batch: Sequence[int],
    window: tuple[float, float],
) -> tuple[Tensor, Tensor]:
    """Return frames as the network sees them, and its float32 logits."""
    small = [
        to_network(_tensor(array[frame]).to(panel.device), panel.size, window)
        for frame in batch
    ]
    seen = torch.cat(small)
    return seen, panel(seen)


def _in_order(
    frames: Sequence[int],
    chosen: Sequence[int],
    first: int | None,
    sweep: SweepAverage | None,
) -> list[list[int]]:
    """Return the frames to pass, those that the first one needs apart and before."""
    if first not in chosen:
        return [list(frames)]
    assert first is not None  # it is among the chosen
    before = [first] if sweep is None else sweep.beside(first)
    return [before, [frame for frame in frames if frame not in before]]


def _foreground(
    logits: Tensor, shape: tuple[int, int], cut: float
) -> Iterable[NDArray[np.bool_]]:
    """Bring one frame's logits at a time to full size, and cut them."""
    for frame in logits[:, 0].numpy():
        yield cut_at_full_size(frame, shape, cut)


def _tidy(foreground: NDArray[np.bool_], largest: bool, holes: bool) -> None:
    """Keep the largest component, fill holes, or both, in place."""
    if largest and holes:
        keep_one_piece(foreground)
    elif largest:
        keep_largest_component(foreground)
    elif holes:
        fill(foreground)


def _smooth(
    logits: Tensor, shape: tuple[int, int], cut: float
) -> Iterable[NDArray[np.bool_]]:
    """Draw one frame's outline at a time."""
    for frame in logits[:, 0].numpy():
        yield smooth_mask(frame, shape, cut)


def _tensor(frame: NDArray[Any]) -> Tensor:
    """Return a frame (Y, X) of any dtype and byte order as (1, 1, Y, X)."""
    dtype = frame.dtype.name if frame.dtype.name in _DIRECT else "float32"
    native = np.array(frame, dtype=dtype, order="C")  # copy: the scan may be read-only
    return torch.from_numpy(native)[None, None]


def _frames(frames: int | Iterable[int] | None, count: int) -> tuple[int, ...]:
    if frames is None:
        return tuple(range(count))
    try:
        wanted = [frames] if isinstance(frames, int) else list(frames)
        chosen = tuple(dict.fromkeys(operator.index(f) for f in wanted))
    except TypeError as error:
        raise InputError(
            f"Frames must be whole numbers; got {frames!r}. Count them from 0.",
            plain=(
                f"{frames!r} is no choice of frames. Give whole numbers, "
                "counted from 0."
            ),
        ) from error
    wrong = [f for f in chosen if not 0 <= f < count]
    if wrong or not chosen:
        raise InputError(
            f"Frames must lie between 0 and {count - 1}; got "
            f"{wrong[0] if wrong else 'none'}. Choose frames of this scan.",
            plain=(
                f"This scan has no frame {wrong[0] if wrong else 'none'}; the last "
                f"one is {count - 1}. Choose frames of this scan."
            ),
        )
    return chosen


def _opening(opening: int | None, models: Sequence[Any]) -> int:
    """Return the width to cut: as asked for, or as the first model recommends."""
    if opening is None:
        opening = recommended_opening(models[0]) if models else 0
    if not isinstance(opening, int) or opening < 0:
        raise ConfigError(
            f"opening must be a whole number of pixels; got {opening}. Use 0 for none.",
            plain=(
                f"The opening, {opening}, is no whole number of pixels. Use 0 for none."
            ),
        )
    return opening


def _outline(outline: str | None, models: Sequence[Any]) -> str:
    """Return the kind of outline: as asked for, or as the first model recommends."""
    if outline is None:
        outline = recommended_outline(models[0]) if models else "raw"
    if outline not in OUTLINES:
        raise ConfigError(
            f"outline must be one of {', '.join(OUTLINES)}; got '{outline}'. Choose "
            "one.",
            plain=(
                f"There is no outline '{outline}'. Choose one of {', '.join(OUTLINES)}."
            ),
        )
    return outline


def _least_confidence(asked: float | None, models: Sequence[Any]) -> float:
    """Return the least confidence: as asked for, or as the first model recommends."""
    if asked is None:
        asked = recommended_min_confidence(models[0]) if models else 0.0
    if not 0 <= asked <= 1:
        raise ConfigError(
            f"min_confidence must lie between 0 and 1; got {asked}. Use 0 to draw a "
            "contour in every frame.",
            plain=(
                f"A confidence is a number from 0 to 1, which {asked} is not. Use 0 "
                "to draw a contour in every frame."
            ),
        )
    return float(asked)


def _along_sweep(asked: bool | None, models: Sequence[Any]) -> bool:
    """Return whether neighbours count: as asked for, or as the first model says."""
    if asked is None:
        return bool(models) and recommended_along_sweep(models[0])
    return asked


def _check_out(out: NDArray[Any] | None, shape: tuple[int, ...]) -> None:
    if out is not None and (out.shape != shape or out.dtype != np.uint8):
        raise InputError(
            f"out must be an array of uint8 with shape {shape}; got {out.dtype} with "
            f"{out.shape}. Make it with numpy.zeros(volume.shape, 'uint8').",
            plain=(
                "The array to write the mask into does not fit the scan of "
                f"{shape}. Make it with numpy.zeros(volume.shape, 'uint8')."
            ),
        )


def _logit(threshold: float) -> float:
    if not 0 < threshold < 1:
        raise ConfigError(
            f"threshold must lie between 0 and 1; got {threshold}. Use 0.5.",
            plain=f"The threshold, {threshold}, does not lie between 0 and 1. Use 0.5.",
        )
    return math.log(threshold / (1 - threshold))


def _check_intensities(array: NDArray[Any]) -> None:
    if array.dtype.kind not in "buif":
        raise InputError(
            f"Image intensities must be real numbers; got {array.dtype}. "
            "Convert the image first.",
            plain="This image holds no grey values. Convert it first.",
        )
