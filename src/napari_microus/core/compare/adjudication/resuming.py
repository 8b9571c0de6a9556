"""Check whether an adjudication resumes a saved one, so that nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_microus.core.compare.adjudication.adjudicated_mask import masks_digest
from napari_microus.core.compare.adjudication.journal import Journal
from napari_microus.core.compare.adjudication.sidecar import (
    read_document,
)
from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.io.writing import sidecar_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_microus.core.compare.adjudication.session import Adjudication
    from napari_microus.core.volume import Volume


def check_resumes(work: Adjudication, mask_path: Path, names: Sequence[str]) -> bool:
    """Return whether files at ``mask_path`` may be replaced by ``work``.

    Parameters
    ----------
    work : Adjudication
        What is to be saved.
    mask_path : Path
        Where; its sidecar lies beside it.
    names : sequence of str
        What the masks of ``work`` are called. A mask that was edited since keeps its
        name; one of another name is another annotator's.

    Returns
    -------
    bool
        False where nothing has been saved there.

    Raises
    ------
    OutputError
        If the sidecar there is damaged, of other masks, or holds decisions that
        ``work`` does not: somebody else may have saved it since.
    """
    sidecar = sidecar_of(mask_path)
    if not sidecar.exists():
        return False
    try:
        document = read_document(sidecar)
        saved = _steps(document)
    except InputError as error:
        raise OutputError(
            f"A damaged adjudication must be kept; got {sidecar}. Move it away, or "
            "save under another name.",
            plain=(
                f"A damaged adjudication lies there, {sidecar.name}, and is not "
                "overwritten. Move it away, or save under another name."
            ),
        ) from error
    is_of_these = document.get("masks_sha256") == work.digest
    goes_on = document.get("created") == work.created
    if not is_of_these and not (goes_on and _names(document) == list(names)):
        raise OutputError(
            "The file must not hold the adjudication of other masks; got "
            f"{mask_path}. Choose another name.",
            plain=(
                "That file holds the adjudication of other masks. Choose another name."
            ),
        )
    ours = [(step.when, step.region) for step in work.log]
    if not goes_on or ours[: len(saved)] != saved:
        raise OutputError(
            "The file must hold no decisions that were not loaded; got "
            f"{mask_path}, saved in another window or by somebody else. Open it "
            "again, or save under another name.",
            plain=(
                "That file was saved in another window or by somebody "
                "else. Open it again, or choose another name."
            ),
        )
    return True


def has_unsaved(
    expert: Volume, nonexpert: Volume, mask_path: Path, folder: Path | None = None
) -> bool:
    """Return whether a journal holds decisions about two masks that were not saved.

    Parameters
    ----------
    expert, nonexpert : Volume
        Masks (0, 1, 255) on one grid.
    mask_path : Path
        Where their adjudicated mask was saved, perhaps.
    folder : Path, optional
        Where journals lie; None takes the user's state folder.
    """
    codes = disagreement_map(expert.array, nonexpert.array)
    journal = Journal(masks_digest(codes), expert, folder)
    try:
        unsaved = _steps(read_document(journal.path))
    except InputError:
        return False
    try:
        saved = _steps(read_document(sidecar_of(mask_path)))
    except InputError:
        return True
    return saved[: len(unsaved)] != unsaved


def _names(document: dict[str, Any]) -> list[Any]:
    """Return what the masks of a saved adjudication were called."""
    return [
        document.get("expert"),
        document.get("nonexpert"),
        *document.get("others", ()),
    ]


def _steps(document: dict[str, Any]) -> list[tuple[str, int]]:
    """Return when each step of a saved log was made, and in which region."""
    try:
        return [(str(step["when"]), int(step["region"])) for step in document["log"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "A sidecar must hold a log of its steps; got one without. "
            "Load another copy.",
            plain="This record of decisions lacks its steps. Load another copy.",
        ) from error
