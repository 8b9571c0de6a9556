"""Which scans a folder of DICOM files or a DICOMDIR holds, without anybody's name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError
from napari_microus.core.io.dicom_header import (
    DIRECTORY,
    check_is_image,
    frame_count,
    frame_shape,
    is_segmentation,
    items,
    kind_without_image,
    number,
    numbers,
    read_header,
    value_of,
)
from napari_microus.core.io.frames import frames_in, natural_key
from napari_microus.core.io.read_errors import damaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Values of Modality that are stated; another may hold anything.
_MODALITIES = {
    **{"US": "ultrasound", "IVUS": "intravascular ultrasound", "MR": "MR", "CT": "CT"},
    **{"SC": "secondary capture", "OT": "other", "SEG": "segmentation"},
}


@dataclass(frozen=True)
class DicomSeries:
    """One scan of a folder: a series of single frames, or one file of several.

    Parameters
    ----------
    number : int
        Its place in the list, from 1: no number of the clinic.
    frames, rows, columns : int
        Its size; rows and columns of the first frame.
    description : str
        Kind and size in words of ours. Nothing that a person typed is in it.
    files : tuple of Path
        In the order of the frames.
    """

    number: int
    frames: int
    rows: int
    columns: int
    description: str
    files: tuple[Path, ...]


def dicom_series(path: str | Path) -> list[DicomSeries]:
    """List the scans in a folder of DICOM files or in a DICOMDIR.

    Parameters
    ----------
    path : str or Path
        A folder (its own files alone, or what its DICOMDIR names), or a DICOMDIR.

    Returns
    -------
    list of DicomSeries
        What holds no picture is left out.

    Raises
    ------
    InputError
        If a file is damaged, or a DICOMDIR names one that is missing.
    """
    listed, _ = grouped(dicom_files(Path(path)))
    return [
        _listed(number, group) for number, group in enumerate(listed.values(), start=1)
    ]


@dataclass(frozen=True)
class DicomFolder:
    """What a folder of DICOM files or a DICOMDIR holds, damaged files too.

    Parameters
    ----------
    series : tuple of DicomSeries
        The scans.
    damaged : tuple of (Path, str)
        Files that cannot be read, each with the reason.
    notices : tuple of str
        What was left out because it holds no picture.
    """

    series: tuple[DicomSeries, ...]
    damaged: tuple[tuple[Path, str], ...]
    notices: tuple[str, ...]


def dicom_folder(path: str | Path) -> DicomFolder:
    """List the scans as `dicom_series` does, and continue where a file is damaged.

    Raises
    ------
    InputError
        If a DICOMDIR names a file that is missing.
    """
    good, damaged = [], []
    for file in dicom_files(Path(path)):
        try:
            header = read_header(file)
            if kind_without_image(header) is None:
                check_is_image(header, file)
        except InputError as error:
            damaged.append((file, error.plain))
        else:
            good.append((file, header))
    groups, notices = _by_scan(good)
    listed = [_listed(n, group) for n, group in enumerate(groups.values(), start=1)]
    return DicomFolder(tuple(listed), tuple(damaged), tuple(notices))


def dicom_files(path: Path) -> list[Path]:
    """Return the DICOM files of a folder or of a DICOMDIR, in natural order."""
    if path.is_dir():
        directory = next((p for p in path.iterdir() if is_directory(p)), None)
        if directory is None:
            return sorted(filter(_may_be_dicom, path.iterdir()), key=natural_key)
        path = directory
    return _named_by(path)


def first_dicom(path: Path) -> Path | None:
    """Return a DICOM file of a scan's file, folder or DICOMDIR, None if it has none."""
    if path.is_dir() or is_directory(path):
        is_dicom = is_directory(path) or not frames_in(path)
        return next(iter(dicom_files(path)), None) if is_dicom else None
    return path if _may_be_dicom(path) else None


def is_directory(path: Path) -> bool:
    """Return whether a file is called DICOMDIR."""
    return path.name.upper() == "DICOMDIR" and isfile(path)


def grouped(
    files: Iterable[Path],
) -> tuple[dict[tuple[str, ...], list[tuple[Path, Any]]], list[str]]:
    """Return files with their headers by scan, and what was left out in words.

    Raises
    ------
    InputError
        If a file is damaged, or none holds a picture.
    """
    read = [(path, read_header(path)) for path in files]
    for path, header in read:
        if kind_without_image(header) is None:
            check_is_image(header, path)
    groups, notices = _by_scan(read)
    if not groups and read:
        path, header = read[0]
        check_is_image(header, path)
    return groups, notices


def _by_scan(
    read: Sequence[tuple[Path, Any]],
) -> tuple[dict[tuple[str, ...], list[tuple[Path, Any]]], list[str]]:
    """Return pictures by scan, and in words what is none."""
    groups: dict[tuple[str, ...], list[tuple[Path, Any]]] = {}
    others: Counter[str] = Counter()
    for path, header in read:
        kind = kind_without_image(header)
        if kind is not None:
            others[kind] += 1
            continue
        several = str(path) if frame_count(header) > 1 else ""
        key = (*map(str, _patient(header)), str(value_of(header, "SeriesInstanceUID")))
        groups.setdefault((*key, several), []).append((path, header))
    notices = [
        f"{count} file{'s' if count > 1 else ''} beside the scan held {kind}, no "
        f"image; {'they were' if count > 1 else 'it was'} left out."
        for kind, count in sorted(others.items())
    ]
    return groups, notices


