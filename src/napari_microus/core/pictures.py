"""Draw a frame with contours and a shaded region to a PNG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.colors import HARD_REGION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class Contour:
    """The outline of one mask (Y, X): its name in the legend and its colour."""

    mask: NDArray[Any]
    name: str
    color: str


def draw_frame(
    path: Path,
    scan: Volume,
    frame: int,
    contours: Sequence[Contour] = (),
    *,
    region: NDArray[Any] | None = None,
    region_name: str = "",
    title: str = "",
) -> None:
    """Write one frame of a scan with what lies over it as a PNG with a legend.

    Parameters
    ----------
    path : Path
        File to write.
    scan : Volume
        The scan; its pixel size gives the axes in mm where it is known.
    frame : int
        Index of the frame.
    contours : sequence of Contour
        Masks of shape (Y, X) drawn as outlines.
    region : ndarray of bool, shape (Y, X), optional
        Shaded in one colour.
    region_name, title : str
        Texts of the legend and above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _, row_mm, column_mm = scan.spacing_mm
    image = scan.array[frame]
    extent = (0.0, image.shape[1] * column_mm, image.shape[0] * row_mm, 0.0)
    axes.imshow(image, cmap="gray", extent=extent)
    handles = [draw_outline(axes, contour, extent) for contour in contours]
    if region is not None:
        handles.append(_shade(axes, region, extent, region_name))
    if handles:
        axes.legend(handles=handles, loc="lower right", framealpha=0.8)
    unit = "mm" if scan.has_geometry else "pixels"
    axes.set(title=title, xlabel=unit, ylabel=unit)
    figure.savefig(path)


def draw_outline(
    axes: Axes, contour: Contour, extent: tuple[float, float, float, float]
) -> Any:
    """Draw one outline over a picture, and return its entry in a legend.

    Parameters
    ----------
    axes : Axes
        They show the picture.
    contour : Contour
        What to draw.
    extent : tuple of float
        Left, right, bottom and top of the picture, as `Axes.imshow` takes them.
    """
    from matplotlib.lines import Line2D

    # A mask on the frame's edge needs a border to have a closed outline there.
    padded = np.pad(contour.mask > 0, 1)
    rows, columns = contour.mask.shape
    x = (np.arange(-1, columns + 1) + 0.5) * extent[1] / columns
    y = (np.arange(-1, rows + 1) + 0.5) * extent[2] / rows
    if padded.any():
        axes.contour(x, y, padded, [0.5], colors=contour.color, linewidths=1.6)
    axes.set_xlim(extent[0], extent[1])
    axes.set_ylim(extent[2], extent[3])
    return Line2D([], [], color=contour.color, label=contour.name)


def _shade(
    axes: Axes,
    region: NDArray[Any],
    extent: tuple[float, float, float, float],
    name: str,
) -> Any:
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    shade = np.zeros((*region.shape, 4), np.float32)
    shade[region > 0] = (*to_rgb(HARD_REGION), 0.55)
    axes.imshow(shade, extent=extent, interpolation="nearest")
    return Patch(color=HARD_REGION, label=name)
