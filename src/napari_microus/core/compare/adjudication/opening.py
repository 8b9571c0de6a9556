"""Begin an adjudication, or continue one from its file or its journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.compare.adjudication.adjudicated_mask import first_masks
from napari_microus.core.compare.adjudication.document import (
    Origin,
    read_adjudication,
    to_document,
)
from napari_microus.core.compare.adjudication.journal import Journal
from napari_microus.core.compare.adjudication.session import Adjudication
from napari_microus.core.compare.adjudication.sidecar import (
    read_document,
)
from napari_microus.core.compare.adjudication.votes import as_two
from napari_microus.core.compare.regions import RankBy, disputed_regions
from napari_microus.core.errors import InputError
from napari_microus.core.io.writing import sidecar_of

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume

_MASK_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")


@dataclass(frozen=True)
class RegionChoice:
    """How disputed regions are found and ranked, and by whom they are adjudicated."""

    rank_by: RankBy = RankBy.contour_distance
    through_frames: bool = False
    smallest_px: int = 1
    who: str = ""
    stretches: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the settings for a sidecar."""
        return {
            "rank_by": str(self.rank_by),
            "through_frames": self.through_frames,
            "stretches": self.stretches,
            "smallest_px": self.smallest_px,
        }


@dataclass(frozen=True, eq=False)
class Begun:
    """A new adjudication, its journal, and what that kept of an older one."""

    work: Adjudication
    journal: Journal
    unsaved: dict[str, Any] | None


@dataclass(frozen=True, eq=False)
class Resumed:
    """An adjudication that continues, and what to say about it ("" for nothing)."""

    work: Adjudication
    journal: Journal
    origin: Origin
    notice: str
    path: Path | None


def begin(
    codes: NDArray[np.uint8],
    grid: Volume,
    choice: RegionChoice,
    *,
    annotators: int = 2,
    journals: Path | None = None,
) -> Generator[Event, None, Begun]:
    """Find the regions and prepare an adjudication.

    Parameters
    ----------
    codes : ndarray of uint8, shape (Z, Y, X)
        The `disagreement_map` of two masks or `vote_map` of more; copied.
    grid : Volume
        Where they lie.
    choice : RegionChoice
        How regions are found.
    annotators : int
        How many masks there are.
    journals : Path, optional
        Where journals lie; None takes the user's state folder.
    """
    codes = codes.copy()
    regions = yield from disputed_regions(
        as_two(codes, annotators),
        grid.spacing_mm,
        through_frames=choice.through_frames,
        stretches=choice.stretches,
        rank_by=choice.rank_by,
        smallest_px=choice.smallest_px,
    )
    start = yield from first_masks(codes, annotators)
    work = Adjudication(
        codes, regions, who=choice.who, start=start, annotators=annotators
    )
    _compute(work)
    journal = Journal(work.digest, grid, journals)
    return Begun(work, journal, journal.read())


def resume(
    source: Path | dict[str, Any],
    codes: NDArray[np.uint8],
    grid: Volume,
    *,
    annotators: int = 2,
    journals: Path | None = None,
) -> Generator[Event, None, Resumed]:
    """Continue with an adjudication of the same masks.

    Parameters
    ----------
    source : Path or dict
        The sidecar, the mask beside it, or what a journal kept.
    codes, grid, annotators, journals
        As for `begin`.

    Raises
    ------
    InputError
        If it was made from other masks, is damaged, or the mask beside the sidecar
        lies on another grid.
    """
    from napari_microus.core.io import read_mask

    codes = codes.copy()
    path = mask_path = None
    document = source
    if isinstance(source, Path):
        path = source if source.name.lower().endswith(".json") else sidecar_of(source)
        document = read_document(path)
        mask_path = _mask_of(source)
    assert isinstance(document, dict)  # read above, or given
    several = 2 + len(document.get("others", ()))
    if several != annotators:
        raise InputError(
            f"The adjudication must be of {annotators} annotators; got one of "
            f"{several}. Choose the same masks as when it was saved.",
            plain=(
                f"This adjudication is of {several} annotators, and "
                f"{annotators} masks are chosen. Choose the same masks as "
                "when it was saved."
            ),
        )
    start = yield from first_masks(codes, annotators)
    work, origin, changed = yield from read_adjudication(document, codes, start, grid)
    notices = [changed] if changed else []
    if mask_path is not None:
        mask = read_mask(mask_path, label=1, grid=grid)
        edited = work.take_mask(mask.array.astype(codes.dtype))
        if edited:
            notices.append(
                f"{mask_path.name} was edited since: {edited:,} pixels count as drawn "
                "by hand. Undo takes them back."
            )
    _compute(work)
    journal = Journal(work.digest, grid, journals)
    return Resumed(work, journal, origin, " ".join(notices), path)


def unsaved_text(document: dict[str, Any]) -> str:
    """Return how many decisions a journal kept, and of when."""
    regions = document.get("regions", [])
    done = sum(1 for region in regions if region.get("decision"))
    try:
        when = datetime.fromisoformat(str(document.get("modified"))).astimezone()
        saved = f" ({when.day} {when:%b, %H:%M})"
    except ValueError:
        saved = ""
    return f"Found unsaved decisions for {done} of {len(regions)} regions{saved}."


def _mask_of(source: Path) -> Path | None:
    """Return the mask beside a sidecar, None where there is none."""
    if not source.name.lower().endswith(".json"):
        return source if source.exists() else None
    beside = (source.with_name(source.name[:-5] + end) for end in _MASK_ENDINGS)
    return next((path for path in beside if path.exists()), None)


def _compute(work: Adjudication) -> None:
    """Work out what is kept from here on: a window need not wait for it."""
    _ = work.digest, work.mask_digests
    to_document(work, Origin())
