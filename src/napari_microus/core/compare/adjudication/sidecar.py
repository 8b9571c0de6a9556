"""The files of an adjudication: mask, provenance map and, in JSON, its sidecar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.compare.adjudication.document import (
    Origin,
    to_document,
)
from napari_microus.core.compare.adjudication.document_check import check_kind
from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress, drain
from napari_microus.core.files import atomic_write
from napari_microus.core.io.reading import stem_of
from napari_microus.core.io.writing import sidecar_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_microus.core.compare.adjudication.session import Adjudication
    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume

# The first six stood here; for one release.
__all__ = [
    *("Origin", "check_fit", "from_document", "place_of", "read_adjudication"),
    *("to_document", "adjudication_files", "provenance_of", "read_document"),
    *("save_adjudication", "write_document"),
]

_AT_ONCE = 500


def read_document(path: str | Path) -> dict[str, Any]:
    """Read a sidecar or a journal.

    Raises
    ------
    InputError
        If the file is missing, no JSON, or of another kind or a newer version.
    """
    try:
        document = json.loads(
            Path(path).read_text(encoding="utf-8"), parse_constant=_no_number
        )
    except OSError as error:
        raise InputError(
            f"The sidecar must be readable; got {path} ({error.strerror}). "
            "Keep it beside the adjudicated mask.",
            plain=(
                f"The record of decisions {path} cannot be read ({error.strerror}). "
                "Keep it beside the adjudicated mask."
            ),
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"The sidecar must be JSON; got {path}, which is not. Load another copy.",
            plain=f"{path} is damaged, or no record of decisions. Load another copy.",
        ) from error
    check_kind(document)
    return dict(document)


def write_document(
    document: dict[str, Any], path: str | Path, *, overwrite: bool = False
) -> None:
    """Write a document as JSON, whole or not at all."""
    with (
        atomic_write(path, overwrite=overwrite) as part,
        part.open("w", encoding="utf-8") as file,
    ):
        file.writelines(_encoded(document))


def _encoded(document: dict[str, Any]) -> Iterator[str]:
    """Yield a document as JSON in pieces: encoding one holds every thread up."""

    def text(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)

    for number, (key, value) in enumerate(document.items()):
        yield f"{',' if number else '{'}{text(key)}:"
        if isinstance(value, list) and len(value) > _AT_ONCE:
            for start in range(0, len(value), _AT_ONCE):
                piece = text(value[start : start + _AT_ONCE])[1:-1]
                yield f"{',' if start else '['}{piece}"
            yield "]"
        else:
            yield text(value)
    yield "}" if document else "{}"


def provenance_of(mask_path: str | Path) -> Path:
    """Return where the provenance map of an adjudicated mask lies."""
    path = Path(mask_path)
    stem = stem_of(path)
    return path.with_name(f"{stem}_provenance{path.name[len(stem) :]}")


def save_adjudication(
    work: Adjudication,
    origin: Origin,
    grid: Volume,
    mask_path: str | Path,
    *,
    overwrite: bool = False,
) -> tuple[Path, Path, Path]:
    """Write the mask, its provenance map and the sidecar.

    Parameters
    ----------
    work, origin
        What to save.
    grid : Volume
        Where the masks lie.
    mask_path : path
        NIfTI file for the mask; the others lie beside it.
    overwrite : bool
        Replace files of these names.

    Returns
    -------
    tuple of Path
        Mask, provenance and sidecar.

    Raises
    ------
    OutputError
        If a file exists and ``overwrite`` is False; nothing is written then.
    """
    return drain(adjudication_files(work, origin, grid, mask_path, overwrite=overwrite))


def adjudication_files(
    work: Adjudication,
    origin: Origin,
    grid: Volume,
    mask_path: str | Path,
    *,
    overwrite: bool = False,
) -> Generator[Event, None, tuple[Path, Path, Path]]:
    """Do what `save_adjudication` does; yields after each file.

    The sidecar comes last: without it the other two are no adjudication.
    """
    from napari_microus.core.errors import OutputError
    from napari_microus.core.io import write_mask

    mask_path = Path(mask_path)
    paths = (mask_path, provenance_of(mask_path), sidecar_of(mask_path))
    for path in paths:
        if path.exists() and not overwrite:
            raise OutputError(
                f"{path} already exists. Choose another name, or overwrite it."
            )
    arrays = (work.mask, work.provenance)
    for number, (array, path) in enumerate(zip(arrays, paths, strict=False), start=1):
        write_mask(grid.like(array), path, overwrite=overwrite)
        yield Progress(number, len(paths), "files", "Saving")
    write_document(to_document(work, origin), paths[2], overwrite=overwrite)
    return paths


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
