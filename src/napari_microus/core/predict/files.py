"""Segment scans in files, one mask a scan, with its provenance beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import ConfigError, InputError, OutputError
from napari_microus.core.events import Event, Notice, Progress, relay
from napari_microus.core.io import (
    READABLE,
    WRITABLE,
    is_readable,
    read_volume,
    sidecar_of,
    stem_of,
    suffix_of,
    write_mask,
    write_volume,
)
from napari_microus.core.io.case_name import case_name
from napari_microus.core.predict import confidence
from napari_microus.core.predict.run import predict
from napari_microus.core.provenance import segmentation_provenance

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from napari_microus.core.library import LoadedModel
    from napari_microus.core.predict.result import Prediction

_SUFFIX = ".nii.gz"
# A folder of these holds scans; a folder of pictures or DICOM slices is one scan.
_VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


@dataclass(frozen=True)
class Job:
    """One scan and where its mask and, if wanted, its probability go."""

    source: Path
    mask: Path
    probability: Path | None = None


def plan(
    inputs: Sequence[Path],
    output: Path,
    *,
    probability: Path | None = None,
    overwrite: bool = False,
) -> list[Job]:
    """Decide where each result goes, and see that it can, before any work.

    Parameters
    ----------
    inputs : sequence of Path
        Scans; a folder stands for the volumes in it, or for one scan of frames.
    output : Path
        A file for one scan, else a folder that takes ``<scan>_capsule.nii.gz``; see
        `case_name` for what a scan is called.
    probability : Path, optional
        The same for probability maps, ``<scan>_probability.nii.gz``.
    overwrite : bool
        Allow results that exist.

    Raises
    ------
    InputError
        If an input is missing, or two would give one output.
    OutputError
        If an output exists, is the input, or lies where nobody may write.
    """
    sources = [source for path in inputs for source in _sources(path)]
    is_file = len(sources) == 1 and _is_file_name(output)
    if not is_file and _is_file_name(output) and not output.is_dir():
        raise OutputError(
            f"The output of {len(sources)} scans must be a folder; got {output}. "
            "Name a folder."
        )
    jobs = []
    for source in sources:
        name = case_name(source)
        mask = output if is_file else output / f"{name}_capsule{_SUFFIX}"
        maps = None
        if probability is not None:
            to_file = len(sources) == 1 and _is_file_name(probability)
            beside = probability / f"{name}_probability{_SUFFIX}"
            maps = probability if to_file else beside
        jobs.append(Job(source, mask, maps))
    _check(jobs, overwrite)
    return jobs


def _image(source: Path) -> str:
    """Return what provenance calls a scan: its file, unless that tells who it is."""
    name = case_name(source)
    return source.name if name == stem_of(source) else name


def segment_files(
    models: Sequence[LoadedModel],
    jobs: Sequence[Job],
    *,
    device: str = "auto",
    frames: Sequence[int] | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> Generator[Event, None, list[dict[str, Any]]]:
    """Segment each scan of a plan and write its mask with a JSON sidecar.

    Parameters
    ----------
    models, device, frames, **settings
        As for `predict`.
    jobs : sequence of Job
        From `plan`.
    overwrite : bool
        Replace results that exist.

    Returns
    -------
    list of dict
        For each scan ``input``, ``mask``, ``frames``, ``pixels``, ``look_first``
        (frames of low confidence) and, where all sizes are known, ``volume_ml``.
    """
    results = []
    for number, job in enumerate(jobs, start=1):
        label = f"{job.source.name} ({number} of {len(jobs)})"
        volume = read_volume(job.source)
        for notice in volume.metadata.get("notices", ()):
            yield Notice(f"{job.source.name}: {notice}")
        work = predict(list(models), volume, device=device, frames=frames, **settings)
        prediction = yield from _labelled(work, label)
        made = segmentation_provenance(
            models,
            image=_image(job.source),
            frames=frames,
            device=device,
            settings=settings,
        )
        made["confidence"] = confidence.to_provenance(prediction)
        mask = prediction.mask
        pixels = int(mask.array.sum())
        result = {
            "input": str(job.source),
            "mask": str(job.mask),
            "frames": len(prediction.frames),
            "pixels": pixels,
            "look_first": made["confidence"]["look_first"],
        }
        if volume.knows_frame_distance and len(volume.array) > 1:
            z, y, x = volume.spacing_mm
            result["volume_ml"] = round(pixels * z * y * x / 1000, 3)
        write_mask(mask, job.mask, overwrite, provenance=made)
        if job.probability is not None:
            write_volume(
                prediction.probability, job.probability, overwrite, provenance=made
            )
            result["probability"] = str(job.probability)
        results.append(result)
    return results


def _labelled(
    work: Generator[Event, None, Prediction], label: str
) -> Generator[Event, None, Prediction]:
    """Name the scan in the progress of its prediction."""

    def named(event: Event) -> Event:
        return replace(event, message=label) if isinstance(event, Progress) else event

    return (yield from relay(work, named))


def parse_frames(text: str) -> list[int]:
    """Return the frames in words such as ``"0-9,12"``.

    Raises
    ------
    ConfigError
        If the words are no numbers and ranges.
    """
    frames: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ConfigError(
                f"Frames must be numbers and ranges such as 0-9,12; got '{text}'. "
                "Count them from 0."
            )
        frames += range(int(first), int(last if dash else first) + 1)
    if not frames:
        raise ConfigError(
            f"A range of frames must not run backwards; got '{text}'. Turn it round."
        )
    return frames


def _sources(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    volumes = sorted(p for p in path.iterdir() if suffix_of(p) in _VOLUMES)
    if volumes:
        return volumes
    if not is_readable(path):
        raise InputError(
            f"A folder must hold scans ({', '.join(READABLE)}); got {path}. "
            "Choose another folder."
        )
    return [path]


def _is_file_name(path: Path) -> bool:
    return suffix_of(path) in WRITABLE or (bool(path.suffix) and not path.is_dir())


def _check(jobs: Sequence[Job], overwrite: bool) -> None:
    taken: dict[Path, Path] = {}
    sources = {job.source.resolve() for job in jobs}
    for job in jobs:
        for output in (job.mask, job.probability):
            if output is None:
                continue
            where = output.resolve()
            if where in taken:
                raise InputError(
                    f"Each scan must have an output of its own; got {output} twice, "
                    f"for {taken[where]} and {job.source}. Segment them apart."
                )
            taken[where] = job.source
            if suffix_of(output) not in WRITABLE:
                raise OutputError(
                    f"The output must end in one of {', '.join(WRITABLE)}; got "
                    f"{output}. Rename it."
                )
            if where in sources:
                raise OutputError(
                    f"The output must not be a scan itself; got {output}. "
                    "Choose another name."
                )
            if not overwrite:
                for present in (output, sidecar_of(output)):
                    if present.exists():
                        raise OutputError(
                            f"{present} already exists. "
                            "Choose another name, or overwrite it."
                        )
            parent = next(p for p in where.parents if p.exists())
            if not parent.is_dir() or not os.access(parent, os.W_OK):
                raise OutputError(f"Cannot write to {parent}. Choose another.")
