"""Frames of a scan with the contour of a mask, one picture at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from napari_microus.core.colors import CAPSULE
from napari_microus.core.export.contours import Contour, frame_contours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume

# A line is drawn so many times larger, which makes its border smooth.
_FINER = 3
_LINE_PX = 2


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """A picture, and which part of each pixel the line over it covers.

    Parameters
    ----------
    grey, line : ndarray of uint8, shape (height, width)
        0 to 255.
    """

    grey: NDArray[np.uint8]
    line: NDArray[np.uint8]

    @property
    def picture(self) -> Image.Image:
        """In colour."""
        picture = Image.fromarray(self.grey).convert("RGB")
        picture.paste(ImageColor.getrgb(CAPSULE), mask=Image.fromarray(self.line))
        return picture


class FilmFrames:
    """Pictures in which a pixel is as high as wide.

    Parameters
    ----------
    scan : Volume
        Its darkest and lightest grey become black and white; those of uint8 stay.
    mask : Volume or None
        1 is the object whose contour is drawn.
    width_px : int
        Width of the pictures, if the scan's are wider.
    """

    def __init__(self, scan: Volume, mask: Volume | None, width_px: int) -> None:
        self._scan, self._mask = scan, mask
        _, rows, columns = scan.shape
        _, row_mm, column_mm = scan.spacing_mm
        width = min(columns, width_px)
        height = max(1, round(rows * row_mm / (columns * column_mm) * width))
        # Films have even sizes.
        self.size = width + width % 2, height + height % 2
        self._range: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self._scan.array)

    @property
    def pixels(self) -> int:
        """Pixels of a picture."""
        return self.size[0] * self.size[1]

    def __getitem__(self, number: int) -> FilmFrame:
        """Return a frame and its contour."""
        grey = Image.fromarray(self._grey(self._scan.array[number]))
        contours = []
        if self._mask is not None:
            contours = frame_contours(self._mask.array[number] == 1)
        return FilmFrame(
            np.asarray(grey.resize(self.size, Image.Resampling.BOX)),
            np.asarray(self._lines(contours)),
        )

    def _grey(self, frame: NDArray[np.generic]) -> NDArray[np.uint8]:
        if frame.dtype == np.uint8:
            return np.asarray(frame)
        low, high = self._grey_range()
        part = (np.nan_to_num(frame.astype(np.float32), nan=low) - low) / (high - low)
        return np.asarray(np.rint(np.clip(part, 0, 1) * 255), np.uint8)

    def _grey_range(self) -> tuple[float, float]:
        if self._range is None:
            low, high = np.inf, -np.inf
            for frame in self._scan.array:
                known = frame[np.isfinite(frame)]
                if known.size:
                    low = min(low, float(known.min()))
                    high = max(high, float(known.max()))
            low = low if np.isfinite(low) else 0.0
            self._range = low, high if high > low else low + 1.0
        return self._range

    def _lines(self, contours: list[Contour]) -> Image.Image:
        width, height = self.size
        large = Image.new("L", (width * _FINER, height * _FINER))
        draw = ImageDraw.Draw(large)
        _, rows, columns = self._scan.shape
        factor = np.array([large.width / columns, large.height / rows])
        for contour in contours:
            # A pixel's centre is half a pixel from its border.
            points = (contour.points_px[:, ::-1] + 0.5) * factor
            closed = np.concatenate([points, points[:2]])
            line = [(float(x), float(y)) for x, y in closed]
            draw.line(line, fill=255, width=_FINER * _LINE_PX, joint="curve")
        return large.resize(self.size, Image.Resampling.BOX)
