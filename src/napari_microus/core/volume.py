"""A scan or a mask together with where it lies in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# Two files of one scan may differ by this much after a trip through float32.
_GRID_TOLERANCE_MM = 1e-3


UNKNOWN = "unknown"

# What metadata state about the way from frame to frame.
BETWEEN_FRAMES = ("frame_distance", "sweep")


def size_in_words(shape: Sequence[int]) -> str:
    """Return a scan's shape (Z, Y, X) as "3 frames of 60 × 70 pixels", rows first."""
    frames, rows, columns = shape
    return f"{frames} frame{'s' * (frames != 1)} of {rows} × {columns} pixels"


@dataclass(frozen=True, eq=False)
class Volume:
    """An array (Z, Y, X) and the affine that places it in the patient.

    Parameters
    ----------
    array : ndarray, shape (Z, Y, X)
        Frames, rows, columns. A single frame is (1, Y, X).
    affine : ndarray, shape (4, 4)
        Voxel index (x, y, z), that is column, row, frame, to RAS millimetres:
        the affine of NIfTI and the IJKToRAS of 3D Slicer.
    has_geometry : bool
        False when the file stated no pixel size (a PNG, say): distances are then
        in pixels.
    metadata : dict
        What is known beside the geometry, such as ``source`` and ``notices``, and
        ``frame_distance``: "unknown" where 1 mm stands for it, and ``sweep``, see
        `core.sweep`.
    place : mapping or None
        The fields of the NIfTI header that gave the affine, which may state a second
        one; what is made over this volume keeps them, see `io.nifti`.
    is_oriented : bool
        Whether the file stated how rows and columns lie in the patient; an affine has
        to be made up where it did not.

    Raises
    ------
    InputError
        If the array is not three-dimensional or has no voxel, or the affine is
        not an invertible 4 × 4 matrix.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    has_geometry: bool = True
    metadata: dict[str, Any] = field(default_factory=dict)
    place: Mapping[str, Any] | None = None
    is_oriented: bool = False

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.ndim != 3:
            raise InputError(
                "A volume must have three dimensions (frames, rows, columns); got "
                f"{array.ndim} with shape {array.shape}. Choose one scan of a series.",
                plain=(
                    f"This is no stack of frames: it has {array.ndim} dimensions. "
                    "Choose one scan of a series."
                ),
            )
        if array.size == 0:
            raise InputError(
                "A volume must have at least one frame with pixels; got shape "
                f"{array.shape}. Check that the file is complete.",
                plain="This scan is empty. Check that the file is complete.",
            )
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise InputError(
                f"An affine must be a finite 4 × 4 matrix; got shape {affine.shape}. "
                "Check the file's header.",
                plain=(
                    "The place of the scan is not stated as numbers. Check the "
                    "file's header."
                ),
            )
        # Relative to the voxel, which may be a cube of a micrometre.
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if not abs(np.linalg.det(affine[:3, :3])) > 1e-9 * lengths.prod():
            raise InputError(
                "An affine must be invertible; got axes of no length or in one "
                "plane. Check the file's header.",
                plain=(
                    "The scan has axes of no length, or two that point the same "
                    "way. Check the file's header."
                ),
            )
        affine.setflags(write=False)
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_spacing(
        cls, array: NDArray[Any], spacing_mm: tuple[float, float, float]
    ) -> Volume:
        """Place ``array`` at the origin with the given (z, y, x) voxel size in mm.

        Rows run to the posterior and columns to the patient's left, as in DICOM.
        """
        z, y, x = spacing_mm
        return cls(array, np.diag([-x, -y, z, 1.0]))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames, rows and columns."""
        z, y, x = self.array.shape
        return z, y, x

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size in mm in the order of the array: frame, row, column."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def knows_frame_distance(self) -> bool:
        """Whether lengths across frames, and so volumes, mean something."""
        stated = self.metadata.get("frame_distance")
        return self.has_geometry and stated != UNKNOWN

    @property
    def patient_affine(self) -> NDArray[np.float64] | None:
        """The affine where the file stated the orientation, else None."""
        return self.affine if self.has_geometry and self.is_oriented else None

    def like(self, array: NDArray[Any], **metadata: Any) -> Volume:
        """Return ``array`` on this volume's grid; it must have the same shape.

        What is known of the way from frame to frame goes with it.
        """
        if array.shape != self.array.shape:
            raise InputError(
                f"Mask and image must share a grid; got {array.shape} and "
                f"{self.array.shape}. Resample the mask first.",
                plain="The mask does not fit the scan: they are of different sizes. "
                "Choose a mask of the same scan, or resample it.",
            )
        known = {
            key: self.metadata[key] for key in BETWEEN_FRAMES if key in self.metadata
        }
        return replace(self, array=array, metadata={**known, **metadata})

    def shares_grid(self, other: Volume) -> bool:
        """Return whether both have one shape and corners within a micrometre."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape[::-1]]))
        points = np.vstack([corners.reshape(3, -1), np.ones(corners[0].size)])
        offset = (self.affine - other.affine) @ points
        return bool(np.abs(offset).max() <= _GRID_TOLERANCE_MM)
