"""Save an adjudication beside its mask, and go on where one stopped."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.compare.adjudication.run_lengths import decode_runs
from napari_microus.core.compare.adjudication.session import (
    PROVENANCE_NAMES,
    Adjudication,
    Decision,
    LogEntry,
    Verdict,
    now,
)
from napari_microus.core.compare.regions import DisputedRegion
from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress, drain
from napari_microus.core.files import atomic_write
from napari_microus.core.io.reading import stem_of
from napari_microus.core.io.writing import sidecar_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume

FORMAT = "napari-microus-adjudication"
VERSION = 1
_REGIONS_AT_ONCE = 100


@dataclass(frozen=True)
class Origin:
    """What an adjudication was made from, as far as the viewer knows.

    ``expert`` and ``nonexpert`` name the masks, ``spacing_mm`` is (z, y, x), and
    ``settings`` holds how the regions were found and whether one worked blind.
    """

    expert: str = ""
    nonexpert: str = ""
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    settings: dict[str, Any] = field(default_factory=dict)


def to_document(work: Adjudication, origin: Origin) -> dict[str, Any]:
    """Return the adjudication as JSON-ready data; see docs/adjudication-schema.json."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "created": work.created,
        "modified": now(),
        "who": work.who,
        "expert": origin.expert,
        "nonexpert": origin.nonexpert,
        "shape": list(work.codes.shape),
        "spacing_mm": list(origin.spacing_mm),
        "masks_sha256": work.digest,
        "settings": origin.settings,
        "provenance_codes": {str(c): name for c, name in PROVENANCE_NAMES.items()},
        "regions": [
            _region(region, work.verdicts.get(region.number), runs)
            for region, runs in zip(work.regions, work.region_runs, strict=True)
        ],
        "log": [
            {
                "when": entry.when,
                "who": entry.who,
                "region": entry.region,
                "action": "undo" if entry.decision is None else "decide",
                "decision": entry.decision,
            }
            for entry in work.log
        ],
        "hand_drawn": {str(v): runs for v, runs in work.drawn_by_hand().items()},
    }


def from_document(
    document: dict[str, Any],
    codes: NDArray[np.uint8],
    start: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]] | None = None,
) -> tuple[Adjudication, Origin, str | None]:
    """Resume an adjudication over the same two masks.

    Parameters
    ----------
    document : dict
        From `to_document`.
    codes : ndarray of uint8, shape (Z, Y, X)
        `disagreement_map` of the masks as they are now.
    start : tuple of three ndarray, optional
        See `Adjudication`.

    Returns
    -------
    Adjudication, Origin, str or None
        The last is a sentence if the masks have changed since: decisions then hold
        where pixels are still disputed.

    Raises
    ------
    InputError
        If the document is of another kind, of a newer version, damaged, or made for
        masks of another size.
    """
    return drain(read_adjudication(document, codes, start))


