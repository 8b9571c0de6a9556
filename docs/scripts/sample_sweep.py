"""Make the sample sweep of real frames from the outlined ones, once.

    python docs/scripts/sample_sweep.py ../shared/data/micro_us_frames \
        src/napari_microus/samples/micro_us_sweep

Ten frames of one patient (28) with the outlines that exist; in frames without a second
one every pixel of it is 255, undecided.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from real_study import SPACING_MM, frames_by_patient, read_case

from napari_microus.core.io import write_mask, write_volume
from napari_microus.core.volume import Volume

PATIENT = "28"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    files = frames_by_patient(arguments.source)[PATIENT]
    scan, one, two, has_two = read_case(arguments.source, files)
    two[~has_two] = 255
    volume = Volume.from_spacing(np.ascontiguousarray(scan), SPACING_MM)
    write_volume(volume, arguments.output / "scan.nii.gz", overwrite=True)
    for name, mask in (("outline_1", one), ("outline_2", two)):
        path = arguments.output / f"{name}.nii.gz"
        write_mask(volume.like(mask), path, overwrite=True)
    print(", ".join(files), f"; {int(has_two.sum())} have a second outline")


if __name__ == "__main__":
    main()
