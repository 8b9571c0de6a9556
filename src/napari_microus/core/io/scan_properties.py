"""What a person states about a scan whose file does not: sizes, sweep, orientation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.blanking import Rectangle, read_rectangles
from napari_microus.core.io.dicom_size import NO_PIXEL_SIZE
from napari_microus.core.io.tiff import NO_FRAME_DISTANCE
from napari_microus.core.sweep import Sweep, number_of
from napari_microus.core.volume import UNKNOWN, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "napari-microus scan properties"
VERSION = 1

PIXEL_BOUNDS_MM = (0.001, 10.0)
FRAME_BOUNDS_MM = (0.001, 100.0)
# Sizes that differ by less are one, rounded.
_SAME = 1e-3

# Where an index can run to in the patient, in RAS.
_TOWARDS = {
    "right": (1, 0, 0),
    "left": (-1, 0, 0),
    "anterior": (0, 1, 0),
    "posterior": (0, -1, 0),
    "superior": (0, 0, 1),
    "inferior": (0, 0, -1),
}
_AXES = ("columns", "rows", "frames")
_KEYS = {"pixel_mm", "frame_distance_mm", "sweep", "orientation", "blank"}


@dataclass(frozen=True)
class ScanProperties:
    """What is known of a scan beside its file; None leaves the file's own word.

    Parameters
    ----------
    pixel_mm : tuple of float, optional
        Distance of two rows and of two columns, that is height and width of a
        pixel, 0.001 to 10 mm.
    frame_distance_mm : float or "unknown", optional
        Distance of two frames, 0.001 to 100 mm.
    sweep : Sweep, optional
        How the frames lie to each other.
    orientation : tuple of str, optional
        Where columns, rows and frames run to in the patient: left, right, anterior,
        posterior, superior or inferior.
    blank : tuple of tuple of int, optional
        Parts of the picture that are read as 0, such as a name burnt into it: rows
        from and to, columns from and to, in pixels of the scan as it is opened; see
        `blanking`.

    Raises
    ------
    InputError
        If a size is out of bounds, a part to blank out is empty, or the directions
        are not at right angles.
    """

    pixel_mm: tuple[float, float] | None = None
    frame_distance_mm: float | Literal["unknown"] | None = None
    sweep: Sweep | None = None
    orientation: tuple[str, str, str] | None = None
    blank: tuple[Rectangle, ...] | None = None

    def __post_init__(self) -> None:
        if self.pixel_mm is not None:
            sizes = [number_of(size) for size in self.pixel_mm]
            low, high = PIXEL_BOUNDS_MM
            if len(sizes) != 2 or any(s is None or not low <= s <= high for s in sizes):
                entries = " × ".join(str(size) for size in self.pixel_mm)
                raise InputError(
                    f"A pixel must be {low:g} to {high:g} mm high and wide; got "
                    f"{entries}. Give its height and width in mm.",
                    plain=(
                        f"A pixel of {entries} mm cannot be right. Give its height and "
                        f"width in mm, from {low} to {high}."
                    ),
                )
        distance = self.frame_distance_mm
        if distance is not None and distance != UNKNOWN:
            found, (low, high) = number_of(distance), FRAME_BOUNDS_MM
            if found is None or not low <= found <= high:
                raise InputError(
                    f"The distance of frames must be {low:g} to {high:g} mm or "
                    f"'{UNKNOWN}'; got {distance}. Correct it.",
                    plain=(
                        f"A distance of {distance} mm between frames cannot be "
                        f"right. Give {low:g} to {high:g} mm, or leave it unknown."
                    ),
                )
        if self.orientation is not None:
            _directions(self.orientation)
        if self.blank is not None:
            read_rectangles(self.blank)
        is_rotational = self.sweep is not None and self.sweep.kind == "rotational"
        if is_rotational and distance not in (None, UNKNOWN):
            raise InputError(
                "The frames of a rotational sweep must have angles and no distance; "
                f"got {distance} mm. Leave the distance out.",
                plain=(
                    "In a rotational sweep frames have angles and no distance. "
                    "Leave the distance out."
                ),
            )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stated."""
        return self == ScanProperties()

    @classmethod
    def from_dict(cls, entries: Any) -> ScanProperties:
        """Return the properties that `to_dict` gave.

        Raises
        ------
        InputError
            If a key is unknown or a value is none that fits.
        """
        if not isinstance(entries, dict) or entries.get("format") != FORMAT:
            raise InputError(
                f"Scan properties must state the format '{FORMAT}'; got none. "
                "Make it with napari-microus scan set.",
                plain=(
                    "The file beside the scan holds no scan properties. Make it "
                    "with napari-microus scan set."
                ),
            )
        if entries.get("version") != VERSION:
            raise InputError(
                f"Scan properties must be of version {VERSION}; got "
                f"{entries.get('version')}. Update napari-microus, or make them again.",
                plain=(
                    "The scan properties were written by another version of the "
                    "program. Update napari-microus, or make them again."
                ),
            )
        known = {key: value for key, value in entries.items() if key in _KEYS}
        foreign = sorted(set(entries) - _KEYS - {"format", "version"})
        if foreign:
            raise InputError(
                f"Scan properties must be {', '.join(sorted(_KEYS))}; got "
                f"'{foreign[0]}'. Remove or correct it.",
                plain=(
                    f"There is no scan property '{foreign[0]}'. Remove or correct it."
                ),
            )
        pixel, facing = known.get("pixel_mm"), known.get("orientation")
        if pixel is not None and not isinstance(pixel, list):
            raise InputError(
                f"pixel_mm must be a list of height and width; got {pixel}. Correct "
                "it.",
                plain=(
                    "The pixel size of the scan properties is not a height and a "
                    f"width: {pixel}. Correct it."
                ),
            )
        if facing is not None and (
            not isinstance(facing, dict) or set(facing) != set(_AXES)
        ):
            raise InputError(
                f"The orientation must state {', '.join(_AXES)}; got {facing}. Correct "
                "it.",
                plain=(
                    "The orientation of the scan properties lacks some of "
                    f"{', '.join(_AXES)}, or has others. Correct it."
                ),
            )
        sweep = known.get("sweep")
        return cls(
            None if pixel is None else tuple(pixel),
            known.get("frame_distance_mm"),
            None if sweep is None else Sweep.from_dict(sweep),
            None if facing is None else tuple(facing[axis] for axis in _AXES),
            None if "blank" not in known else read_rectangles(known["blank"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the properties as they stand in their file."""
        entries: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        if self.pixel_mm is not None:
            entries["pixel_mm"] = list(self.pixel_mm)
        if self.frame_distance_mm is not None:
            entries["frame_distance_mm"] = self.frame_distance_mm
        if self.sweep is not None:
            entries["sweep"] = self.sweep.to_dict()
        if self.orientation is not None:
            entries["orientation"] = dict(zip(_AXES, self.orientation, strict=True))
        if self.blank is not None:
            entries["blank"] = [list(part) for part in self.blank]
        return entries


def orientation_of(affine: NDArray[np.float64]) -> tuple[str, str, str] | None:
    """Return where columns, rows and frames of an affine run to, None if oblique."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    words = []
    for axis in axes.T:
        found = [w for w, way in _TOWARDS.items() if np.allclose(axis, way, atol=1e-3)]
        words += found
    return (words[0], words[1], words[2]) if len(words) == 3 else None


def with_properties(
    volume: Volume, properties: ScanProperties, *, is_mask: bool = False
) -> Volume:
    """Return a scan or mask with what a person stated about it.

    The person's word goes before the file's, and a notice says where they differ.

    Parameters
    ----------
    volume : Volume
        As its file states it.
    properties : ScanProperties
        The person's word.
    is_mask : bool
        Leave a sweep out that has not one angle for each frame: a mask may be of a
        part of its scan.

    Raises
    ------
    InputError
        If a rotational sweep has not one angle for each frame.
    """
    if is_mask and not _has_angles(volume, properties.sweep):
        properties = replace(properties, sweep=None)
    _check_frames(volume, properties.sweep)
    notices = list(volume.metadata.get("notices", []))
    metadata = dict(volume.metadata)
    spacing = np.array(volume.spacing_mm[::-1])
    wanted = spacing.copy()
    if properties.pixel_mm is not None:
        height, width = properties.pixel_mm
        wanted[:2] = width, height
        notices = [n for n in notices if n != NO_PIXEL_SIZE]
        if volume.has_geometry and _differ(wanted[:2], spacing[:2]):
            notices.append(
                f"The scan properties state a pixel of {height:g} × {width:g} mm, the "
                f"file one of {spacing[1]:.4g} × {spacing[0]:.4g} mm; the properties "
                "were taken."
            )
        elif volume.has_geometry:
            wanted[:2] = spacing[:2]  # one size, which the file states to the last bit
        metadata["pixel_size_from"] = "scan properties"
    _set_frame_distance(volume, properties, wanted, notices, metadata)
    axes = volume.affine[:3, :3] / spacing
    facing = axes
    if properties.orientation is not None:
        facing = _directions(properties.orientation)
        if volume.is_oriented and np.abs(facing - axes).max() > 1e-3:
            notices.append(
                "The scan properties state another orientation than the file; the "
                "properties were taken."
            )
    if properties.sweep is not None:
        metadata["sweep"] = properties.sweep.to_dict()
    metadata["notices"] = notices
    has_geometry = volume.has_geometry or properties.pixel_mm is not None
    is_oriented = volume.is_oriented or properties.orientation is not None
    entries = replace(
        volume, metadata=metadata, has_geometry=has_geometry, is_oriented=is_oriented
    )
    if np.array_equal(wanted, spacing) and facing is axes:
        return entries
    # A map of the whole space: scan, mask and cut of one grid stay on one grid.
    change = np.eye(4)
    change[:3, :3] = facing @ np.diag(wanted / spacing) @ np.linalg.inv(axes)
    return replace(entries, affine=change @ volume.affine, place=None)


def _set_frame_distance(
    volume: Volume,
    properties: ScanProperties,
    wanted: NDArray[np.float64],
    notices: list[str],
    metadata: dict[str, Any],
) -> None:
    """Set what is known of the frames' distance, in place."""
    distance: float | str | None = properties.frame_distance_mm
    if properties.sweep is not None and properties.sweep.kind == "rotational":
        distance = UNKNOWN
        notices[:] = [n for n in notices if n != NO_FRAME_DISTANCE]
    several = len(volume.array) > 1
    if distance is None:
        # A picture's frames have no distance, and a size alone gives them none.
        if not volume.has_geometry and wanted[2] == 1.0 and several:
            metadata["frame_distance"] = UNKNOWN
        return
    if distance == UNKNOWN:
        wanted[2] = 1.0
        metadata["frame_distance"] = UNKNOWN
        return
    notices[:] = [n for n in notices if n != NO_FRAME_DISTANCE]
    own = volume.spacing_mm[0]
    is_known = volume.knows_frame_distance and several
    if is_known and _differ(np.array([own]), np.array([float(distance)])):
        notices.append(
            f"The scan properties state a frame distance of {distance:g} mm, the file "
            f"one of {own:.4g} mm; the properties were taken."
        )
        wanted[2] = float(distance)
    elif not is_known:
        wanted[2] = float(distance)
    metadata.pop("frame_distance", None)


def _check_frames(volume: Volume, sweep: Sweep | None) -> None:
    if sweep is not None and not _has_angles(volume, sweep):
        raise InputError(
            "A rotational sweep must have an angle for each frame; got "
            f"{len(sweep.angles_deg or ())} angles and {len(volume.array)} frames. "
            "Correct the scan properties.",
            plain=(
                f"{len(sweep.angles_deg or ())} angles were stated, and the "
                f"scan has {len(volume.array)} frames. Give one for each."
            ),
        )


def _has_angles(volume: Volume, sweep: Sweep | None) -> bool:
    angles = None if sweep is None else sweep.angles_deg
    return angles is None or len(angles) == len(volume.array)


def _differ(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool((np.abs(one - other) > _SAME * np.maximum(one, other)).any())


def _directions(orientation: tuple[str, str, str]) -> NDArray[np.float64]:
    """Return unit vectors in RAS as columns, for columns, rows and frames."""
    known = [_TOWARDS.get(str(word)) for word in orientation]
    if len(known) == 3 and None not in known:
        matrix = np.array(known, dtype=np.float64).T
        if abs(abs(np.linalg.det(matrix)) - 1) < 1e-9:
            return matrix
    raise InputError(
        "The orientation must state three directions at right angles (left or right, "
        "anterior or posterior, superior or inferior) for columns, rows and frames; "
        f"got {', '.join(map(str, orientation))}. Correct it.",
        plain=(
            "Columns, rows and frames cannot lead to "
            f"{', '.join(map(str, orientation))}. Choose left or right, anterior or "
            "posterior, and superior or inferior, each once."
        ),
    )
