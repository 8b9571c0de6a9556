"""Make a study of HC18 fetal heads with simulated non-expert masks.

    python docs/scripts/hc18_study.py ../shared/data/hc18 hc18_study

HC18 (van den Heuvel et al. 2018, Zenodo 1327317, CC-BY-4.0) has one outline a frame.
The second annotator made here moves that outline smoothly in and out by a few pixels,
less where the image has an edge to hold on to, as people do.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, sobel

from napari_microus.core.study import Study, import_folder

REACH_PX = 6.0  # standard deviation of the displacement where there is no edge
SMOOTHNESS_PX = 25.0


def nonexpert_mask(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return ``mask`` (Y, X) with its outline moved as a non-expert would."""
    signed = distance_transform_edt(mask) - distance_transform_edt(~mask)
    noise = gaussian_filter(rng.standard_normal(mask.shape), SMOOTHNESS_PX)
    noise /= noise.std()
    smooth = gaussian_filter(image.astype(float), 2)
    edge = np.hypot(sobel(smooth, 0), sobel(smooth, 1))
    doubt = 1 / (1 + edge / np.median(edge[edge > 0]))
    moved = signed + REACH_PX * noise * gaussian_filter(doubt, 8) * 2
    return moved > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    source, data = arguments.source, arguments.output / "data"
    for name in ("images", "masks"):
        shutil.copytree(source / name, data / name)
    shutil.copy(source / "split.csv", data)
    (data / "nonexpert").mkdir()
    for number, path in enumerate(sorted((data / "masks").glob("*.png"))):
        mask = iio.imread(path) > 0
        image = iio.imread(data / "images" / path.name)
        moved = nonexpert_mask(image, mask, np.random.default_rng(number))
        iio.imwrite(data / "nonexpert" / path.name, moved.astype(np.uint8) * 255)
    study = Study.create(arguments.output)
    for sentence in import_folder(study, data):
        print(sentence)


if __name__ == "__main__":
    main()
