"""Adapt a model to one scan from the frames that a person corrected.

The encoder keeps its weights; transformer and decoder learn from the corrected frames
in many variations, and from frames that nobody touched and of which the model is sure,
as it drew them, so that it does not forget what it had right. Batch normalisation keeps
its statistics: a scan is too little to renew them.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from napari_microus.core.config.augment import AugmentConfig
from napari_microus.core.config.loss import LossConfig
from napari_microus.core.device import choose_device
from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Progress
from napari_microus.core.library import library_folder, save_model
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.predict import predict
from napari_microus.core.preprocess import intensity_window, mask_to_network, to_network
from napari_microus.core.train.augment import augment
from napari_microus.core.train.criterion import create_criterion

if TYPE_CHECKING:
    from collections.abc import Collection, Generator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_microus.core.library import LoadedModel
    from napari_microus.core.volume import Volume

#: Seconds that teaching may take; it ends earlier after all its steps.
TIME_LIMIT_S = 25.0
_STEPS = 60
_CORRECTED, _ANCHORS = 4, 2  # of a batch
_MOST_ANCHORS = 12
_RATE = 4e-4
_WARM_UP = 5
_VARIATION = AugmentConfig(
    rotation_deg=8.0,
    scale=0.1,
    shift=0.04,
    flip_horizontal=0.25,
    contrast=0.2,
    brightness=0.08,
    gamma=0.2,
    speckle=0.05,
    gain_curve=0.2,
    blur=0.3,
    elastic=0.015,
)


@dataclass(frozen=True)
class Taught:
    """A model that learnt from corrections.

    Attributes
    ----------
    model : LoadedModel
        The adapted network, under the name of the one it came from.
    frames : tuple of int
        The corrected frames it learnt from.
    anchors : tuple of int
        Untouched frames it was held to.
    steps : int
        Steps that were made.
    """

    model: LoadedModel
    frames: tuple[int, ...]
    anchors: tuple[int, ...]
    steps: int


def teach(
    model: LoadedModel,
    volume: Volume,
    masks: NDArray[np.uint8],
    corrected: Collection[int],
    *,
    anchors: Collection[int] = (),
    device: str = "auto",
    time_limit_s: float = TIME_LIMIT_S,
    seed: int = 0,
) -> Generator[Event, None, Taught]:
    """Return a copy of a model that learnt from the corrected frames of a scan.

    Parameters
    ----------
    model : LoadedModel
        A TransUNet; it is not changed.
    volume : Volume, shape (Z, Y, X)
        The scan.
    masks : ndarray of uint8, shape (Z, Y, X)
        The capsule: 0, 1, and 255 where a pixel says nothing.
    corrected : collection of int
        Frames that a person drew or approved; an empty one says "no gland here".
    anchors : collection of int
        Frames that nobody touched and that the model is sure of.
    device : str
        As in `core.predict.predict`.
    time_limit_s : float
        Seconds after which the last step is made.
    seed : int
        Decides what is varied how.

    Yields
    ------
    Event
        `Progress` after every step. Closing the generator gives up.

    Raises
    ------
    InputError
        If no frame was corrected, one does not exist, or the model is no TransUNet.
    """
    frames = tuple(sorted(set(corrected)))
    kept = tuple(sorted(set(anchors) - set(frames)))[:: _stride(len(anchors))]
    own = _check(model, masks, volume, frames)
    place = choose_device(device)
    network = copy.deepcopy(own).to(place)
    size = network.config.image_size
    learnt, held = (
        _examples(volume, masks, chosen, size, place) for chosen in (frames, kept)
    )
    parameters = _learning(network)
    criterion = create_criterion(
        LossConfig(variability="disagreement", dice_weight=1.0)
    ).to(place)
    optimizer = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=0.01)
    draw = np.random.default_rng(seed)
    began = time.monotonic()
    steps = 0
    yield Progress(0, _STEPS, "steps", "Learning from corrections")
    for step in range(_STEPS):
        part = max(step / _STEPS, (time.monotonic() - began) / time_limit_s)
        if part >= 1:
            break
        rate = _RATE * 0.5 * (1 + math.cos(math.pi * part))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / _WARM_UP)
        images, truth = _batch(learnt, held, draw)
        keys = [(seed, step, n) for n in range(len(images))]
        images, truth = augment(images, truth, keys, _VARIATION)
        images = images.contiguous(memory_format=torch.channels_last)
        loss = criterion(network(images), truth[:, :1], truth[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        steps += 1
        yield Progress(steps, _STEPS, "steps", "Learning from corrections")
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    adapted = dataclasses.replace(
        model, network=network.eval(), version=f"{model.version}+taught"
    )
    return Taught(adapted, frames, kept, steps)


def _check(
    model: LoadedModel,
    masks: NDArray[np.uint8],
    volume: Volume,
    frames: tuple[int, ...],
) -> TransUNet:
    if not isinstance(model.network, TransUNet):
        raise InputError(
            "A model that learns from corrections must be a TransUNet; got "
            f"{type(model.network).__name__}. Choose microus-small.",
            plain=("This model cannot learn from corrections. Choose microus-small."),
        )
    if masks.shape != volume.shape:
        raise InputError(
            f"The capsule must have the scan's shape {volume.shape}; got "
            f"{masks.shape}. Choose the capsule of this scan.",
            plain=(
                "This capsule belongs to another scan. Choose the capsule of this scan."
            ),
        )
    if not frames:
        raise InputError(
            "To learn, at least one frame must be corrected or approved; got none. "
            "Correct a frame first.",
            plain=(
                "Nothing has been corrected or approved yet. Correct a frame first."
            ),
        )
    wrong = [frame for frame in frames if not 0 <= frame < len(masks)]
    if wrong:
        raise InputError(
            f"Corrected frames must lie between 0 and {len(masks) - 1}; got "
            f"{wrong[0]}. Choose frames of this scan.",
            plain=f"This scan has no frame {wrong[0]}. Choose frames of this scan.",
        )
    return model.network


def _stride(count: int) -> int:
    return max(1, -(-count // _MOST_ANCHORS))


def _examples(
    volume: Volume,
    masks: NDArray[np.uint8],
    frames: tuple[int, ...],
    size: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return frames (n, 1, S, S) and masks twice (n, 2, S, S) at the network's size."""
    window = intensity_window(volume.array)
    images = torch.empty((len(frames), 1, size, size))
    truth = torch.empty((len(frames), 2, size, size))
    for row, frame in enumerate(frames):
        scan = torch.from_numpy(volume.array[frame].astype(np.float32))[None, None]
        images[row] = to_network(scan, size, window)[0].clamp(0, 1)
        mask = torch.from_numpy(masks[frame].astype(np.uint8))[None, None]
        small = mask_to_network((mask == 1).to(torch.uint8), size)[0].to(torch.float32)
        if (masks[frame] == IGNORE_VALUE).any():
            ignored = mask_to_network((mask == IGNORE_VALUE).to(torch.uint8), size)[0]
            small = small.masked_fill(ignored > 0, float(IGNORE_VALUE))
        truth[row] = small
    return images.to(device), truth.to(device)


