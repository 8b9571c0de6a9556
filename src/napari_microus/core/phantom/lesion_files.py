"""Write simulated examinations in the layout of PI-CAI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import OutputError
from napari_microus.core.events import Progress
from napari_microus.core.files import atomic_folder
from napari_microus.core.io import write_volume
from napari_microus.core.phantom.lesion import make_lesion_case

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.events import Event
    from napari_microus.core.phantom.lesion import LesionCase

LABELS = "picai_labels/csPCa_lesion_delineations/human_expert/resampled"
# The grade that stands for a significant lesion.
_GRADE = 3


def write_lesions(
    output: str | Path, *, seed: int = 0, count: int = 1
) -> Generator[Event, None, Path]:
    """Write simulated examinations, whole or not at all; see `make_lesion_case`.

    Returns
    -------
    Path
        The folder, for ``study import --layout picai``.

    Raises
    ------
    OutputError
        If the folder exists or cannot be written.
    """
    target = Path(output)
    if target.exists():
        raise OutputError(
            f"The folder of simulated examinations must be new; got {target}. Choose "
            "another.",
            plain=f"{target} is there already, and is kept. Choose another folder.",
        )
    with atomic_folder(target) as fresh:
        for number in range(count):
            write_lesion_case(
                fresh, f"{seed + number:05d}", make_lesion_case(seed + number)
            )
            yield Progress(number + 1, count, "cases", "Simulating")
    return target


def write_lesion_case(folder: Path, patient: str, case: LesionCase) -> None:
    """Write one examination below a folder, as PI-CAI has it."""
    images = folder / "images" / patient
    labels = folder / LABELS
    for place in (images, labels):
        place.mkdir(parents=True, exist_ok=True)
    name = f"{patient}_{patient}"
    for channel, volume in case.channels.items():
        write_volume(volume, images / f"{name}_{channel}.mha")
    grades = case.lesion.array * np.uint8(_GRADE)
    write_volume(case.lesion.like(grades), labels / f"{name}.nii.gz")
