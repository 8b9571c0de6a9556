"""The frames of a DICOM file, one after the other, as grey."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.colour import CONVERTED, to_grey
from napari_microus.core.io.dicom_header import (
    IMPLICIT_LITTLE,
    faults,
    frame_count,
    frame_shape,
    number,
    pydicom,
    silent,
    value_of,
)
from napari_microus.core.io.dicom_jpeg import (
    LOSSLESS,
    MARKED,
    check_streams,
    lossless_frames,
)
from napari_microus.core.io.read_errors import damaged

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    _Frames = Generator[NDArray[Any], None, None]

INVERTED = "The file stores white as 0; its grey scale was turned."

# The first that can decode is taken. None is GDCM's, see `dicom_jpeg`.
_PLUGINS = ("pyjpegls", "pylibjpeg", "pillow", "pydicom")
_TWELVE_BIT = "1.2.840.10008.1.2.4.51"
_PACKAGES = {
    **dict.fromkeys(("80", "81"), "pyjpegls"),
    **dict.fromkeys(("90", "91", "201", "202", "203"), "pylibjpeg-openjpeg"),
    **dict.fromkeys(("50", "51"), "pillow"),
}
# A compressed frame takes at least the head of an item.
_LEAST_BYTES = 8


class Grey:
    """Turns decoded frames into grey, and notes what the user should know of it.

    Parameters
    ----------
    header : Dataset
        Of the file.
    path : Path
        For errors.
    as_stored : bool
        Leave palette indices, inverted scales and stored values as they are.
    """

    def __init__(self, header: Any, path: Path, *, as_stored: bool) -> None:
        self.notices: list[str] = []
        photometric = str(value_of(header, "PhotometricInterpretation") or "")
        self._table: NDArray[Any] | None = None
        self._coloured: NDArray[np.bool_] | None = None
        self._scale: tuple[float, float] | None = None
        self._top = 0
        if as_stored:
            return
        if photometric == "PALETTE COLOR":
            self._table, self._coloured = _palette(header, path)
        if photometric == "MONOCHROME1":
            self._top = (1 << int(number(header, "BitsStored") or 8)) - 1
            self.notices.append(INVERTED)
        slope = number(header, "RescaleSlope")
        offset = number(header, "RescaleIntercept")
        scale = (1.0 if slope in (None, 0.0) else slope, offset or 0.0)
        if scale != (1.0, 0.0) and photometric.startswith("MONOCHROME"):
            self._scale = scale

    @property
    def keeps_values(self) -> bool:
        """Whether a grey frame is taken as it is."""
        return self._table is None and self._scale is None and not self._top

    def __call__(self, frame: NDArray[Any]) -> NDArray[Any]:
        """Return a frame (rows, columns) or (rows, columns, samples) as grey."""
        if frame.ndim == 3:
            frame, said = to_grey(frame)
            self._say(said)
        if self._table is not None and self._coloured is not None:
            if self._coloured[frame].any():
                self._say([CONVERTED])
            frame = self._table[frame]
        if self._top:
            frame = (-1 - frame) if frame.dtype.kind == "i" else self._top - frame
        if self._scale is not None:
            frame = _scaled(frame, *self._scale)
        return frame

    def _say(self, notices: list[str]) -> None:
        self.notices += [one for one in notices if one not in self.notices]


def stored_frames(path: Path, header: Any) -> _Frames:
    """Yield every frame as it is stored, colour as RGB, and never hold two.

    Raises
    ------
    InputError
        If the pixels are cut short or damaged, or stored in a way that is private,
        a film's, or has no decoder here.
    """
    module = pydicom()
    media = getattr(header, "file_meta", {})
    with silent():
        uid = value_of(media, "TransferSyntaxUID") or IMPLICIT_LITTLE
        syntax = module.uid.UID(str(uid))
    plugins = _plugins(syntax, header, path)
    count, shape = frame_count(header), frame_shape(header)
    _check_length(path, header, syntax)
    if syntax in MARKED:
        check_streams(path, header)
    done, decode = 0, _decoded(path, syntax, plugins)
    if syntax in LOSSLESS:
        decode = lossless_frames(path, header)
    if number(header, "BitsAllocated") == 1 and not syntax.is_encapsulated:
        decode = _single_bits(path, header)
    with closing(decode) as frames:  # with its file, whatever happens
        while True:
            try:
                with silent():  # not while the frame is in use
                    frame = next(frames, None)
            except InputError:
                raise
            except faults():
                raise damaged(Path(path.name), "DICOM") from None
            if frame is None:
                break
            done += 1
            if done > count or frame.shape[:2] != shape:
                raise damaged(Path(path.name), "DICOM")
            yield frame
    if done < count:
        raise damaged(Path(path.name), "DICOM", f"{done} of {count} frames are there")


def mapped_frames(path: Path, header: Any) -> NDArray[Any] | None:
    """Return plain grey pixels as they lie in the file, which stay there.

    Returns
    -------
    ndarray, shape (frames, rows, columns), or None
        None where the pixels must be decoded first.
    """
    module = pydicom()
    syntax = value_of(getattr(header, "file_meta", {}), "TransferSyntaxUID")
    plain = (IMPLICIT_LITTLE, f"{IMPLICIT_LITTLE}.1")
    bits = number(header, "BitsAllocated"), number(header, "BitsStored")
    is_grey = (number(header, "SamplesPerPixel") or 1) == 1
    if str(syntax) not in plain or bits[0] not in (8, 16) or bits[0] != bits[1]:
        return None
    if not is_grey:
        return None
    with silent(), path.open("rb") as file:
        module.dcmread(
            file, stop_before_pixels=True, specific_tags=["Rows"], force=True
        )
        start = file.tell()
        if file.read(4) != b"\xe0\x7f\x10\x00":
            return None
    start += 8 if str(syntax) == IMPLICIT_LITTLE else 12
    shape = (frame_count(header), *frame_shape(header))
    kind = "i" if number(header, "PixelRepresentation") else "u"
    dtype = np.dtype(f"<{kind}{int(bits[0] or 8) // 8}")
    if path.stat().st_size < start + np.prod(shape, dtype=np.int64) * dtype.itemsize:
        raise damaged(Path(path.name), "DICOM")
    return np.memmap(path, dtype, "c", start, shape)


def _decoded(path: Path, syntax: Any, plugins: list[str]) -> _Frames:
    """Decode by the first plugin that can decode the first frame."""
    module = pydicom()
    source: Any = path
    if syntax.is_deflated:
        source = module.dcmread(path, force=True)
    options = {} if source is not path else {"transfer_syntax_uid": syntax}
    for plugin in plugins:
        frames = module.pixels.iter_pixels(source, decoding_plugin=plugin, **options)
        try:
            first = next(frames, None)
        except faults():
            if plugin == plugins[-1]:
                raise
            continue
        if first is not None:
            yield first
            yield from frames
        return


def _single_bits(path: Path, header: Any) -> _Frames:
    """Yield frames of one bit a pixel, which lie without gaps between.

    pydicom 3.0 takes each to begin with a byte (PS3.5, annex D: it need not).
    """
    dataset = pydicom().dcmread(path, force=True)
    data = np.frombuffer(dataset.PixelData, np.uint8)
    shape = frame_shape(header)
    size = shape[0] * shape[1]
    for k in range(frame_count(header)):
        start, end = k * size, (k + 1) * size
        if end > 8 * len(data):
            return
        bits = np.unpackbits(data[start // 8 : -(-end // 8)], bitorder="little")
        yield bits[start % 8 :][:size].reshape(shape)


def _plugins(syntax: Any, header: Any, path: Path) -> list[str]:
    """Return the decoders to try, [""] for pixels that are not compressed."""
    if syntax.is_private:
        raise InputError(
            "The pixels must be stored in a public transfer syntax; got a private one "
            f"in {path.name}. Export it again, uncompressed or as JPEG.",
            plain=(
                f"The picture in {path.name} is stored in a maker's private form. "
                "Export it again, uncompressed or as JPEG."
            ),
        )
    try:
        decoder = pydicom().pixels.get_decoder(syntax)
    except NotImplementedError:
        raise InputError(
            "The pixels must be stored in a transfer syntax of pictures; got "
            f"{syntax.name} in {path.name}. Export it again, uncompressed or as JPEG.",
            plain=(
                f"The picture in {path.name} is stored in a form that is not one of "
                f"pictures ({syntax.name}). Export it again, uncompressed or as "
                "JPEG."
            ),
        ) from None
    if not syntax.is_compressed or syntax.is_deflated or syntax in LOSSLESS:
        return [""]
    available = set(decoder.available_plugins)
    found = [name for name in _PLUGINS if name in available]
    is_deep = syntax == _TWELVE_BIT and (number(header, "BitsStored") or 8) > 8
    if found and not is_deep:
        return found
    package = _PACKAGES.get(str(syntax).rpartition(".")[2])
    todo = "Export it again, uncompressed."
    if package and not is_deep:
        todo = f"Install {package} (pip install {package})."
    raise InputError(
        f"The pixels must have a decoder here; got {syntax.name} in {path.name}, which "
        f"has none. {todo}",
        plain=(
            f"Cannot read {path.name}: pictures packed as {syntax.name} "
            f"cannot be opened here. {todo}"
        ),
    )


def _check_length(path: Path, header: Any, syntax: Any) -> None:
    """Refuse counts and sizes that no file of this length can hold."""
    rows, columns = frame_shape(header)
    least = float(frame_count(header))
    if syntax.is_deflated:
        return
    if syntax.is_compressed:
        least *= _LEAST_BYTES
    else:
        photometric = str(value_of(header, "PhotometricInterpretation") or "")
        samples = 2 if "422" in photometric else number(header, "SamplesPerPixel") or 1
        least *= rows * columns * samples * (number(header, "BitsAllocated") or 8) / 8
    if path.stat().st_size < least:
        raise damaged(Path(path.name), "DICOM")


def _palette(header: Any, path: Path) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the grey of each index, and which indices are coloured."""
    bits = 8 if (number(header, "BitsAllocated") or 8) <= 8 else 16
    indices = np.arange(1 << bits, dtype=np.uint8 if bits == 8 else np.uint16)
    try:
        with silent():
            colours = pydicom().pixels.apply_color_lut(indices[np.newaxis], header)[0]
    except faults():
        raise damaged(Path(path.name), "DICOM") from None
    if colours.dtype == np.uint16:
        colours = (colours >> 8).astype(np.uint8)
    coloured = (colours[:, :1] != colours[:, :3]).any(axis=1)
    return to_grey(colours[:, :3])[0], coloured


def _scaled(frame: NDArray[Any], slope: float, offset: float) -> NDArray[Any]:
    if frame.dtype.kind in "iu" and slope == int(slope) and offset == int(offset):
        return frame.astype(np.int32) * int(slope) + int(offset)
    return (frame * np.float32(slope) + np.float32(offset)).astype(np.float32)
