"""Make a study of real micro-ultrasound frames with their outlines.

    python docs/scripts/real_study.py ../shared/data/micro_us_frames real_study [--all]

Frames: Micro-Ultrasound Prostate Segmentation Dataset, Jiang et al. 2024, Zenodo
10475293, CC-BY-4.0. Outlines: drawn by eye by a general vision model that followed a
written guide, by no clinician. Outline one stands in the expert's place and outline
two, where a frame has one, in the non-expert's: which is which says nothing. The
patients are shared over five folds; patient 01, who has an expert's masks, is left
out. With ``--all`` all those patients are learnt from and the two frames of patient 01
are validated on: the study of the model that is bundled.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from napari_microus.core.study import Study, split_in_folds
from napari_microus.core.volume import Volume

SPACING_MM = (1.0, 0.125, 0.125)  # the distance between frames is not known
FOLDS = 5
SEED = 0


def frames_by_patient(source: Path) -> dict[str, list[str]]:
    """Return the outlined frames of each patient, in the order of the sweep."""
    with (source / "outlines" / "outlines.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["outliner"] == "one"]
    found = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["file"]):
        found[row["patient"]].append(row["file"])
    return dict(sorted(found.items()))


def read_case(
    source: Path, files: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return frames, both outlines (Z, Y, X), and which frames have two (Z,)."""
    outlines = source / "outlines"
    scan = np.stack([iio.imread(source / "images" / name) for name in files])
    one = np.stack([iio.imread(outlines / "one" / name) > 0 for name in files])
    two, has_two = one.copy(), np.zeros(len(files), bool)
    for index, name in enumerate(files):
        if (outlines / "two" / name).exists():
            two[index] = iio.imread(outlines / "two" / name) > 0
            has_two[index] = True
    return scan, one.astype(np.uint8), two.astype(np.uint8), has_two


def add_patient_01(study: Study, source: Path) -> None:
    """Add the two frames that have an expert's mask as the case to validate on."""
    paths = sorted((source / "expert_masks_low_resolution").glob("*.png"))
    scan = np.stack([iio.imread(source / "images" / path.name) for path in paths])
    expert = np.stack([iio.imread(path) > 0 for path in paths]).astype(np.uint8)
    volume = Volume.from_spacing(scan, SPACING_MM)
    study.add_case("patient01", "patient01", volume, volume.like(expert))
    study.cases = [
        replace(case, split="val" if case.patient == "patient01" else "train")
        for case in study.cases
    ]
    study.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    study = Study.create(arguments.output)
    for patient, files in frames_by_patient(arguments.source).items():
        scan, one, two, has_two = read_case(arguments.source, files)
        volume = Volume.from_spacing(scan, SPACING_MM)
        second = volume.like(two) if has_two.any() else None
        name = f"patient{patient}"
        study.add_case(name, name, volume, volume.like(one), second)
    if arguments.all:
        add_patient_01(study, arguments.source)
        print(f"{len(study.cases) - 1} patients to learn from: {arguments.output}")
        return
    split_in_folds(study, FOLDS, seed=SEED)
    print(f"{len(study.cases)} patients, {FOLDS} folds: {arguments.output}")


if __name__ == "__main__":
    main()
