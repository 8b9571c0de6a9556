"""A frame with its outline and a scale bar, as a picture inside a page."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.colors import CAPSULE
from napari_microus.core.pictures import Contour, draw_outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume

# Pixels on paper: 85 mm at 165 dots an inch.
_WIDTH = 560
_TALLEST = 1.25  # of the width; a taller frame is shown narrower
_GREYS, _BLENDS = 64, 16
_BARS_MM = (50, 20, 10, 5, 2, 1)
_HIGHEST = 99.8  # percentile that is shown white


def frame_picture(scan: Volume, mask: NDArray[Any], frame: int) -> str:
    """Return one frame with the outline of its capsule as a ``data:`` address.

    Parameters
    ----------
    scan : Volume
        Pixels that are not square are shown in their true shape, and a scale bar
        where their size is known.
    mask : ndarray, shape (Y, X)
        1 is the capsule.
    frame : int
        Index of the frame.

    Returns
    -------
    str
        A PNG; it holds pixels alone, no text of the scan.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    image = np.nan_to_num(np.asarray(scan.array[frame], np.float32))
    _, row_mm, column_mm = scan.spacing_mm
    high, wide = image.shape[0] * row_mm, image.shape[1] * column_mm
    width = min(_WIDTH, _WIDTH * _TALLEST * wide / high)
    figure = Figure(figsize=(width / 100, width / 100 * high / wide), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    extent = (0.0, wide, high, 0.0)
    low, top = float(image.min()), float(np.percentile(image, _HIGHEST))
    axes.imshow(
        image,
        cmap="gray",
        vmin=low,
        vmax=max(top, low + 1e-6),
        extent=extent,
        aspect="auto",
        interpolation="lanczos",
    )
    draw_outline(axes, Contour(mask == 1, "", CAPSULE), extent)
    if scan.has_geometry:
        _draw_bar(axes, wide, high)
    stored = io.BytesIO()
    figure.savefig(stored, format="png")
    return f"data:image/png;base64,{_packed(stored)}"


def _draw_bar(axes: Axes, wide: float, high: float) -> None:
    """Draw a bar of a round length in the lower left corner."""
    length = next((bar for bar in _BARS_MM if bar <= wide / 3), None)
    if length is None:
        return
    left, low = 0.04 * wide, 0.95 * high
    right = left + length
    axes.plot([left, right], [low, low], color="black", linewidth=6)
    axes.plot([left, right], [low, low], color="white", linewidth=3.5)
    text = axes.text(
        (left + right) / 2,
        low - 0.025 * high,
        f"{length} mm",
        color="white",
        fontsize=14,
        ha="center",
        va="bottom",
    )
    from matplotlib.patheffects import withStroke

    text.set_path_effects([withStroke(linewidth=3.5, foreground="black")])


def _packed(stored: io.BytesIO) -> str:
    """Return a PNG of greys and of the outline's colour: half the size."""
    from PIL import Image

    stored.seek(0)
    packed = io.BytesIO()
    with Image.open(stored) as picture:
        few = picture.convert("RGB").quantize(
            palette=_palette(), dither=Image.Dither.NONE
        )
        few.save(packed, format="png", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def _palette() -> Any:
    """Return greys, and the outline's colour as it blends with each shade of them."""
    from PIL import Image, ImageColor

    colour = np.array(ImageColor.getrgb(CAPSULE))
    greys = np.linspace(0, 255, _GREYS)[:, None].repeat(3, axis=1)
    under = np.linspace(0, 255, _BLENDS // 2)[:, None].repeat(3, axis=1)
    blends = [share * colour + (1 - share) * under for share in (0.35, 0.7)]
    values = np.concatenate([greys, *blends, colour[None]]).round().astype(np.uint8)
    held = Image.new("P", (1, 1))
    held.putpalette(values.tobytes())
    return held
