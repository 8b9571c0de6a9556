"""Ten real frames of one patient, with the outlines that were drawn on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from napari_microus.core.io import read_mask, read_volume
from napari_microus.core.volume import UNKNOWN

if TYPE_CHECKING:
    from napari_microus.core.volume import Volume

ATTRIBUTION = (
    "Micro-Ultrasound Prostate Segmentation Dataset, Jiang et al. 2024, Zenodo "
    "10475293, CC-BY-4.0; patient 28. Outlines drawn by eye by a vision model that "
    "followed a written guide, by no clinician. Not for clinical use."
)


@dataclass(frozen=True, eq=False)
class SampleSweep:
    """A sweep of real frames and its two outlines.

    Attributes
    ----------
    scan : Volume
        10 frames of 259 × 369 pixels of about 0.125 mm; the distance of the frames is
        not known and was set to 1 mm.
    first, second : Volume
        Masks of 0 and 1; ``second`` is 255 in the frames that were outlined once.
    attribution : str
        Whose pixels these are, who outlined them, and their licence.
    """

    scan: Volume
    first: Volume
    second: Volume
    attribution: str = ATTRIBUTION


def read_sweep() -> SampleSweep:
    """Read the sweep that the package carries."""
    with as_file(files("napari_microus") / "samples" / "micro_us_sweep") as folder:
        scan = read_volume(folder / "scan.nii.gz")
        scan = replace(scan, metadata={**scan.metadata, "frame_distance": UNKNOWN})
        first, second = (
            read_mask(folder / f"outline_{number}.nii.gz", grid=scan)
            for number in (1, 2)
        )
    return SampleSweep(scan, first, second)