def only_series(path: Path) -> tuple[list[tuple[Path, Any]], list[str]]:
    """Return the files of the one scan in a folder, in the order of its frames.

    Raises
    ------
    InputError
        If there is none or more than one, or files of two patients.
    """
    groups, notices = grouped(dicom_files(path))
    drawn = [key for key, group in groups.items() if is_segmentation(group[0][1])]
    if len(drawn) == len(groups) - 1:  # the scan, and what was drawn on it
        for key in drawn:
            del groups[key]
        if drawn:
            notices.append(_left_out(len(drawn)))
    patients = {key[:-2] for key in groups}
    if len(patients) > 1:
        raise InputError(
            "A folder of DICOM files must be of one patient; got files of "
            f"{len(patients)} in {path.name}. Put each patient's files in a folder of "
            "their own.",
            plain=f"{path.name} holds files of {len(patients)} patients. Keep one scan "
            "per folder.",
        )
    if len(groups) != 1:
        listed = [_listed(n, g) for n, g in enumerate(groups.values(), start=1)]
        named = "; ".join(f"{s.number}: {s.description}" for s in listed[:6])
        named = f" ({named}{'; …' if len(listed) > 6 else ''})" if named else ""
        raise InputError(
            f"A folder of DICOM files must hold one series; got {len(groups)}{named} "
            f"in {path.name}. Choose one, or put each in a folder of its own.",
            plain=f"{path.name} holds {len(groups)} series{named}. Choose one, or keep "
            "one scan per folder.",
        )
    return in_order(next(iter(groups.values()))), notices


def _left_out(count: int) -> str:
    what = "1 segmentation was" if count == 1 else f"{count} segmentations were"
    return f"{what} left out of the folder's scan. Open it by its file."


def in_order(group: Sequence[tuple[Path, Any]]) -> list[tuple[Path, Any]]:
    """Sort single frames by their place, else by their number, else by their name."""
    places = [_along_normal(header) for _, header in group]
    known = [place for place in places if place is not None]
    turned = {numbers(header, "ImageOrientationPatient", 6) for _, header in group}
    if len(turned) == 1 and len(known) == len(group) and len(set(known)) == len(group):
        order = sorted(range(len(group)), key=known.__getitem__)
        return [group[index] for index in order]
    numbered = [number(header, "InstanceNumber") for _, header in group]
    if None not in numbered and len(set(numbered)) == len(group):
        by_number = sorted(range(len(group)), key=lambda i: numbered[i] or 0.0)
        return [group[index] for index in by_number]
    return sorted(group, key=lambda one: natural_key(one[0]))


def _along_normal(header: Any) -> float | None:
    place = numbers(header, "ImagePositionPatient", 3)
    six = numbers(header, "ImageOrientationPatient", 6)
    if place is None or six is None:
        return None
    (a, b, c), (d, e, f) = six[:3], six[3:]
    normal = b * f - c * e, c * d - a * f, a * e - b * d
    return round(sum(n * p for n, p in zip(normal, place, strict=True)), 6)


def _patient(header: Any) -> tuple[Any, ...]:
    """Return what distinguishes patients; it is compared and goes nowhere."""
    identity = value_of(header, "PatientID")
    if identity is not None:
        return (identity,)
    return value_of(header, "PatientName"), value_of(header, "PatientBirthDate")


def _listed(position: int, group: Sequence[tuple[Path, Any]]) -> DicomSeries:
    ordered = in_order(group)
    header = ordered[0][1]
    rows, columns = frame_shape(header)
    frames = sum(frame_count(one) for _, one in ordered)
    modality = _MODALITIES.get(str(value_of(header, "Modality")), "a picture")
    plural = "frames" if frames > 1 else "frame"
    return DicomSeries(
        position,
        frames,
        rows,
        columns,
        f"{modality}, {frames} {plural} of {rows} × {columns}",
        tuple(path for path, _ in ordered),
    )


def _named_by(directory: Path) -> list[Path]:
    header = read_header(directory)
    media = getattr(header, "file_meta", {})
    if str(value_of(media, "MediaStorageSOPClassUID")) != DIRECTORY:
        raise damaged(Path(directory.name), "DICOM")
    files = []
    for record in items(header, "DirectoryRecordSequence"):
        parts = value_of(record, "ReferencedFileID")
        if str(value_of(record, "DirectoryRecordType")) != "IMAGE" or parts is None:
            continue
        names = [parts] if isinstance(parts, str) else [str(part) for part in parts]
        path = _found(directory.parent, names)
        if path is None:
            raise InputError(
                "The files that a DICOMDIR names must lie beside it; got one that is "
                f"missing of those in {directory.name}. Copy the whole disc.",
                plain=f"Files that {directory.name} lists are missing. Copy the whole "
                "disc and try again.",
            )
        files.append(path)
    return files


def _found(folder: Path, names: Sequence[str]) -> Path | None:
    """Return a file below ``folder``, whatever the case of its name."""
    for name in names:
        if (
            name in ("", ".", "..")
            or "/" in name
            or "\\" in name
            or not folder.is_dir()
        ):
            return None
        exact = folder / name
        if not exact.exists():
            folded = (p for p in folder.iterdir() if p.name.upper() == name.upper())
            exact = next(folded, exact)
        folder = exact
    return folder if folder.is_file() else None


def _may_be_dicom(path: Path) -> bool:
    """Recognise a DICOM file by its ending, or by the letters after its preamble."""
    if path.name.startswith(".") or not path.is_file():
        return False
    if path.suffix.lower() in (".dcm", ".dicom", ".ima"):
        return True
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
