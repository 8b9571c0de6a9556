"""Fetch the public micro-ultrasound dataset and unpack it safely."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from napari_microus.core.download import RemoteFile, download
from napari_microus.core.errors import (
    BROKEN_FILE,
    InputError,
    MicroUSError,
    OutputError,
)
from napari_microus.core.events import Notice, Progress
from napari_microus.core.files import atomic_folder

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.events import Event

MICRO_US = RemoteFile(
    url=(
        "https://zenodo.org/records/10475293/files/"
        "Micro_Ultrasound_Prostate_Segmentation_Dataset.zip"
    ),
    name="Micro_Ultrasound_Prostate_Segmentation_Dataset.zip",
    checksum=(
        "sha256:031645dc30948314e379d0a0a7d54bad1cd4e1f3f918b77455d69810aa05dce3"
    ),
)
LICENCE = (
    "Micro-Ultrasound Prostate Segmentation Dataset, Jiang et al. 2024, Zenodo "
    "10475293, CC-BY-4.0: name its authors where you show it."
)
_BLOCK = 1 << 20
_MACOS = "__MACOSX/"
# Scans are packed already: nothing honest packs much further.
_MOST_PACKED = 100
_ALWAYS_FINE = 1 << 30


def fetch_micro_us(
    folder: str | Path, *, file: RemoteFile = MICRO_US
) -> Generator[Event, None, Path]:
    """Download the public dataset, verify it, and unpack it into a new folder.

    Parameters
    ----------
    folder : path
        Where the archive is kept; the scans go to ``folder/micro_us``.
    file : RemoteFile
        The archive; another address serves a mirror or a test.

    Yields
    ------
    Event
        Progress in bytes, and the licence.

    Returns
    -------
    Path
        The folder with ``train`` and ``test``.

    Raises
    ------
    DownloadError
        If the archive cannot be fetched or is not the published one.
    OutputError
        If the folder exists or cannot be written.
    """
    target = Path(folder) / "micro_us"
    if target.exists():
        raise OutputError(
            f"The dataset's folder must be new; got {target}. Use it, or remove it.",
            plain=f"{target} is there already, and is kept. Use it, or remove it.",
        )
    archive = yield from download(file, folder)
    root = yield from unzip(archive, target)
    yield Notice(LICENCE)
    return root


def unzip(archive: Path, target: Path) -> Generator[Event, None, Path]:
    """Unpack an archive into a new folder, whole or not at all.

    Members that would land outside ``target`` and links are refused. Where all
    members share one top folder, that level is left out.

    Raises
    ------
    InputError
        If the file is no zip archive, is damaged, or holds an unsafe member.
    OutputError
        If the folder cannot be written.
    """
    try:
        with atomic_folder(target) as beside, zipfile.ZipFile(archive) as content:
            members = [m for m in content.infolist() if not m.is_dir()]
            for member in members:
                _check_member(member, archive)
            members = [m for m in members if not m.filename.startswith(_MACOS)]
            total = sum(member.file_size for member in members)
            _check_room(total, archive, target)
            top = _top_folder(members)
            done = 0
            for member in members:
                path = beside / PurePosixPath(member.filename).relative_to(top)
                path.parent.mkdir(parents=True, exist_ok=True)
                with content.open(member) as source, path.open("wb") as sink:
                    while block := source.read(_BLOCK):
                        sink.write(block)
                        done += len(block)
                        yield Progress(done, total, "bytes", "Unpacking")
    except MicroUSError:
        raise
    except BROKEN_FILE as error:  # zipfile's own, zlib's, and of what it cannot do
        raise InputError(
            f"The archive must be a whole zip file; got {archive} ({error}). "
            "Fetch it again.",
            plain=(
                f"Cannot unpack {archive}: not a zip file, or incomplete. "
                "Fetch it again."
            ),
        ) from error
    return target


def _check_member(member: zipfile.ZipInfo, archive: Path) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    link = stat.S_ISLNK(member.external_attr >> 16)
    is_inside = not path.is_absolute() and path.parts and ".." not in path.parts
    if not is_inside or ":" in path.parts[0] or link:
        raise InputError(
            f"An archive's members must stay in its folder; got {member.filename!r} "
            f"in {archive}. Do not use this archive.",
            plain=(
                f"{archive.name} would write outside its folder "
                f"('{member.filename}'). Do not use this archive."
            ),
        )


def _check_room(total: int, archive: Path, target: Path) -> None:
    """Refuse an archive that would fill the disk, by mistake or on purpose."""
    packed = archive.stat().st_size
    if total > max(_ALWAYS_FINE, _MOST_PACKED * packed):
        raise InputError(
            f"An archive must hold no more than {_MOST_PACKED} times its own size; got "
            f"{total >> 20} MiB in {packed >> 10} KiB of {archive}. Do not use this "
            "archive.",
            plain=(
                f"{archive.name} has {packed >> 10} KiB and would grow to "
                f"{total >> 20} MiB, which is no data set. Do not use this "
                "archive."
            ),
        )
    free = shutil.disk_usage(target.parent).free
    if total > free:
        raise OutputError(
            f"The folder of the dataset must have {total >> 20} MiB free; got "
            f"{free >> 20} in {target.parent}. Free some space.",
            plain=(
                f"{target.parent} has {free >> 20} MiB free, and the data set "
                f"needs {total >> 20}. Free some space."
            ),
        )


def _top_folder(members: list[zipfile.ZipInfo]) -> PurePosixPath:
    """Return the one folder that all members lie in, "." if there is none."""
    paths = [PurePosixPath(member.filename) for member in members]
    tops = {path.parts[0] for path in paths}
    is_single = len(tops) == 1 and all(len(path.parts) > 1 for path in paths)
    return PurePosixPath(tops.pop()) if is_single else PurePosixPath()
