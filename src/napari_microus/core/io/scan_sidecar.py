"""Where the properties of a scan are kept: ``NAME.scan.json``, or a folder's one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.files import atomic_write
from napari_microus.core.io.names import stem_of
from napari_microus.core.io.scan_properties import FORMAT, ScanProperties

if TYPE_CHECKING:
    from typing import Any

FOLDER_SIDECAR = "scan.json"

# Nobody writes more about a scan; a larger file is something else.
_MOST_BYTES = 1 << 20


def scan_sidecar_of(path: str | Path) -> Path:
    """Return where the properties of a scan, or of a folder of frames, are written."""
    path = Path(path)
    if path.is_dir():
        return path / FOLDER_SIDECAR
    return path.parent / f"{stem_of(path)}.{FOLDER_SIDECAR}"


def find_scan_properties(path: str | Path) -> Path | None:
    """Return the file that states the properties of a scan, None where there is none.

    The first of ``NAME.scan.json`` beside a file, that of the scan over which a mask
    was drawn as its provenance states, and ``scan.json`` of our format in the folder of
    a file or of frames. Others call files ``scan.json`` too: a foreign one is left
    alone.
    """
    path = Path(path)
    own = scan_sidecar_of(path)
    if own.name != FOLDER_SIDECAR and own.is_file():
        return own
    scan = _scan_of_mask(path)
    if scan is not None and scan.is_file():
        return scan
    shared = (path if path.is_dir() else path.parent) / FOLDER_SIDECAR
    return shared if shared.is_file() and _is_ours(shared) else None


def read_scan_properties(path: str | Path) -> ScanProperties:
    """Return what a person stated about the scan at ``path``, nothing if there is none.

    Raises
    ------
    InputError
        If the file that states it is damaged or holds what cannot be.
    """
    sidecar = find_scan_properties(path)
    if sidecar is None:
        return ScanProperties()
    stated = _json(sidecar)
    if stated is None:
        raise InputError(
            f"Scan properties must be JSON; got {sidecar.name}. Correct or remove it.",
            plain=(
                f"The scan properties, {sidecar.name}, are damaged. Correct or "
                "remove the file."
            ),
        )
    try:
        return ScanProperties.from_dict(stated)
    except InputError as error:
        said = f" The file is {sidecar.name}."
        raise InputError(f"{error}{said}", plain=f"{error.plain}{said}") from error


def write_scan_properties(path: str | Path, properties: ScanProperties) -> Path:
    """Write the properties of a scan beside it, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The scan's file; or a folder, whose scans share them.
    properties : ScanProperties
        Replaces what was stated; empty ones remove the file.

    Returns
    -------
    Path
        Where they are.

    Raises
    ------
    InputError
        If there is no such scan.
    OutputError
        If a file of others is in the place, or it cannot be written.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"The scan must exist; got {path}. Check the path.",
            plain=f"There is no scan {path}. Check the path.",
        )
    sidecar = scan_sidecar_of(path)
    if sidecar.exists() and not _is_ours(sidecar):
        raise OutputError(
            f"Scan properties must not replace a file of others; got {sidecar}. Rename "
            "that file.",
            plain=(
                f"{sidecar} is another program's file, in the way of the scan "
                "properties. Rename that file."
            ),
        )
    if properties.is_empty:
        sidecar.unlink(missing_ok=True)
        return sidecar
    text = json.dumps(properties.to_dict(), indent=2, ensure_ascii=False) + "\n"
    with atomic_write(sidecar, overwrite=True) as beside:
        beside.write_text(text, encoding="utf-8")
    return sidecar


def _scan_of_mask(path: Path) -> Path | None:
    """Return where the properties of a mask's scan lie, None if it states no scan."""
    stated = None if path.is_dir() else _json(path.parent / f"{stem_of(path)}.json")
    name = stated.get("image") if isinstance(stated, dict) else None
    if not isinstance(name, str) or not name or Path(name).name != name:
        return None
    return path.parent / f"{stem_of(name)}.{FOLDER_SIDECAR}"


def _is_ours(path: Path) -> bool:
    stated = _json(path)
    return isinstance(stated, dict) and stated.get("format") == FORMAT


def _json(path: Path) -> Any:
    """Return what a JSON file holds, None for anything else."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
