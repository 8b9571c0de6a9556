"""JPEG streams inside DICOM: what they state about themselves, and lossless ones.

pydicom decodes lossless JPEG by python-gdcm alone, which ends the whole process on a
damaged file. The same decoder inside SimpleITK raises an error instead, so it gets
each frame in a file of its own, without any other element.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError
from napari_microus.core.io.dicom_header import (
    faults,
    frame_count,
    frame_shape,
    number,
    pydicom,
    silent,
    value_of,
)
from napari_microus.core.io.itk import simpleitk
from napari_microus.core.io.read_errors import damaged

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

_JPEG = "1.2.840.10008.1.2.4."
LOSSLESS = (f"{_JPEG}57", f"{_JPEG}70")
MARKED = (f"{_JPEG}50", f"{_JPEG}51", *LOSSLESS, f"{_JPEG}80", f"{_JPEG}81")

# Start of frame: all of SOF0-SOF15 but DHT, JPG and DAC; and that of JPEG-LS.
_STARTS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7}
_ALONE = {0x01, *range(0xD0, 0xD8)}
_LOSSLESS_START, _TABLES, _SCAN = 0xC3, 0xC4, 0xDA
# Applications' segments, comments and quantisers, of which lossless JPEG uses none.
_HARMLESS = {*range(0xE0, 0xF0), 0xFE, 0xDB}


def check_streams(path: Path, header: Any) -> None:
    """See that each frame is a whole JPEG stream of the size that the header states.

    Decoders take the header's word for the size, and fill in what is missing.

    Raises
    ------
    InputError
        If a stream is cut short or of another size.
    """
    shape, samples = frame_shape(header), int(number(header, "SamplesPerPixel") or 1)
    count = 0
    with closing(raw_frames(path, header)) as streams:
        for stream in streams:
            count += 1
            if _size_in(stream) != (*shape, samples) or not _is_whole(stream):
                raise damaged(Path(path.name), "DICOM")
    if count != frame_count(header):
        raise damaged(Path(path.name), "DICOM")


def lossless_frames(path: Path, header: Any) -> Generator[NDArray[Any], None, None]:
    """Yield the frames of lossless JPEG, colour as RGB.

    Raises
    ------
    InputError
        If one cannot be decoded.
    """
    photometric = str(value_of(header, "PhotometricInterpretation") or "")
    with closing(raw_frames(path, header)) as streams:
        for stream in streams:
            if not _is_lossless(stream, header):
                raise damaged(Path(path.name), "DICOM")
            frame = _decoded_alone(stream, header, path)
            if photometric.startswith("YBR_FULL"):
                frame = pydicom().pixels.convert_color_space(frame, "YBR_FULL", "RGB")
            yield frame


def raw_frames(path: Path, header: Any) -> Generator[bytes, None, None]:
    """Yield the compressed frames as they lie in the file."""
    module = pydicom()
    with path.open("rb") as file:
        try:
            with silent():
                module.dcmread(
                    file, stop_before_pixels=True, specific_tags=["Rows"], force=True
                )
                file.seek(12, 1)  # tag, kind and length of the element
                frames = module.encaps.generate_frames(
                    file, number_of_frames=frame_count(header)
                )
            while True:
                with silent():
                    frame = next(frames, None)
                if frame is None:
                    return
                yield frame
        except InputError:
            raise
        except faults():
            raise damaged(Path(path.name), "DICOM") from None


def _decoded_alone(stream: bytes, header: Any, path: Path) -> NDArray[Any]:
    """Decode a frame in a file of its own, which is gone before the frame is used."""
    sitk = simpleitk()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frame.dcm"
        with silent():
            _write_alone(stream, header, file)
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(file))
        try:
            frame: NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())[0]
        except (RuntimeError, MemoryError):
            raise damaged(Path(path.name), "DICOM") from None
    return frame


def _write_alone(stream: bytes, header: Any, file: Path) -> None:
    """Write a frame with nothing but what its pixels need."""
    module = pydicom()
    alone = module.Dataset()
    alone.SOPClassUID = module.uid.SecondaryCaptureImageStorage
    alone.SOPInstanceUID = module.uid.generate_uid()
    for keyword in (
        *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored"),
        *("HighBit", "PixelRepresentation"),
    ):
        setattr(alone, keyword, int(number(header, keyword) or 0))
    is_colour = alone.SamplesPerPixel == 3
    alone.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    if is_colour:
        alone.PlanarConfiguration = 0
    alone.PixelData = module.encaps.encapsulate([stream])
    alone["PixelData"].is_undefined_length = True
    alone.file_meta = module.dataset.FileMetaDataset()
    alone.file_meta.TransferSyntaxUID = header.file_meta.TransferSyntaxUID
    module.dcmwrite(file, alone, enforce_file_format=True)


def _segments(stream: bytes) -> Generator[tuple[int, bytes], None, None]:
    """Yield the markers and contents that come before the coded pixels.

    Raises
    ------
    ValueError
        If what comes is none.
    """
    if stream[:2] != b"\xff\xd8":
        raise ValueError("no start of an image")
    at = 2
    while True:
        head = stream[at : at + 4]
        if len(head) < 4 or head[0] != 0xFF:
            raise ValueError("no marker")
        kind, length = head[1], int.from_bytes(head[2:])
        if kind == 0xFF:  # a fill byte
            at += 1
            continue
        if kind in _ALONE:
            at += 2
            continue
        content = stream[at + 4 : at + 2 + length]
        if length < 2 or len(content) != length - 2:
            raise ValueError("a segment is cut short")
        yield kind, content
        if kind == _SCAN:
            return
        at += 2 + length


def _size_in(stream: bytes) -> tuple[int, int, int] | None:
    """Return rows, columns and samples by a stream's start of frame."""
    try:
        for kind, part in _segments(stream):
            if kind in _STARTS and len(part) >= 6:
                return int.from_bytes(part[1:3]), int.from_bytes(part[3:5]), part[5]
    except ValueError:
        pass
    return None


