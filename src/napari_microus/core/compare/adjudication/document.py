"""An adjudication as JSON-ready data, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from napari_microus.core.compare.adjudication.document_check import (
    FORMAT,
    VERSION,
    check_kind,
    checking_document,
)
from napari_microus.core.compare.adjudication.history import (
    LogEntry,
    Note,
    Verdict,
    history_from_json,
)
from napari_microus.core.compare.adjudication.run_lengths import decode_runs
from napari_microus.core.compare.adjudication.session import Adjudication, now
from napari_microus.core.compare.adjudication.votes import Decision
from napari_microus.core.compare.grid import grid_problem
from napari_microus.core.compare.regions import DisputedRegion
from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress, drain
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.events import Event

_REGIONS_AT_ONCE = 100


@dataclass(frozen=True)
class Origin:
    """What an adjudication was made from, as far as the viewer has it.

    Attributes
    ----------
    expert, nonexpert : str
        Names of the first two masks.
    spacing_mm : tuple of float
        Voxel size (z, y, x).
    settings : dict
        How the regions were found and whether one worked blind.
    affine : list of list of float or None
        Voxel (x, y, z) to RAS mm; None where the place is not known.
    others : tuple of str
        Names of the third and later masks.
    """

    expert: str = ""
    nonexpert: str = ""
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    settings: dict[str, Any] = field(default_factory=dict)
    affine: list[list[float]] | None = None
    others: tuple[str, ...] = ()


def place_of(grid: Volume) -> list[list[float]] | None:
    """Return what an `Origin` says about where masks lie, None if it is not known."""
    if not grid.has_geometry:
        return None
    place: list[list[float]] = np.round(grid.affine, 6).tolist()
    return place


def to_document(work: Adjudication, origin: Origin) -> dict[str, Any]:
    """Return the adjudication as JSON-ready data; see docs/adjudication-schema.json."""
    names = (origin.expert, origin.nonexpert, *origin.others)
    return {
        "format": FORMAT,
        "version": VERSION,
        "created": work.created,
        "modified": now(),
        "who": work.who,
        "expert": origin.expert,
        "nonexpert": origin.nonexpert,
        "others": list(origin.others),
        "shape": list(work.codes.shape),
        "spacing_mm": list(origin.spacing_mm),
        "affine": origin.affine,
        "masks_sha256": work.digest,
        "mask_sha256": work.mask_digests,
        "settings": origin.settings,
        "provenance_codes": {
            str(code): name for code, name in work.coding.names(names).items()
        },
        "regions": _regions(work),
        "notes": {
            str(number): {
                "reason": note.reason,
                "comment": note.comment,
                "is_flagged": note.is_flagged,
            }
            for number, note in sorted(work.notes.items())
            if note != Note()
        },
        "log": [
            {
                "when": entry.when,
                "who": entry.who,
                "region": entry.region,
                "action": entry.action,
                "decision": entry.decision,
            }
            for entry in work.log
        ],
        "decided_by_pixel": {
            str(code): runs for code, runs in work.decided_by_pixel().items()
        },
        "hand_drawn": {str(v): runs for v, runs in work.drawn_by_hand().items()},
        "history": work.history.as_json(),
    }


def from_document(
    document: dict[str, Any],
    codes: NDArray[np.uint8],
    start: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]] | None = None,
    grid: Volume | None = None,
) -> tuple[Adjudication, Origin, str | None]:
    """Resume an adjudication over the same masks.

    Parameters
    ----------
    document : dict
        From `to_document`.
    codes : ndarray of uint8, shape (Z, Y, X)
        `disagreement_map` (or `vote_map`) of the masks as they are now.
    start : tuple of three ndarray, optional
        See `Adjudication`.
    grid : Volume, optional
        Where the masks lie now; what was made elsewhere is refused.

    Returns
    -------
    Adjudication, Origin, str or None
        The last is a sentence if one of the masks has changed since: decisions then
        hold where pixels are still disputed, and nothing older can be undone.

    Raises
    ------
    InputError
        If the document is of another kind, of a newer version, damaged, or made from
        other masks or on another grid.
    """
    return drain(read_adjudication(document, codes, start, grid))


def read_adjudication(
    document: dict[str, Any],
    codes: NDArray[np.uint8],
    start: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]] | None = None,
    grid: Volume | None = None,
) -> Generator[Event, None, tuple[Adjudication, Origin, str | None]]:
    """Do what `from_document` does; yields while it reads the regions."""
    check_kind(document)
    check_fit(document, codes.shape, grid)
    yield from checking_document(document)
    others = tuple(document.get("others", ()))
    regions = []
    total = len(document["regions"])
    for item in document["regions"]:
        regions.append(_read_region(item, codes.shape))
        if len(regions) % _REGIONS_AT_ONCE == 0:
            yield Progress(len(regions), total, "regions", "Reading the decisions")
    work = Adjudication(
        codes,
        regions,
        who=document["who"],
        start=start,
        annotators=2 + len(others),
    )
    changed = _changed(work, document)
    if changed is None:
        _check_drawn_by(work)
    work.created = document["created"]
    work.log = [_read_log(item) for item in document["log"]]
    work.notes = {
        int(number): Note(note["reason"], note["comment"], note["is_flagged"])
        for number, note in document.get("notes", {}).items()
    }
    yield from work.restore(
        {
            item["number"]: Verdict(
                Decision(item["decision"]),
                item["who"],
                item["when"],
                item.get("share"),
            )
            for item in document["regions"]
            if item["decision"] is not None
        },
        _pixels(document["hand_drawn"], codes.shape),
        _pixels(document.get("decided_by_pixel", {}), codes.shape),
    )
    if changed is None and "history" in document:
        work.take_history(history_from_json(document["history"]))
    z, y, x = (float(size) for size in document["spacing_mm"])
    origin = Origin(
        document["expert"],
        document["nonexpert"],
        (z, y, x),
        dict(document["settings"]),
        document.get("affine"),
        others,
    )
    return work, origin, changed


def check_fit(
    document: dict[str, Any], shape: tuple[int, ...], grid: Volume | None = None
) -> None:
    """Refuse a sidecar that was made on another grid than that of the masks.

    Raises
    ------
    InputError
        With what differs.
    """
    made_for = document.get("shape")
    if made_for != list(shape):
        raise InputError(
            f"The adjudication must fit the masks; got {made_for} and {list(shape)}. "
            "Load the masks that it was made from.",
            plain=(
                "This adjudication was made from masks of another size. Load those."
            ),
        )
    affine = document.get("affine")
    if grid is None or not grid.has_geometry or not _is_affine(affine):
        return
    made_on = Volume(np.broadcast_to(np.uint8(0), shape), np.array(affine, float))
    problem = grid_problem(made_on, grid, name="adjudication")
    if problem is not None:
        raise InputError(
            f"The adjudication must belong to this scan; got one of another: {problem} "
            "Open the scan that it was made for.",
            plain=(
                f"This adjudication was made for another scan. {problem} Open the scan "
                "that it was made for."
            ),
        )


def _is_affine(affine: Any) -> bool:
    try:
        return np.asarray(affine, float).shape == (4, 4)
    except (TypeError, ValueError):
        return False  # `checking_document` names it


def _changed(work: Adjudication, document: dict[str, Any]) -> str | None:
    """Return what to say where masks changed since; refuse other masks altogether."""
    if work.digest == document["masks_sha256"]:
        return None
    if "mask_sha256" in document:
        same = [
            now_ == then
            for now_, then in zip(
                work.mask_digests, document["mask_sha256"], strict=True
            )
        ]
        is_known = any(same)
    else:  # older sidecars have one digest of both
        disputed = work.coding.is_disputed[work.codes]
        kept = sum(int((disputed[r.box] & r.mask).sum()) for r in work.regions)
        is_known = 2 * kept >= sum(region.pixels for region in work.regions)
    if not is_known:
        raise InputError(
            "The adjudication must have been made from these masks; got one made "
            f"from others ('{document['expert']}' and '{document['nonexpert']}'). "
            "Load the masks that it was made from.",
            plain=(
                "This adjudication was made from other masks "
                f"('{document['expert']}' and '{document['nonexpert']}'). "
                "Load those."
            ),
        )
    return (
        "The masks have changed since this adjudication was saved: decisions hold "
        "where pixels are still disputed. Find the regions again to see new ones."
    )


def _check_drawn_by(work: Adjudication) -> None:
    """Refuse regions that say otherwise than their masks who drew them."""
    for region in work.regions:
        shares = work.drawn_shares(region)
        codes = work.codes[region.box][region.mask]
        is_right = bool(work.coding.is_disputed[codes].all())
        if len(shares) == 2:
            found = {(1.0, 0.0): "expert", (0.0, 1.0): "nonexpert"}
            is_right &= region.drawn_by == found.get((shares[0], shares[1]), "both")
        if not is_right:
            raise InputError(
                f"The sidecar is damaged (field 'regions[{region.number - 1}]"
                ".drawn_by'): it must be true of the masks; got "
                f"'{region.drawn_by}'. Load another copy.",
                plain=(
                    "The record of decisions is damaged: who drew region "
                    f"{region.number} does not agree with the masks. Load another "
                    "copy."
                ),
            )


def _pixels(
    stored: dict[str, list[int]], shape: tuple[int, ...]
) -> dict[int, NDArray[np.int64]]:
    return {int(value): decode_runs(runs, shape) for value, runs in stored.items()}


@dataclass
class _Written:
    """What was made of the regions the last time, and by which verdicts."""

    regions: list[dict[str, Any]]
    verdicts: dict[int, Verdict]


# A journal is written every second: only what changed since is made again.
_written: WeakKeyDictionary[Adjudication, _Written] = WeakKeyDictionary()


def _regions(work: Adjudication) -> list[dict[str, Any]]:
    known = _written.get(work)
    if known is None:
        known = _Written(
            [
                _region(region, work.verdicts.get(region.number), runs)
                for region, runs in zip(work.regions, work.region_runs, strict=True)
            ],
            dict(work.verdicts),
        )
        _written[work] = known
    for number in known.verdicts.keys() | work.verdicts.keys():
        verdict = work.verdicts.get(number)
        if known.verdicts.get(number) is not verdict:
            # Another dictionary: the one before may be in a file being written.
            known.regions[number - 1] = {
                **known.regions[number - 1],
                **_verdict_fields(verdict),
            }
    known.verdicts = dict(work.verdicts)
    return list(known.regions)


def _verdict_fields(verdict: Verdict | None) -> dict[str, Any]:
    return {
        "decision": verdict.decision if verdict else None,
        "who": verdict.who if verdict else None,
        "when": verdict.when if verdict else None,
        "share": verdict.share if verdict else None,
    }


def _region(
    region: DisputedRegion, verdict: Verdict | None, runs: list[int]
) -> dict[str, Any]:
    finite = math.isfinite(region.distance_mm)
    return {
        "number": region.number,
        **_verdict_fields(verdict),
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
    z, y, x = (slice(start, stop) for start, stop in item["box"])
    inside = np.zeros(tuple(part.stop - part.start for part in (z, y, x)), bool)
    indices = np.unravel_index(decode_runs(item["runs"], shape), shape)
    origin = (z.start, y.start, x.start)
    inside[tuple(axis - start for axis, start in zip(indices, origin, strict=True))] = 1
    distance = item["distance_mm"]
    return DisputedRegion(
        number=item["number"],
        box=(z, y, x),
        mask=inside,
        frame=item["frame"],
        distance_mm=math.inf if distance is None else float(distance),
        area_mm2=float(item["area_mm2"]),
        pixels=item["pixels"],
        extent_mm=float(item["extent_mm"]),
        frames=item["frames"],
        drawn_by=item["drawn_by"],
    )


def _read_log(item: dict[str, Any]) -> LogEntry:
    decision = item["decision"]
    return LogEntry(
        item["when"],
        item["who"],
        item["region"],
        None if decision is None else Decision(decision),
        item["action"],
    )