def _batch(
    learnt: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    draw: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    parts = []
    for (images, truth), count in ((learnt, _CORRECTED), (held, _ANCHORS)):
        if len(images):
            chosen = draw.integers(len(images), size=count)
            parts.append((images[chosen], truth[chosen]))
    images, truth = (torch.cat(pair) for pair in zip(*parts, strict=True))
    return images, truth


def _learning(network: TransUNet) -> list[nn.Parameter]:
    """Hold the encoder and every statistic, and return what learns."""
    network.eval()
    encoder = network.transformer.embeddings.hybrid_model
    held = {id(parameter) for parameter in encoder.parameters()}
    parameters = []
    for parameter in network.parameters():
        learns = id(parameter) not in held
        parameter.requires_grad_(learns)
        if learns:
            parameters.append(parameter)
    return parameters


def teach_and_draw(
    model: LoadedModel,
    volume: Volume,
    masks: NDArray[np.uint8],
    corrected: Collection[int],
    *,
    anchors: Collection[int] = (),
    device: str = "auto",
) -> Generator[Event, None, tuple[NDArray[np.uint8], Taught]]:
    """Adapt a model to a scan, and draw the frames that nobody corrected with it.

    Parameters and errors are those of `teach`.

    Yields
    ------
    Event
        Of `teach` and of `core.predict.predict`.

    Returns
    -------
    masks : ndarray of uint8, shape (Z, Y, X)
        The corrected frames as they were, the others as the adapted model draws them.
    taught : Taught
        The adapted model.
    """
    taught = yield from teach(
        model, volume, masks, corrected, anchors=anchors, device=device
    )
    rest = [frame for frame in range(len(masks)) if frame not in taught.frames]
    result = masks.copy()
    if rest:
        drawn = yield from predict(taught.model, volume, device=device, frames=rest)
        result[rest] = drawn.mask.array[rest]
    return result, taught


def keep(taught: Taught, name: str) -> Path:
    """Put an adapted model into the library, and return its folder.

    Parameters
    ----------
    taught : Taught
        From `teach`.
    name : str
        The model's name in the library.

    Raises
    ------
    OutputError
        If there is a model of that name, or the library cannot be written.
    InputError
        If the name is no file's name.
    """
    if not name.strip() or any(sign in name for sign in '/\\:*?"<>|'):
        raise InputError(
            f"A model's name must be a file's name; got '{name}'. Use letters, digits "
            "and '-'.",
            plain=f"A model cannot be called '{name}'. Use letters, digits and '-'.",
        )
    model = taught.model
    frames = ", ".join(str(frame) for frame in taught.frames)
    card = (
        f"# {name}\n\n**Not for clinical use.** Adapted to one scan: transformer and "
        f"decoder of {model.name} learnt from corrected frames ({frames}) of that scan "
        f"in {taught.steps} steps, by whoever corrected them. On other scans it was "
        f"not measured and may be worse.\n\n## The model it came from\n\n{model.card}"
    )
    return save_model(
        library_folder() / name.strip(),
        model.network,
        config=model.config | {"version": model.version},
        card=card,
        metrics={},
    )
