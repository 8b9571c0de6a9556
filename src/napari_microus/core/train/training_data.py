"""What a run learns from and is measured on, at the network's size."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.core.study.manifest import Study
    from napari_microus.core.study.table import StudyCase
    from napari_microus.core.train.frames import FrameCache
    from napari_microus.core.train.patches import PatchSource
    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class ValidationCase:
    """A scan on which the network is measured, read only when it is its turn.

    ``load`` returns scan, expert and, where there is one, non-expert mask.
    """

    name: str
    patient: str
    load: Callable[[], tuple[Volume, Volume, Volume | None]]


@dataclass(frozen=True)
class VolumeCase:
    """A volume on which the network is measured, read only when it is its turn.

    ``load`` returns standardised channels (C, Z, Y, X), the scan that gives the grid,
    and the mask.
    """

    name: str
    patient: str
    load: Callable[[], tuple[NDArray[np.float32], Volume, Volume]]


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is measured on.

    ``provenance`` goes into the model card: counts and splits, no identifiers.
    ``phantoms`` are mixed into the frames of a study. A run on volumes has patches
    in the place of frames.
    """

    frames: FrameCache | PatchSource
    validation: Sequence[ValidationCase | VolumeCase]
    textures: NDArray[np.uint8] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    phantoms: FrameCache | None = None


def key_of(*parts: object) -> str:
    """Return a short name for what a cache was made from."""
    text = json.dumps(parts, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_measured(
    study: Study, cases: Sequence[StudyCase], what: str
) -> Generator[Event, None, None]:
    """See that something can be measured, before an hour of training.

    Raises
    ------
    InputError
        If no case to validate on shows ``what``.
    """
    for number, case in enumerate(cases, start=1):
        if (study.read(case)[1].array == 1).any():
            return
        yield Progress(number, len(cases), "cases", "Looking at validation cases")
    raise InputError(
        f"Some validation case must show {what}; got {len(cases)} with empty masks. "
        "Split the study otherwise.",
        plain=(
            f"None of the {len(cases)} validation cases shows {what}: "
            "their masks are empty. Split the study otherwise."
        ),
    )


def label_rules(cases: Sequence[StudyCase]) -> str:
    """Return the rules by which the masks of cases are read, "" where none is."""
    return ", ".join(sorted({case.label_rule for case in cases if case.label_rule}))


def stamp(study: Study, case: StudyCase, file: str) -> list[object]:
    """Return what changes whenever a file of a case does.

    Raises
    ------
    InputError
        If it is not there.
    """
    path = study.path(file)
    if not path.exists():
        raise InputError(
            f"A study's files must exist; got no {path}, named by case "
            f"'{case.case}'. Put it back, or set ignore to 1.",
            plain=(
                f"The file {path} of case '{case.case}' is missing. Put it "
                "back, or set ignore to 1."
            ),
        )
    stat = path.stat()
    return [str(path.resolve()), stat.st_size, stat.st_mtime_ns]


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
