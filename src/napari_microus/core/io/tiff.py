"""TIFF files: a frame or a stack, with the pixel size where the file states it.

ImageJ and OME-TIFF state their pixel and frame distance in words; a plain TIFF may
state a resolution per centimetre. A resolution per inch is a printing size and is
not taken for a pixel size.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.alpha import stored_mask
from napari_microus.core.io.colour import to_grey
from napari_microus.core.io.read_errors import damaged, library_messages, part_missing
from napari_microus.core.volume import UNKNOWN, Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TIFF_SUFFIXES = (".tif", ".tiff")

NO_FRAME_DISTANCE = (
    "The file states the pixel size but not the distance of the frames; 1 mm was "
    "taken. Do not rely on volumes."
)

UNKNOWN_UNIT = (
    "The file's unit of length '{0}' is unknown; no size is in mm. Set the pixel size."
)

_MILLIMETRES = {
    **{"m": 1000.0, "cm": 10.0, "mm": 1.0, "inch": 25.4, "in": 25.4},
    **{"um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3},
    **{"micrometer": 1e-3, "millimeter": 1.0, "nm": 1e-6},
}


# What tifffile raises on files whose bytes were changed, besides its TiffFileError,
# which older versions derive from Exception alone.
#: What tifffile reports where OME-XML names a file that is not there.
_MISSING = re.compile(r"failed to read '([^']+)', raised FileNotFoundError")
_DAMAGE = (
    *(OSError, EOFError, MemoryError, zlib.error, struct.error, SyntaxError),
    *(ValueError, TypeError, LookupError, ArithmeticError),
    *(AttributeError, AssertionError, RuntimeError),
)

# Photometric interpretations whose stored values are grey or RGB; 4 is of masks.
_COLOURS = ("MINISBLACK", "MINISWHITE", "RGB", "PALETTE", "MASK")


def read_tiff(path: Path, *, as_stored: bool = False) -> Volume:
    """Read a frame or a stack of frames.

    Parameters
    ----------
    path : Path
        The file.
    as_stored : bool
        Take the values of a mask as they are stored: a palette's indices, and no
        inversion of a grey scale. In files of one bit a pixel, white is 1.

    Raises
    ------
    InputError
        If the file is damaged or foreign, or holds several stacks, channels or
        times.
    """
    import tifffile

    try:
        with (
            library_messages("tifffile") as complaints,
            tifffile.TiffFile(path) as file,
        ):
            series: Any = _only_series(file, path)
            axes, page = series.axes, series.keyframe
            _check_colours(page, path)
            pixels = _as_shown(_decoded(path, series), page, as_stored)
            planes = file.is_shaped and axes.startswith("S")
            sizes = _sizes(file, page)
            channels = _channel_names(file)
    except InputError:
        raise
    except (tifffile.TiffFileError, *_DAMAGE) as error:
        raise damaged(path, "TIFF", str(error)) from error
    if complaints:
        missing = _MISSING.search(complaints[0])
        if missing is not None:
            raise part_missing(path, missing[1])
        raise damaged(path, "TIFF", complaints[0])
    array, notices = _frames(pixels, axes, planes, channels, path)
    if as_stored and page.extrasamples and axes.endswith("S"):
        array, notices = stored_mask(pixels, path), []
        array = array.reshape(-1, *array.shape[-2:])
    if isinstance(sizes, str):
        notices, sizes = [*notices, sizes], None
    if sizes is None:
        plain = Volume.from_spacing(array, (1.0, 1.0, 1.0))
        return Volume(array, plain.affine, False, {"notices": notices})
    z, y, x = sizes
    stated: dict[str, Any] = {"notices": notices}
    if z is None and len(array) > 1:
        stated = {
            "notices": [*notices, NO_FRAME_DISTANCE],
            "frame_distance": UNKNOWN,
        }
    volume = Volume.from_spacing(array, (z or 1.0, y, x))
    return Volume(array, volume.affine, True, stated)


def tiff_size(path: Path) -> tuple[float | None, float, float] | None:
    """Return (z, y, x) in mm as `read_tiff` takes it, without reading the pixels.

    z is None where the distance of the frames is not stated; None alone stands for a
    file that states no size.

    Raises
    ------
    InputError
        If the file is damaged or foreign, or holds several stacks.
    """
    import tifffile

    try:
        with library_messages("tifffile"), tifffile.TiffFile(path) as file:
            sizes = _sizes(file, _only_series(file, path).keyframe)
    except InputError:
        raise
    except (tifffile.TiffFileError, *_DAMAGE) as error:
        raise damaged(path, "TIFF", str(error)) from error
    return None if isinstance(sizes, str) else sizes


def is_stack(path: Path) -> bool:
    """Return whether a TIFF holds several frames; False for one that is damaged."""
    import tifffile

    try:
        with library_messages("tifffile"), tifffile.TiffFile(path) as file:
            first: Any = file.series[0]
            counts = dict(zip(first.axes, first.shape, strict=False))
            planes = file.is_shaped and first.axes.startswith("S")
    except (tifffile.TiffFileError, *_DAMAGE):
        return False
    return planes or any(
        count > 1 for axis, count in counts.items() if axis not in "YXSC"
    )


def _only_series(file: Any, path: Path) -> Any:
    """Return the file's one series.

    Raises
    ------
    InputError
        If there are several: a preview, other sizes or other types in one file.
    """
    series = file.series
    if len(series) > 1:
        stated = ", ".join(
            f"{one.axes} {' × '.join(map(str, one.shape))} {one.dtype}"
            for one in series[:4]
        )
        raise InputError(
            f"A TIFF must hold one stack of frames; got {len(series)} ({stated}) in "
            f"{path}. Save the one you need alone.",
            plain=(
                f"{path.name} holds several stacks of pictures ({stated}). Save "
                "the one you need alone."
            ),
        )
    return series[0]


def _decoded(path: Path, series: Any) -> NDArray[Any]:
    try:
        return np.asarray(series.asarray())
    except ValueError as error:
        # LZW and JPEG need a package of codecs that Pillow brings along.
        if "imagecodecs" not in str(error):
            raise
    from PIL import Image, ImageSequence

    with Image.open(path, formats=("TIFF",)) as picture:
        frames = [np.asarray(frame) for frame in ImageSequence.Iterator(picture)]
    return np.stack(frames).reshape(series.shape)


def _check_colours(page: Any, path: Path) -> None:
    """Refuse colours that tifffile hands over as they are stored, such as CMYK."""
    name = getattr(page.photometric, "name", str(page.photometric))
    is_jpeg = getattr(page.compression, "name", "") in ("JPEG", "OJPEG")
    if name not in _COLOURS and not (name == "YCBCR" and is_jpeg):
        raise InputError(
            "A TIFF must hold grey values, a palette, or red, green and blue; got "
            f"{name} in {path}. Save it as grey or RGB.",
            plain=(
                f"The colours of {path} ({name}) cannot be read. Save it as grey or "
                "RGB."
            ),
        )


def _as_shown(pixels: NDArray[Any], page: Any, as_stored: bool) -> NDArray[Any]:
    """Apply a palette, and turn pictures whose zero is white."""
    name = getattr(page.photometric, "name", "")
    if name == "MINISWHITE" and pixels.dtype == bool:
        return ~pixels  # one bit a pixel gives black and white, not a value
    if as_stored:
        return pixels
    if name == "PALETTE" and page.colormap is not None:
        colours = np.moveaxis(page.colormap[:, pixels], 0, -1)
        grey = [np.array_equal(colours[..., 0], colours[..., i]) for i in (1, 2)]
        colours = (colours // 257).astype(np.uint8)
        return colours[..., 0] if all(grey) else to_grey(colours)[0]
    if name == "MINISWHITE":
        return np.iinfo(pixels.dtype).max - pixels
    return pixels


def _channel_names(file: Any) -> list[str]:
    """Return what OME calls the channels; empty where they have no names."""
    if not file.is_ome:
        return []
    root = ElementTree.fromstring(file.ome_metadata)
    channels = [e for e in root.iter() if e.tag.endswith("}Channel")]
    names = [e.get("Name", "") for e in channels]
    return names if any(names) else []


def _frames(
    pixels: NDArray[Any],
    axes: str,
    planes: bool,
    channels: list[str],
    path: Path,
) -> tuple[NDArray[Any], list[str]]:
    """Return (Z, Y, X) of pixels whose axes tifffile names."""
    notices: list[str] = []
    if planes:
        # napari and others write a stack of three or four frames as such planes.
        notices = ["The file's colour planes were read as frames."]
    elif "S" in axes:
        pixels, notices = to_grey(np.moveaxis(pixels, axes.index("S"), -1))
        axes = axes.replace("S", "")
    count = pixels.shape[axes.index("C")] if "C" in axes else 1
    if count > 1:
        if not _is_colour(count, channels, pixels.dtype):
            named = f" ({', '.join(channels)})" if channels else ""
            raise InputError(
                "A TIFF must hold one channel, or red, green and blue; got "
                f"{count} channels{named} in {path}. Save one channel alone.",
                plain=(
                    f"{path.name} holds {count} channels{named}. Save one "
                    "channel alone."
                ),
            )
        pixels, notices = to_grey(np.moveaxis(pixels, axes.index("C"), -1))
        axes = axes.replace("C", "")
    shape = pixels.shape
    if pixels.size == 0:
        raise damaged(path, "TIFF")
    several = [axis for n, axis in zip(shape, axes, strict=True) if n > 1]
    frames = [axis for axis in several if axis not in "YX"]
    if len(frames) > 1 or axes[-2:] != "YX":
        raise InputError(
            "A TIFF must hold one stack of frames; got axes "
            f"{axes} with shape {shape} in {path}. Save one channel and time alone.",
            plain=(
                f"{path} holds more than one stack of frames (axes {axes}). Save "
                "one channel and time alone."
            ),
        )
    return pixels.reshape(-1, *shape[-2:]), notices


def _is_colour(count: int, channels: list[str], dtype: np.dtype[Any]) -> bool:
    """Return whether channels are those of a colour picture."""
    if count != 3 or dtype != np.uint8:
        return False
    names = [name.strip().lower() for name in channels]
    return not names or names in (["red", "green", "blue"], ["r", "g", "b"])


def _sizes(file: Any, page: Any) -> tuple[float | None, float, float] | str | None:
    """Return (z, y, x) in mm as far as the file states it, or why it does not."""
    if file.is_ome:
        return _ome_sizes(file.ome_metadata)
    per_unit = _resolution(page)
    if per_unit is None:
        return None
    y, x = (1 / value for value in per_unit)
    if file.is_imagej:
        return _imagej_sizes(file.imagej_metadata or {}, y, x)
    unit_tag = page.tags.get("ResolutionUnit")
    if unit_tag is None or int(unit_tag.value) != 3:  # 3 is centimetre
        return None
    return None, y * 10, x * 10


def _imagej_sizes(
    stated: dict[str, Any], y: float, x: float
) -> tuple[float | None, float, float] | str | None:
    """Return sizes in mm; ImageJ names units for y and z where they are not x's."""
    unit = _imagej_unit(stated, "unit")
    if unit in ("", "pixel", "pixels"):
        return None
    names = {
        "x": unit,
        "y": _imagej_unit(stated, "yunit") or unit,
        "z": _imagej_unit(stated, "zunit") or unit,
    }
    for name in names.values():
        if name not in _MILLIMETRES:
            return UNKNOWN_UNIT.format(name)
    factors = {axis: _MILLIMETRES[name] for axis, name in names.items()}
    z = stated.get("spacing")
    z_mm = float(z) * factors["z"] if z else None
    return z_mm, y * factors["y"], x * factors["x"]


