"""Two ends and a line to lay over a scale in the picture, or over the gland."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.colors import RULER
from napari_microus.core.errors import InputError
from napari_microus.widgets._shared.layers import METADATA_KEY, geometry

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Points
    from numpy.typing import NDArray

NAME = "ruler"
_ROLE = "ruler"
# What is shorter was clicked, not drawn.
_SHORTEST_PX = 4.0


def lay_ruler(viewer: ViewerModel, image: Image) -> Points:
    """Add two ends over the frame in view that can be dragged, or select them."""
    from napari.layers import Points, Vectors

    ends = find_ruler(viewer)
    if ends is None:
        rows, columns = image.data.shape[image.ndim - 2 : image.ndim]
        at = list(image.world_to_data(viewer.dims.point[-image.ndim :]))[:-2]
        placed = np.array(
            [[*at, rows * share, columns * 0.5] for share in (0.25, 0.75)]
        )
        large = max(rows, columns)
        look = geometry(image)
        line = Vectors(
            _vector(placed),
            name=f"{NAME} line",
            edge_color=RULER,
            edge_width=large / 300,
            vector_style="line",
            metadata={METADATA_KEY: {_ROLE: "line"}},
            **look,
        )
        ends = Points(
            placed,
            name=NAME,
            size=large / 40,
            symbol="ring",
            face_color=RULER,
            border_color=RULER,
            metadata={METADATA_KEY: {_ROLE: "ends"}},
            **look,
        )
        viewer.layers.append(line)
        viewer.layers.append(ends)
        _tie(viewer, ends, line)
    viewer.layers.selection.active = ends
    ends.mode = "select"
    return ends


def find_ruler(viewer: ViewerModel) -> Points | None:
    """Return the ruler's ends among the layers, None if there are none."""
    return next((one for one in viewer.layers if _role(one) == "ends"), None)


def length_px(viewer: ViewerModel, image: Image) -> tuple[float, float]:
    """Return how many rows and columns of ``image`` the ruler runs over.

    Raises
    ------
    InputError
        If there is no ruler, or it is shorter than four pixels.
    """
    one, other = (np.array(image.world_to_data(end)) for end in _ends(viewer))
    down, right = np.abs(one - other)[-2:]
    if np.hypot(down, right) < _SHORTEST_PX:
        raise InputError(
            "The ruler must be at least 4 pixels long; got a shorter one. Drag its "
            "ends over a scale of known length.",
            plain=(
                "The ruler is too short. Drag its ends over a scale of known length."
            ),
        )
    return float(down), float(right)


def box_px(viewer: ViewerModel, image: Image) -> tuple[int, int, int, int]:
    """Return the rectangle between the ruler's ends, in pixels of ``image``.

    Returns
    -------
    tuple of int
        Rows from and to, columns from and to, inside the picture; the last ones are
        not in it.

    Raises
    ------
    InputError
        If there is no ruler, or no pixel of the picture lies between its ends.
    """
    ends = np.array([image.world_to_data(end)[-2:] for end in _ends(viewer)])
    # Pixels lie at whole numbers and reach half a pixel to either side.
    low, high = np.floor(ends.min(axis=0) + 0.5), np.floor(ends.max(axis=0) + 0.5) + 1
    size = image.data.shape[image.ndim - 2 : image.ndim]
    (top, left), (bottom, right) = low.clip(0, size), high.clip(0, size)
    if top >= bottom or left >= right:
        raise InputError(
            "The ruler must lie over the picture; got it beside. Drag its ends to two "
            "opposite corners of the part to blank out.",
            plain=(
                "The ruler lies beside the picture. Drag its ends to two "
                "corners of the part to blank out."
            ),
        )
    return int(top), int(bottom), int(left), int(right)


def length_mm(viewer: ViewerModel) -> float:
    """Return how long the ruler is.

    Raises
    ------
    InputError
        If there is no ruler, or it lies over a picture without a size.
    """
    one, other = _ends(viewer)
    ruler = find_ruler(viewer)
    assert ruler is not None  # its ends were found
    if any(str(unit) != "millimeter" for unit in ruler.units[-2:]):
        raise InputError(
            "The ruler must lie over a scan of known pixel size; got one in pixels. "
            "State the pixel size under Scan properties.",
            plain=(
                "This scan is in pixels. State the pixel size under Scan "
                "properties first."
            ),
        )
    return float(np.linalg.norm((one - other)[-2:]))


def _ends(viewer: ViewerModel) -> NDArray[np.float64]:
    ruler = find_ruler(viewer)
    if ruler is None or len(ruler.data) < 2:
        raise InputError(
            "There must be a ruler to measure with; got none. Press Lay a ruler, and "
            "drag its ends.",
            plain="No ruler yet. Press Lay a ruler, and drag its ends.",
        )
    # Where somebody added points, the last two count.
    return np.array([ruler.data_to_world(point) for point in ruler.data[-2:]])


def _role(layer: Any) -> Any:
    own = layer.metadata.get(METADATA_KEY, {})
    return own.get(_ROLE) if isinstance(own, dict) else None


def _vector(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([[ends[0], ends[1] - ends[0]]])


def _tie(viewer: ViewerModel, ends: Points, line: Any) -> None:
    """Let the line follow its ends, and each go with the other."""

    def follow() -> None:
        if len(ends.data) >= 2:
            line.data = _vector(np.asarray(ends.data[-2:]))

    def go(event: Any) -> None:
        if event.value in (ends, line):
            viewer.layers.events.removed.disconnect(go)
            other = line if event.value is ends else ends
            if other in viewer.layers:
                viewer.layers.remove(other)

    ends.events.data.connect(follow)
    viewer.layers.events.removed.connect(go)
