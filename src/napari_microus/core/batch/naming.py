"""A name for each scan's results: its own, once, and nobody's."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from napari_microus.core.batch.scan import Scan, content_sha256
from napari_microus.core.errors import InputError
from napari_microus.core.io.dicom_identity import identifies_patient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LETTERS = 12


@dataclass(frozen=True)
class Draft:
    """A scan before its name is chosen.

    Parameters
    ----------
    files : tuple of Path
        As in `Scan`.
    folders : tuple of str
        Below the folder that was given.
    stem, shown : str
        The file's or folder's name, without and with its suffix.
    identity : Path, optional
        A DICOM file; its identifiers must not be in the name.
    fault : str
        As in `Scan`.
    is_one_of_several : bool
        One of several series in a folder, which have no names of their own.
    """

    files: tuple[Path, ...]
    folders: tuple[str, ...]
    stem: str
    shown: str
    identity: Path | None = None
    fault: str = ""
    is_one_of_several: bool = False


def name_drafts(drafts: Sequence[Draft]) -> list[Scan]:
    """Give each scan a name that no other has, whatever its case.

    A scan keeps the name of its file or folder below the folder that was given, so
    that a scan that comes later changes no other's. Two that would share one get
    their suffix, or the folders above them. Where a name carries an identifier of a
    DICOM header, or is one of several series of a folder, the first letters of the
    SHA-256 of its files stand for it.
    """
    names = [_Name(draft) for draft in drafts]
    while clashes := _clashes(names):
        for clash in clashes:
            folders = [name.draft.files[0].parent for name in clash]
            for order, name in enumerate(clash):
                is_beside = folders.count(name.draft.files[0].parent) > 1
                name.set_apart(order, is_beside=is_beside)
    return [name.scan() for name in names]


def _clashes(names: Sequence[_Name]) -> list[list[_Name]]:
    groups: dict[str, list[_Name]] = defaultdict(list)
    for name in names:
        groups[name.text.casefold()].append(name)
    return [group for group in groups.values() if len(group) > 1]


class _Name:
    """The name of one scan, which can be distinguished from others step by step."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        where = "/".join((*draft.folders, draft.shown))
        header = draft.identity
        self._is_neutral = header is not None and identifies_patient(where, header)
        self._has_digest = draft.is_one_of_several
        self._has_suffix = False
        self._above = 0
        self._copy = 0

    @cached_property
    def _digest(self) -> str:
        try:
            return content_sha256(self.draft.files)[:_LETTERS]
        except InputError:
            return "unreadable"

    @cached_property
    def _folders_above(self) -> tuple[str, ...]:
        """Folders between the root of the disk and the one that was given."""
        parts = self.draft.files[0].resolve().parent.parts[1:]
        return parts[: len(parts) - len(self.draft.folders)]

    @property
    def text(self) -> str:
        """The name so far."""
        number = f"-{self._copy + 1}" if self._copy else ""
        if self._is_neutral:
            return f"scan-{self._digest}{number}"
        last = self.draft.shown if self._has_suffix else self.draft.stem
        if self._has_digest:
            last = f"{last}_series-{self._digest}"
        return "/".join((*self._folders, f"{last}{number}"))

    @property
    def _folders(self) -> tuple[str, ...]:
        above = self._folders_above[-self._above :] if self._above else ()
        return (*above, *self.draft.folders)

    def set_apart(self, order: int, *, is_beside: bool) -> None:
        """Add what sets it apart from others of its name; ``is_beside`` one of them."""
        is_dicom = self.draft.identity is not None
        if not self._is_neutral and is_beside and not self._has_suffix:
            self._has_suffix = True
        elif self._is_neutral or (is_dicom and self._has_digest):
            self._copy = order  # copies of one file
        elif is_dicom:
            # Nobody has looked for identifiers in the folders further above.
            self._has_digest = True
        elif not is_beside and self._above < len(self._folders_above):
            self._above += 1
        else:
            self._copy += order

    def scan(self) -> Scan:
        """Return the scan under this name."""
        name = self.text
        is_distinct = not (self._is_neutral or self._has_digest)
        label = "/".join((*self._folders, self.draft.shown)) if is_distinct else name
        scan = Scan(name, label, self.draft.files)
        return replace(scan, fault=scan.without_paths(self.draft.fault))
