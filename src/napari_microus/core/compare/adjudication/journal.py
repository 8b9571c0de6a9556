"""Keep unsaved decisions through a crash, in one window at a time."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import TYPE_CHECKING, Any

from napari_microus.core.compare.adjudication.document import (
    check_fit,
)
from napari_microus.core.compare.adjudication.sidecar import (
    read_document,
    write_document,
)
from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_microus.core.volume import Volume


def journal_folder() -> Path:
    """Return the folder on this computer in which journals lie."""
    from platformdirs import user_state_path

    return user_state_path("napari-microus", appauthor=False) / "adjudications"


def journal_path(
    masks_sha256: str,
    shape: Sequence[int],
    spacing_mm: Sequence[float],
    folder: Path | None = None,
) -> Path:
    """Return the journal of one pair of masks on one grid.

    The voxels are the key, not names: two patients' masks are often called alike,
    and one program names a file's layer otherwise than the next.

    Parameters
    ----------
    masks_sha256 : str
        `masks_digest` of the two masks.
    shape : sequence of int
        Their shape (Z, Y, X).
    spacing_mm : sequence of float
        Their voxel size; a thousandth of a millimetre counts.
    folder : Path, optional
        Where journals lie; None takes `journal_folder`.
    """
    sizes = [str(size) for size in shape]
    spacing = [f"{size:.3f}" for size in spacing_mm]
    key = "\n".join([masks_sha256, *sizes, *spacing])
    name = hashlib.sha256(key.encode()).hexdigest()[:20]
    return (folder or journal_folder()) / f"{name}.json"


def write_journal(document: dict[str, Any], path: Path) -> None:
    """Replace the journal at ``path`` whole."""
    write_document(document, path, overwrite=True)


def read_journal(path: Path, masks_sha256: str = "") -> dict[str, Any] | None:
    """Return the document in a journal, or None if there is none to resume.

    A journal that cannot be read is kept aside under another name. Journals of older
    versions were named after layers, not voxels: one is taken where it alone in the
    folder is about masks with the fingerprint ``masks_sha256``.
    """
    if not path.exists():
        older = _older_journals(path.parent, masks_sha256) if masks_sha256 else []
        if len(older) != 1:
            return None
        older[0].replace(path)
    try:
        return read_document(path)
    except InputError:
        path.replace(path.with_suffix(".unreadable"))
        return None


def _older_journals(folder: Path, masks_sha256: str) -> list[Path]:
    """Return the journals in ``folder`` about these masks, whatever they are called."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(document, dict) and document.get("masks_sha256") == masks_sha256:
            found.append(path)
    return found


def remove_journal(path: Path) -> None:
    """Remove the journal after its decisions were saved."""
    path.unlink(missing_ok=True)


class Journal:
    """The journal of one set of masks, held by one window at a time.

    Masks of equal voxels that lie elsewhere in a patient have journals of their own.

    Parameters
    ----------
    masks_sha256 : str
        `masks_digest` of the masks.
    grid : Volume
        Where they lie.
    folder : Path, optional
        Where journals lie; None takes `journal_folder`.
    """

    def __init__(
        self, masks_sha256: str, grid: Volume, folder: Path | None = None
    ) -> None:
        self._digest, self._grid = masks_sha256, grid
        first = journal_path(masks_sha256, grid.shape, grid.spacing_mm, folder)
        self.path = next(
            path
            for number in itertools.count(1)
            if self._is_ours(path := _numbered(first, number))
        )
        self._lock: Any = None

    def lock(self) -> None:
        """Let no other window adjudicate these masks until `unlock`.

        Raises
        ------
        InputError
            If another window, of this program or of Slicer, does so now.
        """
        from filelock import FileLock, Timeout

        if self._lock is not None:
            return
        lock = FileLock(self.path.with_suffix(".lock"), blocking=False)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise InputError(
                "Masks must be adjudicated in one window at a time; got another in "
                "which these are. Finish there first.",
                plain=(
                    "These masks are adjudicated in another window, and can be "
                    "in one window at a time. Finish there first."
                ),
            ) from error
        except OSError:
            return  # a folder that cannot be written: `write` says so
        self._lock = lock

    def unlock(self) -> None:
        """Let other windows adjudicate these masks."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def read(self) -> dict[str, Any] | None:
        """Return the unsaved decisions, None if there are none."""
        return read_journal(self.path, self._digest)

    def write(self, document: dict[str, Any]) -> None:
        """Replace the journal whole.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        write_journal(document, self.path)

    def remove(self) -> None:
        """Remove the journal after its decisions were saved."""
        remove_journal(self.path)

    def _is_ours(self, path: Path) -> bool:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            check_fit(document, self._grid.shape, self._grid)
        except InputError:
            return False
        except (OSError, ValueError, RecursionError, AttributeError):
            return True  # none there, or one that `read` keeps aside
        return True


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_stem(f"{path.stem}-{number}")
