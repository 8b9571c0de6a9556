"""The regions of an ultrasound picture: which is tissue, and its pixel size.

References
----------
.. [1] DICOM PS3.3, C.8.5.5 US Region Calibration Module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_microus.core.errors import InputError
from napari_microus.core.io.dicom_header import frame_shape, items, number, value_of

if TYPE_CHECKING:
    from pathlib import Path

#: What of a picture is read: its tissue cut out, its tissue with the rest set to 0,
#: all of it, or the tissue region of this number (from 0) cut out.
RegionChoice = Literal["crop", "mask", "whole"] | int

_FORMATS = {2: "M-mode", 3: "spectral Doppler", 4: "a wave form", 5: "graphics"}
_PLANAR = {1: "tissue", 2: "colour flow"}
_TRACES = {
    **{3: "PW spectral Doppler", 4: "CW spectral Doppler", 10: "an ECG"},
    **{11: "a pulse", 12: "a phonocardiogram", 13: "a grey bar", 14: "a colour bar"},
}
_UNITS = {
    **{0: "no unit", 1: "percent", 2: "dB", 3: "cm", 4: "seconds", 5: "hertz"},
    **{6: "dB/s", 7: "cm/s", 8: "cm²", 9: "cm²/s", 10: "cm³", 11: "cm³/s"},
    **{12: "degrees"},
}
_CM = 3
# Machines write the last column as the width: one pixel over the edge is no error.
_OVERHANG = 1


@dataclass(frozen=True)
class Region:
    """One region of a picture.

    Parameters
    ----------
    kind : str
        What it shows, such as "tissue" or "M-mode".
    rows, columns : tuple of int
        First, and one behind the last.
    pixel_mm : tuple of float or None
        Height and width of a pixel, None where they are no lengths.
    units : str
        The units of both directions in words.
    is_low_priority, is_protected : bool
        Bits 0 and 1 of its flags: another region may lie over it; its scale must
        not be changed.
    """

    kind: str
    rows: tuple[int, int]
    columns: tuple[int, int]
    pixel_mm: tuple[float, float] | None
    units: str
    is_low_priority: bool
    is_protected: bool

    @property
    def is_tissue(self) -> bool:
        """Whether it is a picture of tissue in two dimensions."""
        return self.kind == "tissue"


@dataclass(frozen=True)
class Cut:
    """What of each frame is read, and what is known of it.

    Parameters
    ----------
    rows, columns : tuple of int
        The tissue: first, and one behind the last.
    is_masked : bool
        Whether the frame keeps its size and all else becomes 0.
    pixel_mm : tuple of float or None
        Height and width of a pixel.
    notices : list of str
        What the user should know.
    stated : dict
        For the scan's metadata.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    is_masked: bool
    pixel_mm: tuple[float, float] | None
    notices: list[str]
    stated: dict[str, Any]

    @property
    def start(self) -> tuple[int, int]:
        """Row and column at which the picture that is read begins."""
        return (0, 0) if self.is_masked else (self.rows[0], self.columns[0])


def regions_of(header: Any) -> list[Region]:
    """Return the regions that a file states, in its order.

    ITK writes an item with a step alone, without a kind, a place or a unit, which
    states nothing for certain and is left out.
    """
    return [
        _region(item)
        for item in items(header, "SequenceOfUltrasoundRegions")
        if value_of(item, "RegionSpatialFormat") is not None
    ]