def _imagej_unit(stated: dict[str, Any], key: str) -> str:
    escaped = str(stated.get(key, "")).encode("latin-1", "ignore")
    return escaped.decode("unicode_escape", "ignore").strip().lower()


def _resolution(page: Any) -> tuple[float, float] | None:
    """Return pixels per unit along (y, x)."""
    values = []
    for name in ("YResolution", "XResolution"):
        tag = page.tags.get(name)
        if tag is None or not all(tag.value):
            return None
        values.append(tag.value[0] / tag.value[1])
    return values[0], values[1]


def _ome_sizes(xml: str) -> tuple[float | None, float, float] | str | None:
    pixels = next(
        (e for e in ElementTree.fromstring(xml).iter() if e.tag.endswith("}Pixels")),
        None,
    )
    if pixels is None:
        return None
    sizes: dict[str, float] = {}
    for axis in "ZYX":
        size = pixels.get(f"PhysicalSize{axis}")
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
        if not size or not float(size) > 0:
            continue
        if unit not in _MILLIMETRES:
            return UNKNOWN_UNIT.format(unit)
        sizes[axis] = float(size) * _MILLIMETRES[unit]
    if "Y" not in sizes or "X" not in sizes:
        return None
    return sizes.get("Z"), sizes["Y"], sizes["X"]