def read_adjudication(
    document: dict[str, Any],
    codes: NDArray[np.uint8],
    start: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]] | None = None,
) -> Generator[Event, None, tuple[Adjudication, Origin, str | None]]:
    """Do what `from_document` does; yields while it reads the regions."""
    check_document(document)
    if tuple(document["shape"]) != codes.shape:
        raise InputError(
            f"The adjudication must fit the masks; got {tuple(document['shape'])} and "
            f"{codes.shape}. Load the masks that it was made from."
        )
    try:
        regions = []
        for item in document["regions"]:
            regions.append(_read_region(item, codes.shape))
            if len(regions) % _REGIONS_AT_ONCE == 0:
                total = len(document["regions"])
                yield Progress(len(regions), total, "regions", "Reading the decisions")
        work = Adjudication(codes, regions, who=str(document["who"]), start=start)
        work.created = str(document["created"])
        work.log = [_read_log(item) for item in document["log"]]
        verdicts = {
            int(item["number"]): Verdict(
                Decision(item["decision"]), str(item["who"]), str(item["when"])
            )
            for item in document["regions"]
            if item["decision"] is not None
        }
        drawn = {
            int(value): decode_runs(runs, codes.shape)
            for value, runs in document["hand_drawn"].items()
        }
        origin = Origin(
            str(document["expert"]),
            str(document["nonexpert"]),
            _three(document["spacing_mm"]),
            dict(document["settings"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"A sidecar must be complete; got one without a usable {error}. "
            "Load another copy."
        ) from error
    yield from work.restore(verdicts, drawn)
    changed = None
    if work.digest != document.get("masks_sha256"):
        changed = (
            "The masks have changed since this adjudication was saved: decisions hold "
            "where pixels are still disputed. Find the regions again to see new ones."
        )
    return work, origin, changed


def check_document(document: Any) -> None:
    """Refuse what is no adjudication of a version this program can read.

    Raises
    ------
    InputError
        With a sentence that names the version and what to do.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(
            f"The sidecar must be a {FORMAT} file; got another kind of JSON. "
            "Choose the file that lies beside the adjudicated mask."
        )
    version = document.get("version")
    if not isinstance(version, int) or version < 1:
        raise InputError(
            f"A sidecar must carry a version; got {version!r}. Load another copy."
        )
    if version > VERSION:
        raise InputError(
            f"A sidecar must be of version {VERSION} or older; got {version}. "
            "Update napari-microus, or use the version that saved it."
        )


def read_document(path: str | Path) -> dict[str, Any]:
    """Read a sidecar or a journal.

    Raises
    ------
    InputError
        If the file is missing, no JSON, or `check_document` refuses it.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"The sidecar must be readable; got {path} ({error.strerror}). "
            "Keep it beside the adjudicated mask."
        ) from error
    except ValueError as error:
        raise InputError(
            f"The sidecar must be JSON; got {path}, which is not. Load another copy."
        ) from error
    check_document(document)
    return dict(document)


def write_document(
    document: dict[str, Any], path: str | Path, *, overwrite: bool = False
) -> None:
    """Write a document as JSON, whole or not at all."""
    with atomic_write(path, overwrite=overwrite) as part:
        part.write_text(
            json.dumps(document, separators=(",", ":"), allow_nan=False),
            encoding="utf-8",
        )


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
                f"The output must not exist yet; got {path}. "
                "Choose another name, or overwrite it."
            )
    arrays = (work.mask, work.provenance)
    for number, (array, path) in enumerate(zip(arrays, paths, strict=False), start=1):
        write_mask(grid.like(array), path, overwrite=overwrite)
        yield Progress(number, len(paths), "files", "Saving")
    write_document(to_document(work, origin), paths[2], overwrite=overwrite)
    return paths


def _region(
    region: DisputedRegion, verdict: Verdict | None, runs: list[int]
) -> dict[str, Any]:
    finite = math.isfinite(region.distance_mm)
    return {
        "number": region.number,
        "decision": verdict.decision if verdict else None,
        "who": verdict.who if verdict else None,
        "when": verdict.when if verdict else None,
        "box": [[part.start, part.stop] for part in region.box],
        "frame": region.frame,
        "drawn_by": region.drawn_by,
        "distance_mm": round(region.distance_mm, 6) if finite else None,
        "area_mm2": round(region.area_mm2, 6),
        "extent_mm": round(region.extent_mm, 6),
        "pixels": region.pixels,
        "frames": region.frames,
        "runs": runs,
    }


def _read_region(item: dict[str, Any], shape: tuple[int, ...]) -> DisputedRegion:
    z, y, x = (slice(int(start), int(stop)) for start, stop in item["box"])
    inside = np.zeros(tuple(part.stop - part.start for part in (z, y, x)), bool)
    indices = np.unravel_index(decode_runs(item["runs"], shape), shape)
    origin = (z.start, y.start, x.start)
    local = tuple(axis - start for axis, start in zip(indices, origin, strict=True))
    if any(
        (axis < 0).any() or (axis >= size).any()
        for axis, size in zip(local, inside.shape, strict=True)
    ):
        raise InputError(
            f"Region {item['number']} must lie inside its box; got pixels outside. "
            "The file is damaged: load an older copy."
        )
    inside[local] = True
    distance = item["distance_mm"]
    return DisputedRegion(
        number=int(item["number"]),
        box=(z, y, x),
        mask=inside,
        frame=int(item["frame"]),
        distance_mm=math.inf if distance is None else float(distance),
        area_mm2=float(item["area_mm2"]),
        pixels=int(item["pixels"]),
        extent_mm=float(item["extent_mm"]),
        frames=int(item["frames"]),
        drawn_by=str(item["drawn_by"]),
    )


def _read_log(item: dict[str, Any]) -> LogEntry:
    decision = None if item["action"] == "undo" else Decision(item["decision"])
    return LogEntry(str(item["when"]), str(item["who"]), int(item["region"]), decision)


def _three(values: list[float]) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return z, y, x
