"""TIFF files: a frame or a stack, with the pixel size where the file tells it.

ImageJ and OME-TIFF tell their pixel and frame distance in words; a plain TIFF may
tell a resolution per centimetre. A resolution per inch is a printing size and is
not taken for a pixel size.
"""

from __future__ import annotations

import logging
import re
import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.colour import to_grey
from napari_microus.core.io.read_errors import damaged
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

TIFF_SUFFIXES = (".tif", ".tiff")

NO_FRAME_DISTANCE = (
    "The file tells the pixel size but not the distance of the frames; 1 mm was "
    "taken. Do not rely on volumes."
)

_MILLIMETRES = {
    **{"m": 1000.0, "cm": 10.0, "mm": 1.0, "inch": 25.4, "in": 25.4},
    **{"um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3},
    **{"micrometer": 1e-3, "millimeter": 1.0, "nm": 1e-6},
}


# What tifffile raises on files whose bytes were changed; TiffFileError is a ValueError.
_DAMAGE = (
    *(OSError, EOFError, MemoryError, zlib.error, struct.error, SyntaxError),
    *(ValueError, TypeError, LookupError, ArithmeticError),
    *(AttributeError, AssertionError, RuntimeError),
)


def read_tiff(path: Path) -> Volume:
    """Read a frame or a stack of frames.

    Raises
    ------
    InputError
        If the file is damaged or foreign, or holds several stacks.
    """
    import tifffile

    try:
        with _complaints() as complaints, tifffile.TiffFile(path) as file:
            series: Any = file.series[0]
            if complaints:
                raise ValueError(complaints[0])
            axes, page = series.axes, series.keyframe
            pixels = _as_shown(_decoded(path, series), page)
            planes = file.is_shaped and axes.startswith("S")
            spacing = _spacing(file, page)
    except _DAMAGE as error:
        raise damaged(path, "TIFF") from error
    if complaints:
        raise damaged(path, "TIFF")
    array, notices = _frames(pixels, axes, planes, path)
    if spacing is None:
        plain = Volume.from_spacing(array, (1.0, 1.0, 1.0))
        return Volume(array, plain.affine, False, {"notices": notices})
    z, y, x = spacing
    if z is None and len(array) > 1:
        notices = [*notices, NO_FRAME_DISTANCE]
    volume = Volume.from_spacing(array, (z or 1.0, y, x))
    return Volume(array, volume.affine, True, {"notices": notices})


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what tifffile logs about a cut file, for which it raises nothing."""
    kept: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if re.search(r"corrupted|invalid page offset|invalid value offset", text):
                kept.append(text)

    logger = logging.getLogger("tifffile")
    listener, propagate = Listener(), logger.propagate
    others = logger.handlers[:]
    logger.handlers[:] = [listener]
    logger.propagate = False
    try:
        yield kept
    finally:
        logger.handlers[:] = others
        logger.propagate = propagate


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


def _as_shown(pixels: NDArray[Any], page: Any) -> NDArray[Any]:
    """Apply a palette, and turn pictures whose zero is white."""
    name = getattr(page.photometric, "name", "")
    if name == "PALETTE" and page.colormap is not None:
        colours = np.moveaxis(page.colormap[:, pixels], 0, -1)
        grey = [np.array_equal(colours[..., 0], colours[..., i]) for i in (1, 2)]
        colours = (colours // 257).astype(np.uint8)
        return colours[..., 0] if all(grey) else to_grey(colours)[0]
    if name == "MINISWHITE" and pixels.dtype != bool:
        return np.iinfo(pixels.dtype).max - pixels
    return pixels


def _frames(
    pixels: NDArray[Any], axes: str, planes: bool, path: Path
) -> tuple[NDArray[Any], list[str]]:
    """Return (Z, Y, X) of pixels whose axes tifffile names."""
    notices: list[str] = []
    if planes:
        # napari and others write a stack of three or four frames as such planes.
        notices = ["The file's colour planes were read as frames."]
    elif "S" in axes:
        pixels, notices = to_grey(np.moveaxis(pixels, axes.index("S"), -1))
        axes = axes.replace("S", "")
    shape = pixels.shape
    if pixels.size == 0:
        raise damaged(path, "TIFF")
    frames = [n for n, axis in zip(shape, axes, strict=True) if axis not in "YX"]
    if sum(n > 1 for n in frames) > 1 or axes[-2:] != "YX":
        raise InputError(
            "A TIFF must hold one stack of frames; got axes "
            f"{axes} with shape {shape} in {path}. Save one channel and time alone."
        )
    return pixels.reshape(-1, *shape[-2:]), notices


def _spacing(file: Any, page: Any) -> tuple[float | None, float, float] | None:
    """Return (z, y, x) in mm as far as the file tells it."""
    if file.is_ome:
        return _ome_spacing(file.ome_metadata)
    per_unit = _resolution(page)
    if per_unit is None:
        return None
    y, x = (1 / value for value in per_unit)
    if file.is_imagej:
        told = file.imagej_metadata or {}
        unit = (
            str(told.get("unit", ""))
            .encode("latin-1", "ignore")
            .decode("unicode_escape", "ignore")
        )
        factor = _MILLIMETRES.get(unit.strip().lower())
        if factor is None:
            return None
        z = told.get("spacing")
        return (float(z) * factor if z else None), y * factor, x * factor
    unit_tag = page.tags.get("ResolutionUnit")
    if unit_tag is None or int(unit_tag.value) != 3:  # 3 is centimetre
        return None
    return None, y * 10, x * 10


def _resolution(page: Any) -> tuple[float, float] | None:
    """Return pixels per unit along (y, x)."""
    values = []
    for name in ("YResolution", "XResolution"):
        tag = page.tags.get(name)
        if tag is None or not all(tag.value):
            return None
        values.append(tag.value[0] / tag.value[1])
    return values[0], values[1]


def _ome_spacing(xml: str) -> tuple[float | None, float, float] | None:
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
        if size and float(size) > 0 and unit in _MILLIMETRES:
            sizes[axis] = float(size) * _MILLIMETRES[unit]
    if "Y" not in sizes or "X" not in sizes:
        return None
    return sizes.get("Z"), sizes["Y"], sizes["X"]
