"""Fetch a public file: resumable, with progress, and verified before it counts."""

from __future__ import annotations

import base64
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import DownloadError, OutputError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.core.files import reach_disk

if TYPE_CHECKING:
    from collections.abc import Generator

_CHUNK = 1 << 18
_TIMEOUT_S = 30.0
_ATTEMPTS = 5


@dataclass(frozen=True)
class RemoteFile:
    """Where a file is, and how it is recognised.

    Attributes
    ----------
    url : str
        An http or https address.
    name : str
        The file's name on this computer.
    size : int, optional
        Length in bytes.
    checksum : str, optional
        ``algorithm:hexadecimal digest``, such as ``sha256:ab12…`` or ``md5:…``.
        Without it, the digest that the server may send is used (Google's storage
        does), which proves the transfer but not the origin.
    """

    url: str
    name: str
    size: int | None = None
    checksum: str | None = None


def download(
    file: RemoteFile,
    folder: str | Path,
    *,
    overwrite: bool = False,
    pause_s: float = 1.0,
) -> Generator[Event, None, Path]:
    """Fetch a file into a folder; yield progress in bytes, return its path.

    What has arrived is kept in ``<name>.part``: a broken connection is resumed five
    times at once, and a cancelled or failed download when it is next called. The
    final name appears only once size and checksum are right. A file already there
    that is right is not fetched again.

    Parameters
    ----------
    file : RemoteFile
        What to fetch.
    folder : path
        Where to; made if missing.
    overwrite : bool
        Replace a file of that name which is not the right one.
    pause_s : float
        Wait before the first new attempt, doubled for each further one.

    Raises
    ------
    DownloadError
        If the server cannot be reached or refuses, or the file is not the right one.
    OutputError
        If another file has that name, or the folder cannot be written.
    """
    target = Path(folder) / file.name
    if target.exists():
        if _fault(target, file.size, file.checksum) is None:
            yield Notice(f"{file.name} is already here.")
            return target
        if not overwrite:
            raise OutputError(
                f"The name must be free or hold the right file; got {target}, which "
                "differs from the published one. Move it, or overwrite it.",
                plain=(
                    f"{target} is there already and differs from the published "
                    "file. Move it, or overwrite it."
                ),
            )
    part = target.with_name(f"{file.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        checksum = yield from _fetch_persistently(file, part, pause_s)
        # A resumed file may mix two versions: its digest shows it, and it starts again.
        fault = _fault(part, file.size, file.checksum or checksum)
        if fault is not None:
            part.unlink()
            _tag(part).unlink(missing_ok=True)
            raise DownloadError(
                f"{file.name} must be the published file; got {fault}. "
                "Fetch it again, and report it if that does not help.",
                plain=(
                    f"What arrived is not the published {file.name} ({fault}). "
                    "Fetch it again, and report it if that does not help."
                ),
            )
        reach_disk(part)
        part.replace(target)
        reach_disk(target.parent)
        _tag(part).unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, (DownloadError, OutputError)):
            raise
        raise OutputError(
            f"Cannot write to {target.parent} "
            f"({error.strerror or error}). Choose another, or free some space."
        ) from error
    return target


def _fetch_persistently(
    file: RemoteFile, part: Path, pause_s: float
) -> Generator[Event, None, str | None]:
    """Fetch into ``part``, resuming broken connections; return the server's digest."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return (yield from _fetch(file, part))
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == _ATTEMPTS:
                raise _failure(file, f"HTTP {error.code} {error.reason}") from error
        except _NETWORK_ERRORS as error:
            if attempt == _ATTEMPTS:
                raise _failure(file, getattr(error, "reason", error)) from error
        yield Notice(f"The connection broke; resuming {file.name}.")
        time.sleep(pause_s * 2 ** (attempt - 1))
    raise AssertionError("the last attempt returns or raises")


class _Broken(Exception):
    """The network failed in the middle; what has arrived is kept."""


_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, _Broken)


def _failure(file: RemoteFile, reason: object) -> DownloadError:
    return DownloadError(
        f"{file.url} must be reachable; got {reason}. "
        "Check the connection and try again: what has arrived is kept.",
        plain=(
            f"{file.url} cannot be reached ({reason}). Check the "
            "connection and try again: what has arrived is kept."
        ),
    )


def _fetch(file: RemoteFile, part: Path) -> Generator[Event, None, str | None]:
    """Make one connection, from where ``part`` ends; return the server's digest."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(file.url, headers={"User-Agent": "napari-microus"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if _tag(part).exists():
            # Have the whole file sent if it changed since the first part came.
            request.add_header("If-Range", _tag(part).read_text(encoding="ascii"))
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # Nothing follows what we have: it is whole, or of an older, longer file.
        error.close()
        if file.size == have:
            return None
        part.unlink()
        raise _Broken("what had arrived is longer than the file") from error
    except (ConnectionError, TimeoutError) as error:
        raise _Broken(str(error)) from error
    with response:
        if response.status != 206:
            have = 0
        tag = response.headers.get("ETag", "")
        if tag and not tag.startswith("W/"):
            _tag(part).write_text(tag, encoding="ascii")
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else file.size
        if file.size is not None and total != file.size:
            raise DownloadError(
                f"{file.name} must have {file.size} bytes; got {total} from "
                f"{file.url}. The address may serve another version now.",
                plain=(
                    f"{file.url} offers {total} bytes, and {file.name} has "
                    f"{file.size}. It may be another version now."
                ),
            )
        with part.open("ab" if have else "wb") as output:
            while chunk := _read(response):
                output.write(chunk)
                have += len(chunk)
                yield Progress(have, max(total or 0, have), "bytes", file.name)
        if total is not None and have < total:
            raise _Broken(f"the connection ended after {have} of {total} bytes")
        return _server_checksum(response.headers.get_all("x-goog-hash") or [])


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(str(error)) from error


def _server_checksum(headers: list[str]) -> str | None:
    """Return the MD5 in Google storage's ``x-goog-hash: crc32c=…, md5=…``."""
    for entry in ",".join(headers).split(","):
        name, _, value = entry.strip().partition("=")
        if name == "md5":
            return f"md5:{base64.b64decode(value).hex()}"
    return None


def _fault(path: Path, size: int | None, checksum: str | None) -> str | None:
    """Return how a file differs from the expected one, or None."""
    if size is not None and path.stat().st_size != size:
        return f"{path.stat().st_size} bytes instead of {size}"
    if checksum is not None:
        algorithm, _, expected = checksum.partition(":")
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, algorithm).hexdigest()
        if found != expected.lower():
            return f"{algorithm} {found} instead of {expected}"
    return None


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")