def choose_cut(header: Any, wanted: RegionChoice, path: Path) -> Cut:
    """Decide what of each frame is read.

    Raises
    ------
    InputError
        If regions are stated and none is tissue, unless "whole" is wanted; or the
        region that is wanted is not there.
    """
    height, width = frame_shape(header)
    regions = regions_of(header)
    tissue = [region for region in regions if region.is_tissue]
    notices: list[str] = []
    if regions and not tissue and wanted != "whole":
        names = ", ".join(dict.fromkeys(region.kind for region in regions))
        raise InputError(
            f"A scan must show tissue in two dimensions; got {names} in {path.name}. "
            "Choose a B-mode picture.",
            plain=(
                f"{path.name} shows {names}, and no picture of tissue. "
                "Choose a B-mode picture."
            ),
        )
    chosen = _chosen(tissue, wanted, path)
    pixel_mm = _common_size([chosen] if chosen else tissue, notices)
    whole = Cut((0, height), (0, width), False, pixel_mm, notices, {})
    if chosen is None:
        if len(tissue) > 1 and wanted != "whole":
            notices.append(
                f"The picture has {len(tissue)} regions of tissue; all of it was read. "
                "Choose one by its number."
            )
        return whole
    box = f"rows {_span(chosen.rows)}, columns {_span(chosen.columns)}"
    beyond = max(chosen.rows[1] - height, chosen.columns[1] - width)
    rows = chosen.rows[0], min(chosen.rows[1], height)
    columns = chosen.columns[0], min(chosen.columns[1], width)
    is_inside = min(rows[0], columns[0]) >= 0 and beyond <= _OVERHANG
    if not is_inside or rows[0] >= rows[1] or columns[0] >= columns[1]:
        notices.append(
            f"The file's region of tissue ({box}) reaches beyond its picture of "
            f"{height} × {width}; all of it was read. The picture may have been "
            "resized: check the pixel size."
        )
        return whole
    region = {
        "rows": list(rows),
        "columns": list(columns),
        "of": [height, width],
        "low_priority": chosen.is_low_priority,
        "scaling_protected": chosen.is_protected,
    }
    if (rows, columns) == ((0, height), (0, width)):
        return Cut(rows, columns, False, pixel_mm, notices, {"region": region})
    others = [other.kind for other in regions if other is not chosen]
    beside = f" Beside it: {', '.join(dict.fromkeys(others))}." if others else ""
    what = "the rest is 0" if wanted == "mask" else "the rest was cut away"
    notices.append(
        f"Read was the region of tissue ({box} of {height} × {width}); {what}.{beside}"
    )
    return Cut(rows, columns, wanted == "mask", pixel_mm, notices, {"region": region})


def _chosen(tissue: list[Region], wanted: RegionChoice, path: Path) -> Region | None:
    if isinstance(wanted, int):
        if not 0 <= wanted < len(tissue):
            raise InputError(
                f"The region must be one of tissue, counted from 0; got {wanted} of "
                f"{len(tissue)} in {path.name}. Choose another, or the whole picture.",
                plain=(
                    f"{path.name} has {len(tissue)} regions of tissue, counted from "
                    f"0, and none is {wanted}. Choose another, or the whole picture."
                ),
            )
        return tissue[wanted]
    if wanted not in ("crop", "mask", "whole"):
        raise InputError(
            "The region must be crop, mask, whole or a number; got "
            f"'{wanted}'. Choose one of these.",
            plain=(
                f"There is no region '{wanted}'. Choose crop, mask, whole or a number."
            ),
        )
    return tissue[0] if len(tissue) == 1 and wanted != "whole" else None


def _common_size(
    regions: list[Region], notices: list[str]
) -> tuple[float, float] | None:
    sizes = {region.pixel_mm for region in regions}
    if len(sizes) == 1:
        (size,) = sizes
        if size is None:
            notices.append(
                "The region of tissue states its pixel size as "
                f"{regions[0].units}, and not as a length."
            )
        return size
    if sizes:
        notices.append(
            "The regions of tissue state different pixel sizes; none is used."
        )
    return None


def _region(item: Any) -> Region:
    def whole(keyword: str) -> int:
        return int(number(item, keyword) or 0)

    layout, content = whole("RegionSpatialFormat"), whole("RegionDataType")
    if layout == 1:
        kind = _PLANAR.get(content, _TRACES.get(content, "an unknown kind"))
    else:
        kind = _TRACES.get(content, _FORMATS.get(layout, "an unknown kind"))
        kind = _FORMATS[layout] if layout == 2 else kind
    units = whole("PhysicalUnitsXDirection"), whole("PhysicalUnitsYDirection")
    steps = number(item, "PhysicalDeltaY"), number(item, "PhysicalDeltaX")
    pixel_mm = None
    if units == (_CM, _CM) and steps[0] and steps[1]:
        pixel_mm = abs(steps[0]) * 10, abs(steps[1]) * 10
    words = [_UNITS.get(unit, f"unit {unit}") for unit in units]
    if units == (_CM, _CM):
        words = ["0 cm"] if 0 in steps else ["no length of a pixel"]
    flags = whole("RegionFlags")
    return Region(
        kind,
        (whole("RegionLocationMinY0"), whole("RegionLocationMaxY1") + 1),
        (whole("RegionLocationMinX0"), whole("RegionLocationMaxX1") + 1),
        pixel_mm,
        " × ".join(dict.fromkeys(words)),
        bool(flags & 1),
        bool(flags & 2),
    )


def _span(ends: tuple[int, int]) -> str:
    return f"{ends[0]} to {ends[1] - 1}"
