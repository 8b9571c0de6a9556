"""A sweep and its capsule as they lie in space, for napari's 3D view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer, Surface
from napari.utils.colormaps import Colormap

from napari_microus.core import colors
from napari_microus.core.errors import InputError
from napari_microus.core.export.surface import capsule_surface
from napari_microus.core.mask import check_same_shape
from napari_microus.core.sweep_space import frame_affines, resample_sweep
from napari_microus.widgets._shared.layers import METADATA_KEY, volume_from_layer
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.segment.layers import current_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.core.export.surface import Surface as CapsuleSurface
    from napari_microus.core.sweep import Sweep
    from napari_microus.core.volume import Volume
    from napari_microus.widgets._shared.worker import Worker

_SHOWS = "in_space"  # entry of a layer's metadata: what it shows, and of which layer

# Seen obliquely from above, so that the plane and both ends of the capsule show.
_ANGLES = (0.0, -40.0, 20.0)
_PLANE_VOXELS, _OPACITY = 2.0, 0.6

# Axes (z, y, x) of a layer to (x, y, z) of an affine, and back.
_REVERSE = np.eye(4)[[2, 1, 0, 3]]


@dataclass(frozen=True, eq=False)
class InSpace:
    """A scan on a straight grid, and the surface of its capsule, if there is one.

    ``frames`` are the affines of the frames.
    """

    scan: Volume
    surface: CapsuleSurface | None
    frames: NDArray[np.float64]


def add_in_space(
    viewer: ViewerModel,
    scan_layer: Image,
    mask_layer: Labels | None,
    *,
    sweep: Sweep | None = None,
    **slots: Callable[..., None],
) -> Worker:
    """Add a scan and its capsule to the viewer as they lie in space.

    The work is done in a thread. Then the viewer has an image of cubes, of which it
    shows the plane of the frame in view, and a surface in the capsule's colour; it
    turns to 3D and hides the flat scan and mask. Done again, the layers of before take
    the new values.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer to add to.
    scan_layer : Image
        A stack of frames in mm, whose metadata state the sweep or the distance of
        frames.
    mask_layer : Labels or None
        1 is the capsule; None, or an empty one, gives no surface.
    sweep : Sweep, optional
        Instead of the one that the scan's metadata state.
    **slots
        As for `start_worker`; ``returned`` gets the list of layers, which are in the
        viewer by then.

    Returns
    -------
    Worker
        To ``quit()`` before the end.

    Raises
    ------
    InputError
        If the scan is no grey stack of frames, or the mask has another shape. What is
        not known of the geometry is reported to ``errored``.
    """
    if scan_layer.ndim != 3 or scan_layer.rgb or scan_layer.multiscale:
        raise InputError(
            "To lie in space, a scan must be a grey stack of frames; got "
            f"'{scan_layer.name}'. Choose the layer of a sweep.",
            plain=(
                f"'{scan_layer.name}' is no stack of grey frames. Choose the "
                "scan of a sweep."
            ),
        )
    if mask_layer is not None:
        check_same_shape(scan_layer.data, mask_layer.data)
    adding = _Adding(viewer, scan_layer, mask_layer, slots.pop("returned", None))
    return start_worker(
        _work,
        _volume(scan_layer, sweep),
        None if mask_layer is None else np.array(mask_layer.data),
        **slots,
        returned=adding.show,
    )


def _volume(layer: Image, sweep: Sweep | None) -> Volume:
    volume = volume_from_layer(layer)
    own = layer.metadata.get(METADATA_KEY, {})
    if sweep is not None:
        volume.metadata["sweep"] = sweep.to_dict()
    elif "sweep" in own:
        volume.metadata["sweep"] = own["sweep"]
    return volume


def _work(scan: Volume, mask: NDArray[Any] | None) -> Generator[Event, None, InSpace]:
    frames = frame_affines(scan)
    surface = None
    if mask is not None and (mask == 1).any():
        surface = yield from capsule_surface(scan.like(mask))
    return InSpace((yield from resample_sweep(scan)), surface, frames)


class _Adding:
    """Shows the result in the window's thread."""

    def __init__(
        self,
        viewer: ViewerModel,
        scan: Image,
        mask: Labels | None,
        then: Callable[[list[Layer]], None] | None,
    ) -> None:
        self._viewer, self._scan, self._mask, self._then = viewer, scan, mask, then
        # Now: the layer may be moved, and has its affine from here, until the end.
        self._to_world = _to_world(scan)
        self._from_ras = np.linalg.inv(_volume(scan, None).affine)

    def show(self, result: InSpace) -> None:
        """Add the layers, or give those of before the new values.

        A scan that was removed meanwhile has none.
        """
        if self._scan not in self._viewer.layers:
            self._say_done([])
            return
        shown = current_frame(self._viewer, self._scan)
        middle = np.array(self._scan.data.shape[:0:-1]) / 2
        plane = _plane(result.scan, result.frames[shown], middle)
        layers: list[Layer] = [self._show_scan(result.scan, plane)]
        if result.surface is not None:
            layers.append(self._show_surface(result.surface))
        for flat in (self._scan, self._mask):
            if flat is not None:
                flat.visible = False
        if self._viewer.dims.ndisplay != 3:
            self._viewer.dims.ndisplay = 3
            self._viewer.scene.camera.angles = _ANGLES
            self._viewer.fit_to_view(layers=layers)
        self._viewer.layers.selection.active = layers[-1]
        self._say_done(layers)

    def _say_done(self, layers: list[Layer]) -> None:
        if self._then is not None:
            self._then(layers)

    def _show_scan(self, volume: Volume, plane: dict[str, Any]) -> Image:
        matrix = self._world(volume.affine)
        # What makes the writer save the layer where it lies now.
        spacing = np.diag([*volume.spacing_mm, 1.0])
        read = volume.affine @ _REVERSE @ np.linalg.inv(matrix) @ spacing @ _REVERSE
        own = {
            "affine": read.tolist(),
            "has_geometry": True,
            "is_oriented": volume.is_oriented,
            "map": "scan in space",
            _SHOWS: ["scan", str(self._scan.unique_id)],
        }
        place = _place(matrix)
        before = self._before(Image, "scan")
        if before is not None:
            before.data = volume.array
            before.scale, before.translate = place["scale"], place["translate"]
            before.affine = place["affine"]
            before.metadata = {METADATA_KEY: own}
            return before
        layer = Image(
            volume.array,
            name=f"{self._scan.name} in space",
            colormap=self._scan.colormap,
            contrast_limits=self._scan.contrast_limits,
            gamma=self._scan.gamma,
            depiction="plane",
            plane=plane,
            units=self._scan.units,
            axis_labels=self._scan.axis_labels,
            metadata={METADATA_KEY: own},
            **place,
        )
        self._viewer.layers.append(layer)
        return layer

    def _show_surface(self, surface: CapsuleSurface) -> Surface:
        matrix = self._world(np.eye(4)) @ _REVERSE
        corners = np.c_[surface.vertices_mm, np.ones(len(surface.vertices_mm))]
        vertices = (corners @ matrix.T)[:, :3]
        faces = surface.faces
        # Axes in the other order turn the faces inside out.
        if np.linalg.det(matrix[:3, :3]) < 0:
            faces = faces[:, ::-1]
        data = (vertices, faces, np.ones(len(vertices), np.float32))
        before = self._before(Surface, "surface")
        if before is not None:
            before.data = data
            return before
        name = self._scan.name if self._mask is None else self._mask.name
        layer = Surface(
            data,
            name=f"{name} surface",
            colormap=Colormap([colors.CAPSULE, colors.CAPSULE], name="capsule"),
            contrast_limits=(0, 1),
            shading="smooth",
            blending="translucent",
            opacity=_OPACITY,
            units=self._scan.units,
            axis_labels=self._scan.axis_labels,
            metadata={
                METADATA_KEY: {_SHOWS: ["surface", str(self._scan.unique_id)]},
            },
        )
        self._viewer.layers.append(layer)
        return layer

    def _before(self, kind: type[Any], shows: str) -> Any:
        wanted = [shows, str(self._scan.unique_id)]
        for layer in self._viewer.layers:
            own = layer.metadata.get(METADATA_KEY, {})
            if isinstance(layer, kind) and own.get(_SHOWS) == wanted:
                return layer
        return None

    def _world(self, affine: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return index (z, y, x) of a grid with this affine to the viewer's world."""
        return self._to_world @ _REVERSE @ self._from_ras @ affine @ _REVERSE


def _plane(
    grid: Volume, frame: NDArray[np.float64], middle: NDArray[np.float64]
) -> dict[str, Any]:
    """Return the plane of a frame, through its middle (column, row), in a grid."""
    to_index = np.linalg.inv(grid.affine)
    position = to_index @ frame @ [*middle, 0, 1]
    normal = to_index[:3, :3] @ frame[:3, 2]
    return {
        "position": tuple(position[2::-1]),
        "normal": tuple(normal[::-1]),
        "thickness": _PLANE_VOXELS,
    }


def _to_world(layer: Layer) -> NDArray[np.float64]:
    """Return the matrix from a layer's index (z, y, x) to the viewer's world."""
    matrix = np.eye(4)
    start = np.array(layer.data_to_world((0.0, 0.0, 0.0)))
    matrix[:3, 3] = start
    for axis in range(3):
        step = [0.0, 0.0, 0.0]
        step[axis] = 1.0
        matrix[:3, axis] = np.array(layer.data_to_world(step)) - start
    return matrix


def _place(matrix: NDArray[np.float64]) -> dict[str, Any]:
    """Return a matrix as scale and translation, or as an affine if it turns too."""
    scale = np.diag(matrix)[:3]
    turned = np.abs(matrix[:3, :3] - np.diag(scale)).max() > 1e-9 * np.abs(scale).max()
    if turned or (scale <= 0).any():
        return {"scale": np.ones(3), "translate": np.zeros(3), "affine": matrix}
    return {"scale": scale, "translate": matrix[:3, 3], "affine": np.eye(4)}
