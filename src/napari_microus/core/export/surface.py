"""The closed surface of a capsule, in mm."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.core.sweep_space import distance_field
from napari_microus.core.volumetry import mask_volume

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.sweep import Sweep
    from napari_microus.core.volume import Volume

# Smoothing of the distances: a voxel, and no more than this part of the radius of a
# sphere of the same volume, which then loses 3 · 0.04² = 0.5 % of it at most.
_SMOOTHED_RADIUS = 0.04
# A step that shrinks and one that swells a little more, so many times [1]_.
_SHRINK, _SWELL, _ROUNDS = 0.5, 0.53, 20
_DIFFERS = 0.02


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed surface of triangles.

    Parameters
    ----------
    vertices_mm : ndarray, shape (n, 3)
        In RAS mm by the affine of the mask.
    faces : ndarray of int, shape (m, 3)
        Three vertices each, counter-clockwise seen from outside.
    is_oriented : bool
        Whether the scan stated how it lies in the patient. Where it did not, the axes
        are the scan's own: the affine's, which is made up.
    """

    vertices_mm: NDArray[np.float64]
    faces: NDArray[np.int64]
    is_oriented: bool = False

    @cached_property
    def mesh(self) -> Any:
        """The surface as a `trimesh.Trimesh`."""
        import trimesh

        return trimesh.Trimesh(self.vertices_mm, self.faces, process=False)

    @property
    def volume_ml(self) -> float:
        """What the surface encloses, in millilitres."""
        return float(self.mesh.volume) / 1000.0

    @property
    def area_mm2(self) -> float:
        """Area of the surface."""
        return float(self.mesh.area)

    @property
    def is_closed(self) -> bool:
        """Whether each edge belongs to two triangles."""
        return bool(self.mesh.is_watertight)


def capsule_surface(
    mask: Volume,
    *,
    sweep: Sweep | None = None,
    spacing_mm: float | None = None,
) -> Generator[Event, None, Surface]:
    """Return the surface of a mask, closed and smooth.

    Parameters
    ----------
    mask : Volume
        1 is the object; its metadata may state the sweep.
    sweep : Sweep, optional
        Instead of the one that the metadata states.
    spacing_mm : float, optional
        Edge of the voxels from which the surface is made; by default half a pixel, or
        what a million voxels around the object allow.

    Yields
    ------
    Event
        `Progress`; a `Notice` where the surface encloses another volume than the
        frames give, by more than 2 %.

    Returns
    -------
    Surface
        Where the object continues beyond the outermost frames, it is cut off there, and
        the cut is closed.

    Raises
    ------
    InputError
        If the scan states no pixel size, neither the distance of frames nor a sweep is
        known, or the mask is empty.

    Notes
    -----
    Marching cubes on the smoothed distance to the outlines, then Taubin's smoothing,
    which keeps the volume.

    References
    ----------
    .. [1] Taubin, "A signal processing approach to fair surface design", SIGGRAPH 1995.
    """
    from skimage.measure import marching_cubes

    field = yield from distance_field(mask, sweep=sweep, spacing_mm=spacing_mm)
    yield Progress(0, 2, "steps", "Making the surface")
    distance = _smoothed(field)
    if not (distance > 0).any():
        raise InputError(
            "An object must be larger than a few voxels to have a surface; got one of "
            f"voxels of {field.spacing_mm[0]:.3g} mm. Choose smaller voxels.",
            plain=(
                "What is drawn is too small for a surface of voxels of "
                f"{field.spacing_mm[0]:.3g} mm. Choose smaller voxels."
            ),
        )
    index, faces, _, _ = marching_cubes(distance, 0.0)  # type: ignore[no-untyped-call]
    points = np.c_[index[:, ::-1], np.ones(len(index))] @ field.affine.T
    yield Progress(1, 2, "steps", "Making the surface")
    surface = _fair(points[:, :3], faces, mask.is_oriented)
    yield Progress(2, 2, "steps", "Making the surface")
    stated = _volume_ml(mask, sweep)
    if stated and abs(surface.volume_ml / stated - 1) > _DIFFERS:
        yield Notice(
            f"The surface encloses {surface.volume_ml:.2f} mL, the frames give "
            f"{stated:.2f} mL: they lie far apart, or the "
            "outlines are rough."
        )
    return surface


def _smoothed(field: Volume) -> NDArray[np.float32]:
    """Return smoothed distances, none of which is 0."""
    size = field.spacing_mm[0]
    radius = size * (3 / (4 * np.pi) * (field.array > 0).sum()) ** (1 / 3)
    sigma = min(1.0, _SMOOTHED_RADIUS * radius / size)
    distance = gaussian_filter(field.array, sigma, mode="nearest")
    # A vertex at a voxel's centre would belong to triangles without area.
    distance[np.abs(distance) < 1e-4 * size] = -1e-4 * size
    return distance


def _fair(
    points: NDArray[np.float64], faces: NDArray[Any], is_oriented: bool
) -> Surface:
    import trimesh

    mesh: Any = trimesh.Trimesh(points, faces, process=False)
    if mesh.volume < 0:
        mesh.invert()
    rounds: dict[str, Any] = {"lamb": _SHRINK, "nu": _SWELL, "iterations": _ROUNDS}
    trimesh.smoothing.filter_taubin(mesh, **rounds)  # type: ignore[no-untyped-call]
    return Surface(
        np.array(mesh.vertices, np.float64), np.array(mesh.faces, np.int64), is_oriented
    )


def _volume_ml(mask: Volume, sweep: Sweep | None) -> float | None:
    with suppress(InputError):  # frames that see a part twice have no such volume
        return mask_volume(mask, sweep=sweep).ml
    return None
