"""Bring phantoms or a study into the form in which the engine takes them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Notice
from napari_microus.core.train.frames import (
    FrameCache,
    FrameWriter,
    cache_folder,
    open_cache,
)
from napari_microus.core.train.phantom_frames import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_microus.core.config.train import DataConfig
    from napari_microus.core.volume import Volume

_VALIDATION_SEED = 1_000_000


@dataclass(frozen=True)
class ValidationCase:
    """A scan on which the network is measured, read only when it is its turn.

    ``load`` returns scan, expert and, where there is one, non-expert mask.
    """

    name: str
    patient: str
    load: Callable[[], tuple[Volume, Volume, Volume | None]]


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is measured on.

    ``provenance`` goes into the model card: counts and splits, no identifiers.
    ``phantoms`` are mixed into the frames of a study.
    """

    frames: FrameCache
    validation: list[ValidationCase]
    textures: NDArray[np.uint8] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    phantoms: FrameCache | None = None


def prepare(config: DataConfig, size: int) -> Generator[Event, None, TrainingData]:
    """Return the data of a run, prepared at the network's ``size`` in pixels.

    Raises
    ------
    InputError
        If the study has nothing to train on, or a scan cannot be used.
    OutputError
        If the prepared frames cannot be stored.
    """
    if config.study is None:
        data = yield from _prepare_phantoms(config, size)
    else:
        from napari_microus.core.train.study_frames import prepare_study

        data = yield from prepare_study(config, size)
        if config.phantom_share > 0:
            phantoms = yield from _phantom_frames(config, size)
            data = dataclasses.replace(
                data,
                phantoms=phantoms,
                provenance=data.provenance
                | {
                    "phantom_frames": len(phantoms),
                    "phantom_share": config.phantom_share,
                },
            )
    if config.unlabelled is None:
        return data
    textures = read_textures(Path(config.unlabelled), size, config.unlabelled_skip)
    yield Notice(f"Texture is taken from {len(textures)} unlabelled frames.")
    provenance = data.provenance | {"unlabelled_frames": len(textures)}
    return dataclasses.replace(data, textures=textures, provenance=provenance)


def key_of(*parts: object) -> str:
    """Return a short name for what a cache was made from."""
    text = json.dumps(parts, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_textures(
    folder: Path, size: int, skip: tuple[str, ...] = ()
) -> NDArray[np.uint8]:
    """Return every frame of the images in ``folder``, (N, S, S) uint8.

    Files whose names begin with one of ``skip`` are left out.

    Raises
    ------
    InputError
        If there is no image.
    """
    from napari_microus.core.io import read_volume

    paths = texture_files(folder, skip)
    return np.concatenate([to_bytes(read_volume(path), size) for path in paths])


def texture_files(folder: Path, skip: tuple[str, ...] = ()) -> list[Path]:
    """Return the images in a folder of unlabelled frames; see `read_textures`.

    Raises
    ------
    InputError
        If there is none.
    """
    suffixes = (
        ".png",
        ".jpg",
        ".jpeg",
        ".tif",
        ".tiff",
        ".nii",
        ".gz",
        ".nrrd",
        ".mha",
    )
    paths = sorted(
        path
        for path in folder.glob("*")
        if path.suffix.lower() in suffixes
        and not any(path.name.startswith(prefix) for prefix in skip)
    )
    if not paths:
        raise InputError(
            f"The folder of unlabelled frames must hold images; got {folder}. "
            "Choose a folder of PNG, TIFF or NIfTI files."
        )
    return paths


def to_bytes(scan: Volume, size: int) -> NDArray[np.uint8]:
    """Return a scan's frames at the network's size as bytes, (Z, S, S)."""
    import torch

    from napari_microus.core.preprocess import intensity_window, to_network

    window = intensity_window(scan.array)
    frames = torch.from_numpy(np.ascontiguousarray(scan.array, dtype=np.float32))
    resized = to_network(frames.unsqueeze(1), size, window)
    return (resized[:, 0] * 255).round().clamp(0, 255).to(torch.uint8).numpy()


def mask_to_bytes(mask: NDArray[Any], size: int) -> NDArray[np.uint8]:
    """Return masks (Z, Y, X) at the network's size, 255 staying ignored."""
    import torch

    from napari_microus.core.preprocess import labels_to_network

    values = torch.from_numpy(np.ascontiguousarray(mask)).unsqueeze(1)
    return labels_to_network(values, size)[:, 0].to(torch.uint8).numpy()


def _prepare_phantoms(
    config: DataConfig, size: int
) -> Generator[Event, None, TrainingData]:
    frames = yield from _phantom_frames(config, size)
    count, seed = config.phantom_frames, config.phantom_seed
    validation = [
        _phantom_case(_VALIDATION_SEED + seed * 1000 + i, config.phantom_val_frames)
        for i in range(config.phantom_val_cases)
    ]
    provenance = {
        "source": "phantoms generated by napari-microus",
        "training_frames": count,
        "validation_cases": len(validation),
        "phantom_seed": seed,
    }
    return TrainingData(frames, validation, provenance=provenance)


def _phantom_frames(
    config: DataConfig, size: int
) -> Generator[Event, None, FrameCache]:
    """Return phantom frames, made once and kept."""
    count, seed = config.phantom_frames, config.phantom_seed
    name = f"phantoms-{key_of(phantom_version(), seed, count, size)}"
    folder = cache_folder(config.cache) / name
    if folder.exists():
        return open_cache(folder)
    return (yield from _make_phantoms(folder, seed, count, size))


def phantom_version() -> str:
    """Return what changes when the phantoms do: a digest of their source."""
    from napari_microus.core import phantom

    sources = sorted(Path(phantom.__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    return digest.hexdigest()


def _make_phantoms(
    folder: Path, seed: int, count: int, size: int
) -> Generator[Event, None, FrameCache]:
    """Fill a cache with phantom frames on all cores."""
    writer = FrameWriter(folder, count, size)
    try:
        yield from fill(writer.path, seed, count, size)
        return writer.finish(["phantom"], [0] * count)
    finally:
        writer.abandon()


def _phantom_case(seed: int, frames: int) -> ValidationCase:
    def load() -> tuple[Volume, Volume, Volume | None]:
        from napari_microus.core.phantom import make_phantom

        # The ends of the sweep may pass beside the gland.
        case = make_phantom(seed, frames=frames + 2)
        scan, expert, nonexpert = (
            dataclasses.replace(volume, array=volume.array[1:-1])
            for volume in (case.scan, case.expert, case.nonexpert)
        )
        return scan, expert, nonexpert

    return ValidationCase(f"phantom-{seed}", f"phantom-{seed}", load)