def _is_lossless(stream: bytes, header: Any) -> bool:
    """Return whether all that steers the decoding of a lossless stream is in order.

    The decoder looks nothing up twice: a table that is missing, or a component of
    another size, sends it out of its memory.
    """
    bits, samples = number(header, "BitsStored"), number(header, "SamplesPerPixel")
    tables: set[int] = set()
    components: list[int] = []
    try:
        for kind, part in _segments(stream):
            if kind == _TABLES:
                tables |= _tables_in(part)
            elif kind == _LOSSLESS_START and not components:
                components = list(part[6::3])
                is_plain = set(part[7::3]) == {0x11} and len(part) == 6 + 3 * part[5]
                if part[0] != bits or part[5] != (samples or 1) or not is_plain:
                    return False
            elif kind == _SCAN:
                count = part[0]
                used = {code >> 4 for code in part[2 : 1 + 2 * count : 2]}
                return (
                    len(part) == 4 + 2 * count
                    and list(part[1 : 1 + 2 * count : 2]) == components
                    and len(set(components)) == count
                    and used <= tables
                    and 1 <= part[-3] <= 7
                    and part[-2:] == b"\0\0"
                )
            elif kind not in _HARMLESS:
                return False
    except (ValueError, IndexError):
        return False
    return False


def _tables_in(part: bytes) -> set[int]:
    """Return the numbers of the Huffman tables in a segment.

    Raises
    ------
    ValueError
        If one has codes that cannot be.
    """
    found = set()
    while part:
        number_, counts = part[0], part[1:17]
        total = sum(counts)
        symbols = part[17 : 17 + total]
        room = sum(n << (16 - bits) for bits, n in enumerate(counts, start=1))
        is_good = number_ < 4 and len(counts) == 16 and len(symbols) == total
        if not is_good or not 0 < total <= 17 or room >= 1 << 16 or max(symbols) > 16:
            raise ValueError("an impossible table")
        if len(set(symbols)) != total:
            raise ValueError("a table with one value twice")
        found.add(number_)
        part = part[17 + total :]
    return found


def _is_whole(stream: bytes) -> bool:
    """Return whether a stream has its end, up to zeros that fill it."""
    return stream.rstrip(b"\0")[-2:] == b"\xff\xd9"
