"""Fetch the public micro-ultrasound dataset and unpack it safely."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from napari_microus.core.download import RemoteFile, download
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Notice, Progress

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
            f"The dataset's folder must be new; got {target}. Use it, or remove it."
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
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with zipfile.ZipFile(archive) as content:
            members = [m for m in content.infolist() if not m.is_dir()]
            for member in members:
                _check_member(member, archive)
            total = sum(member.file_size for member in members)
            done = 0
            for member in members:
                path = beside / "content" / PurePosixPath(member.filename)
                path.parent.mkdir(parents=True, exist_ok=True)
                with content.open(member) as source, path.open("wb") as sink:
                    while block := source.read(_BLOCK):
                        sink.write(block)
                        done += len(block)
                        yield Progress(done, total, "bytes", "Unpacking")
        inside = [p for p in (beside / "content").iterdir() if p.name != "__MACOSX"]
        single = len(inside) == 1 and inside[0].is_dir()
        (inside[0] if single else beside / "content").rename(target)
    except zipfile.BadZipFile as error:
        raise InputError(
            f"The archive must be a whole zip file; got {archive} ({error}). "
            "Fetch it again."
        ) from error
    except OSError as error:
        raise OutputError(
            f"Cannot write to {target} ({error.strerror or error}). "
            "Check the free space and the permissions."
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def _check_member(member: zipfile.ZipInfo, archive: Path) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    link = stat.S_ISLNK(member.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or link:
        raise InputError(
            f"An archive's members must stay in its folder; got {member.filename!r} "
            f"in {archive}. Do not use this archive."
        )
