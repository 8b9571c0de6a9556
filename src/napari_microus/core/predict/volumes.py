"""Take an examination of several channels through a network of volumes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_microus.core.device import choose_device, reports_memory
from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.core.io import write_mask, write_volume
from napari_microus.core.library import LoadedModel, ModelInfo
from napari_microus.core.models.network_mean import NetworkMean
from napari_microus.core.multichannel.sliding import sliding_logits
from napari_microus.core.multichannel.spacing import resized, shape_at
from napari_microus.core.multichannel.stacking import stack_channels
from napari_microus.core.predict.networks import PRECISIONS
from napari_microus.core.provenance import segmentation_provenance
from napari_microus.core.volumetry import mask_volume

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from torch import Tensor

    from napari_microus.core.volume import Volume

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True, eq=False)
class VolumePrediction:
    """What a network of volumes found, on the first channel's grid.

    Attributes
    ----------
    mask : Volume of uint8
        0 and 1.
    probability : Volume of float16
    """

    mask: Volume
    probability: Volume


def channels_of(model: LoadedModel | ModelInfo) -> tuple[str, ...]:
    """Return the names of the channels that a model of volumes takes, in its order.

    Raises
    ------
    ConfigError
        If the model sees single frames.
    """
    if not model.channels:
        raise ConfigError(
            f"The model must be one of volumes; got '{model.name}', which sees single "
            "frames. Choose another model.",
            plain=(
                f"'{model.name}' sees single frames, not volumes. Choose another model."
            ),
        )
    return model.channels


def channel_files(inputs: Sequence[Path], names: Sequence[str]) -> dict[str, Path]:
    """Return which file is which channel, in the model's order.

    A file is named as ``adc=FILE``, else by the end of its name (``case_adc.mha``),
    else all are taken in the order in which they stand.

    Raises
    ------
    InputError
        If there are too many or too few, or two are one channel.
    """
    named: dict[str, Path] = {}
    rest: list[Path] = []
    for path in inputs:
        name, equals, file = str(path).partition("=")
        if equals and name in names:
            found, path = name, Path(file)
        else:
            stem = path.name.partition(".")[0].lower()
            ends = [n for n in names if stem == n or stem.endswith(f"_{n}")]
            found = max(ends, key=len, default="")
        if not found:
            rest.append(path)
        elif found in named:
            raise InputError(
                f"Each channel must have one file; got two for '{found}': "
                f"{named[found].name} and {path.name}. Leave one out.",
                plain=(
                    f"Two files are given for '{found}': {named[found].name} and "
                    f"{path.name}. Leave one out."
                ),
            )
        else:
            named[found] = path
    open_ = [name for name in names if name not in named]
    if len(rest) != len(open_) or (named and rest):
        what = f"no file for '{open_[0]}'" if open_ else f"{rest[0].name} beside them"
        raise InputError(
            f"The model takes {len(names)} channels ({', '.join(names)}); got {what}. "
            f"Name one file each, such as {names[0]}=FILE.",
            plain=(
                f"The model takes {len(names)} channels ({', '.join(names)}), and "
                f"there is {what}. Name one file each, such as {names[0]}=FILE."
            ),
        )
    named |= dict(zip(open_, rest, strict=True))
    return {name: named[name] for name in names}


@reports_memory(
    "The volume and the model",
    "Close other programs, choose a model of smaller patches, or the CPU.",
)
def predict_volume(
    model: LoadedModel | Sequence[LoadedModel],
    channels: Mapping[str, Volume],
    *,
    device: str | torch.device = "auto",
    threshold: float = 0.5,
    flip: bool = False,
    batch_size: int = 2,
    precision: str = "auto",
) -> Generator[Event, None, VolumePrediction]:
    """Segment an examination of several channels.

    Parameters
    ----------
    model : LoadedModel, or a sequence of them
        A sequence answers with its mean probability.
    channels : mapping of str to Volume
        By name; the mask lies on the grid of the model's first one.
    device : str or torch.device
        As for `predict`.
    threshold : float
        Probability above which a voxel is the target, between 0 and 1.
    flip : bool
        Average with the answer to the volume mirrored left to right.
    batch_size : int
        Windows at once; halved when the device runs out of memory.
    precision : str
        "auto" (half precision on a GPU), "float32", "bfloat16" or "float16".

    Yields
    ------
    Event
        `Progress` in windows. Closing the generator cancels the work.

    Raises
    ------
    InputError
        If a channel is missing, or channels do not show one region.
    ConfigError
        If a model sees single frames, or a setting is out of range.
    DeviceError
        If the device is missing or cannot hold one window.
    """
    models = [model] if isinstance(model, LoadedModel) else list(model)
    if not 0 < threshold < 1:
        raise ConfigError(
            f"threshold must lie between 0 and 1; got {threshold}. Use 0.5.",
            plain=f"The threshold, {threshold}, does not lie between 0 and 1. Use 0.5.",
        )
    if precision not in PRECISIONS:
        raise ConfigError(
            f"precision must be one of {', '.join(PRECISIONS)}; got '{precision}'. "
            "Choose one.",
            plain=(
                f"There is no precision '{precision}'. Choose one of "
                f"{', '.join(PRECISIONS)}."
            ),
        )
    if batch_size < 1:
        raise ConfigError(
            f"batch_size must be above 0; got {batch_size}. Use 2.",
            plain=f"{batch_size} parts at a time are not possible. Use 2.",
        )
    names = channels_of(models[0])
    for other in models[1:]:
        if channels_of(other) != names:
            raise ConfigError(
                f"Models asked together must take the same channels; got "
                f"{', '.join(names)} and {', '.join(channels_of(other))}. Choose folds "
                "of one training run.",
                plain=(
                    "These models take different channels. Choose folds of one "
                    "training run."
                ),
            )
    lacking = [name for name in names if name not in channels]
    if lacking:
        raise InputError(
            f"The model takes the channels {', '.join(names)}; got no '{lacking[0]}'. "
            "Choose it too.",
            plain=f"The model needs the channel '{lacking[0]}' too. Choose it.",
        )
    scan = channels[names[0]]
    stack = torch.from_numpy(stack_channels({name: channels[name] for name in names}))
    where = choose_device(device)
    answers: list[Tensor] = []
    for one in models:
        answers += yield from _ask(one, stack, scan, where, flip, batch_size, precision)
    if len(answers) == 1:
        mean = answers[0].sigmoid()
    else:
        mean = torch.stack([answer.sigmoid() for answer in answers]).mean(0)
    probability = mean.numpy()
    mask = (probability >= threshold).astype(np.uint8)
    if not mask.any():
        highest = math.floor(100 * float(probability.max())) / 100
        yield Notice(f"Nothing was found: the highest probability is {highest:.2f}.")
    return VolumePrediction(scan.like(mask), scan.like(probability.astype(np.float16)))


def _ask(
    model: LoadedModel,
    stack: Tensor,
    scan: Volume,
    device: torch.device,
    flip: bool,
    batch_size: int,
    precision: str,
) -> Generator[Progress, None, list[Tensor]]:
    """Return the logits (Z, Y, X) of each of a model's networks, on the scan's grid."""
    described = model.config["input"]
    spacing = described.get("spacing_mm")
    shape = shape_at(scan.shape, scan.spacing_mm, spacing and tuple(spacing))
    values = resized(stack, shape)
    networks = [model.network]
    if isinstance(model.network, NetworkMean):
        networks = list(model.network.members)
    if precision == "auto":
        precision = "float16" if device.type == "cuda" else "float32"
    dtype = _DTYPES[precision]
    found = []
    for network in networks:
        network.to(device).eval()
        for view in (values, values.flip(-1)) if flip else (values,):

            def answer(batch: Tensor, network: Any = network) -> Any:
                if dtype is torch.float32:
                    return network(batch)
                with torch.autocast(device.type, dtype=dtype):
                    return network(batch)

            logits = yield from sliding_logits(
                answer,
                view,
                tuple(described["patch_size"]),
                device=device,
                overlap=described.get("overlap", 0.25),
                batch_size=batch_size,
            )
            logits = logits if view is values else logits.flip(-1)
            found.append(resized(logits, scan.shape)[0])
    return found


def segment_channels_into(
    models: Sequence[LoadedModel],
    channels: Mapping[str, Volume],
    mask: Path,
    *,
    image: str,
    probability: Path | None = None,
    device: str = "auto",
    overwrite: bool = False,
    **settings: Any,
) -> Generator[Event, None, dict[str, Any]]:
    """Segment an examination and write its mask with a JSON sidecar.

    Parameters
    ----------
    models, channels, device, **settings
        As for `predict_volume`.
    mask, image, probability, overwrite
        As for `segment_into`.

    Returns
    -------
    dict
        ``mask``, ``voxels``, ``probability`` where it was asked for, and, where the
        geometry gives one, ``volume_ml`` and ``volume_method``.
    """
    for name, channel in channels.items():
        for notice in channel.metadata.get("notices", ()):
            yield Notice(f"{name}: {notice}")
    found = yield from predict_volume(models, channels, device=device, **settings)
    made = segmentation_provenance(
        models, image=image, frames=None, device=device, settings=settings
    )
    result: dict[str, Any] = {"mask": str(mask), "voxels": int(found.mask.array.sum())}
    size = mask_volume(found.mask)
    if size.ml is not None:
        result |= {"volume_ml": round(size.ml, 3), "volume_method": size.method}
    write_mask(found.mask, mask, overwrite, provenance=made)
    if probability is not None:
        write_volume(found.probability, probability, overwrite, provenance=made)
        result["probability"] = str(probability)
    return result
