"""Make the pictures of docs/phantom.md.

Usage: python docs/scripts/phantom_pictures.py [--real FOLDER]

With ``--real``, a folder of real micro-ultrasound frames, also the sheet that sets
phantoms beside them; without it that sheet is left as it is.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.segmentation import find_boundaries

from napari_microus.core.phantom import (
    AnnotatorStyle,
    PhantomCase,
    make_phantom,
    training_batch,
)

IMAGES = Path(__file__).parents[1] / "images"
TILE = (259, 369)
EXPERT, NONEXPERT = (255, 214, 10), (64, 190, 255)
REAL = (
    "patient01_frame33",
    "patient06_frame*",
    "patient11_frame*",
    "patient25_frame*",
    "patient30_frame*",
    "patient33_frame*",
)


def resized(frame: np.ndarray, shape: tuple[int, int] = TILE) -> np.ndarray:
    image = Image.fromarray(frame)
    return np.asarray(image.resize(shape[::-1], Image.Resampling.LANCZOS))


def outlined(frame: np.ndarray, *masks: np.ndarray) -> np.ndarray:
    picture = np.stack([frame] * 3, axis=-1)
    for mask, colour in zip(masks, (EXPERT, NONEXPERT), strict=False):
        picture[find_boundaries(mask > mask.max() / 2, mode="inner")] = colour
    return picture


def sheet(tiles: list[np.ndarray], columns: int, gap: int = 4) -> np.ndarray:
    """Lay tiles of one size out in rows, with a white gap between them."""
    pad = [(0, gap), (0, gap)] + [(0, 0)] * (tiles[0].ndim - 2)
    padded = [np.pad(tile, pad, constant_values=255) for tile in tiles]
    rows = [np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    return np.vstack(rows)[:-gap, :-gap]


def save(picture: np.ndarray, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    Image.fromarray(picture).save(IMAGES / name, quality=88)
    print(IMAGES / name)


def frames_of(case: PhantomCase) -> list[np.ndarray]:
    """Return each frame of a case, with the expert's and non-expert's contours."""
    masks = case.expert.array * 255, case.nonexpert.array * 255
    return [
        outlined(*(resized(part) for part in frame))
        for frame in zip(case.scan.array, *masks, strict=True)
    ]


def sweep() -> None:
    case = make_phantom(8, frames=12, annotator_style="hasty")
    save(sheet(frames_of(case), 4), "phantom_sweep.jpg")


def styles() -> None:
    tiles = []
    for seed in (5, 22):
        for style in AnnotatorStyle:
            case = make_phantom(seed, frames=1, annotator_style=style)
            tiles += frames_of(case)
    save(sheet(tiles, 3), "phantom_styles.jpg")


def training() -> None:
    frames, expert, _ = training_batch(0, 24, 160)
    tiles = [outlined(*pair) for pair in zip(frames, expert, strict=True)]
    save(sheet(tiles, 8), "phantom_training.jpg")


def beside(folder: Path) -> None:
    tiles = []
    for index, pattern in enumerate(REAL):
        real = sorted(folder.glob(f"{pattern}.png"))
        tiles.append(resized(np.asarray(Image.open(real[len(real) // 2]).convert("L"))))
        scan = make_phantom(100 + index, frames=3).scan
        tiles.append(resized(scan.array[1]))
    save(sheet(tiles, 4), "phantom_and_real.jpg")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, help="folder of real frames")
    real = parser.parse_args().real
    sweep()
    styles()
    training()
    if real is not None:
        beside(real)
