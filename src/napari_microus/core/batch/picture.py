"""The small picture of a scan on the contact sheet: one frame with its contour."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.colors import CAPSULE
from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume

WIDTH, HEIGHT = 360, 270
_QUALITY = 88
_LINE = 2


def chosen_frame(mask: Volume) -> int:
    """Return the frame with the largest capsule, the middle one where none has any."""
    areas = [np.count_nonzero(frame) for frame in mask.array]
    return int(np.argmax(areas)) if any(areas) else len(areas) // 2


def write_picture(path: Path, scan: Volume, mask: Volume) -> None:
    """Write one frame of a scan with the contour of its mask as a small JPEG.

    Parameters
    ----------
    path : Path
        File, which is replaced.
    scan, mask : Volume
        On one grid. Pixels that are not square are shown as long as they are.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from PIL import Image, ImageColor

    frame = chosen_frame(mask)
    grey = _grey(np.asarray(scan.array[frame], dtype=np.float32))
    size = _fitting(scan)
    picture = Image.fromarray(grey).resize(size, Image.Resampling.BOX).convert("RGB")
    inside = Image.fromarray(mask.array[frame].astype(np.uint8) * 255)
    inside = inside.resize(size, Image.Resampling.BOX)
    pixels = np.array(picture)
    pixels[_outline(np.asarray(inside) > 127)] = ImageColor.getrgb(CAPSULE)
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "JPEG", quality=_QUALITY)
    with atomic_write(path, overwrite=True) as beside:
        beside.write_bytes(stored.getvalue())


def _grey(frame: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = np.percentile(frame, (0.5, 99.5))
    if high <= low:
        low, high = float(frame.min()), float(frame.max()) or 1.0
    scaled = (frame - low) / max(high - low, 1e-12) * 255
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _fitting(scan: Volume) -> tuple[int, int]:
    """Return width and height in pixels that keep the shape and fit the sheet."""
    _, row_mm, column_mm = scan.spacing_mm
    _, rows, columns = scan.shape
    width, height = columns * column_mm, rows * row_mm
    scale = min(WIDTH / width, HEIGHT / height)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _outline(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the border of a mask, from its edge inwards."""
    from scipy.ndimage import binary_erosion

    core: Any = binary_erosion(inside, iterations=_LINE)
    outline: NDArray[np.bool_] = inside & ~core
    return outline
