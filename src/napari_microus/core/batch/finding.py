"""Which scans files and folders hold: volumes, DICOM series, folders of frames."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from napari_microus.core.batch.naming import Draft, name_drafts
from napari_microus.core.batch.places import SHEET_FOLDER
from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.core.io import (
    READABLE,
    is_readable,
    read_provenance,
    stem_of,
    suffix_of,
)
from napari_microus.core.io.dicom import DICOM_SUFFIXES
from napari_microus.core.io.dicom_series import dicom_folder, is_directory
from napari_microus.core.io.frames import frames_in, natural_key
from napari_microus.core.io.mask_names import is_named_as_mask
from napari_microus.core.io.tiff import is_stack

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from napari_microus.core.batch.scan import Scan

_VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".seg.nrrd")
_MOST_NAMED = 3


def find_scans(
    inputs: Sequence[Path],
    *,
    recursive: bool = False,
    leave_out: Path | None = None,
) -> Generator[Event, None, list[Scan]]:
    """List the scans of files and folders, each with a name for its results.

    A folder holds a scan for each volume and each DICOM series in it, or for each
    stack of frames; a folder of single pictures is one scan. Files that are named as
    masks, or that this package wrote, are left out, unless they are given by name.

    Parameters
    ----------
    inputs : sequence of Path
        Files, DICOMDIRs and folders.
    recursive : bool
        Look into the folders of folders, too; hidden ones are left out.
    leave_out : Path, optional
        A folder that is not looked into, such as that of the results.

    Yields
    ------
    Event
        `Progress` of the folders, and a `Notice` of what was left out.

    Returns
    -------
    list of Scan
        In natural order. What is damaged is listed with its ``fault``.

    Raises
    ------
    InputError
        If an input does not exist, is given twice, or no scan is found.
    """
    search = _Search(recursive, leave_out)
    given = Counter(path.resolve() for path in inputs)
    for path in inputs:
        if given[path.resolve()] > 1:
            raise given_twice(path)
    folders = sum(path.is_dir() for path in inputs)
    for path in inputs:
        if path.is_dir():
            # Of several folders each keeps its name, as that of a clinic or a day.
            prefix = (path.resolve().name,) if folders > 1 else ()
            yield from search.look_into(path, prefix)
        elif path.exists():
            search.take_file(path)
        else:
            raise InputError(
                f"The file must exist; got {path}. Check the path.",
                plain=f"{path} does not exist. Check the name.",
            )
    if not search.drafts:
        raise search.nothing(inputs)
    yield from search.notices()
    return name_drafts(search.drafts)


class _Search:
    """Collects drafts of scans from one folder after the other."""

    def __init__(self, recursive: bool, leave_out: Path | None) -> None:
        self._recursive = recursive
        self._leave_out = None if leave_out is None else leave_out.resolve()
        self._seen: set[Path] = set()
        self._masks: list[str] = []
        self._said: list[str] = []
        self._has_folders = False
        self.drafts: list[Draft] = []

    def take_file(self, path: Path) -> None:
        """Take a file that was given by name, whatever it is called."""
        if is_directory(path):
            self._take_dicom(path, path.parent, ())
            return
        self._refuse_twice([path])
        identity = path if _may_be_dicom(path) else None
        self.drafts.append(Draft((path,), (), stem_of(path), path.name, identity))

    def look_into(
        self, root: Path, prefix: tuple[str, ...]
    ) -> Generator[Event, None, None]:
        """Take the scans of a folder and, where asked for, of those in it."""
        waiting = [(root, prefix)]
        while waiting:
            folder, folders = waiting.pop()
            yield Progress(
                len(self.drafts), len(self.drafts), "scans", "Looking for scans"
            )
            if folder.resolve() in self._seen:
                continue
            self._seen.add(folder.resolve())
            try:
                inside = sorted(folder.iterdir(), key=natural_key)
            except OSError as error:
                words = f"could not be read ({error.strerror}) and was left out."
                self._said.append(f"The folder {folder} {words}")
                continue
            self._take_folder(folder, folders, [p for p in inside if p.is_file()])
            below = [path for path in inside if self._is_wanted(path)]
            self._has_folders = self._has_folders or bool(below)
            if self._recursive:
                waiting += [(p, (*folders, p.name)) for p in reversed(below)]

    def _is_wanted(self, path: Path) -> bool:
        is_hidden = path.name.startswith(".") or path.name == SHEET_FOLDER
        return path.is_dir() and not is_hidden and path.resolve() != self._leave_out

    def _take_folder(
        self, folder: Path, folders: tuple[str, ...], files: list[Path]
    ) -> None:
        files = [path for path in files if not path.name.startswith(".")]
        volumes = [path for path in files if suffix_of(path) in _VOLUMES]
        masks = [path for path in volumes if _is_mask(path)]
        self._masks += [path.name for path in masks]
        scans = [path for path in volumes if path not in masks]
        frames = frames_in(folder)
        stacks = [path for path in frames if is_stack(path)]
        for path in stacks:
            if is_named_as_mask(stem_of(path)):
                self._masks.append(path.name)
            else:
                scans.append(path)
        self._refuse_twice(scans)
        for path in scans:
            self.drafts.append(Draft((path,), folders, stem_of(path), path.name))
        found_dicom = self._take_dicom(folder, folder, folders)
        single = [path for path in frames if path not in stacks]
        if single and not scans and not found_dicom:
            self._refuse_twice([folder])
            *above, name = folders or (folder.resolve().name,)
            self.drafts.append(Draft((folder,), tuple(above), name, name))

    def _take_dicom(self, path: Path, root: Path, folders: tuple[str, ...]) -> bool:
        """Take the series of a folder or a DICOMDIR; return whether there are any."""
        try:
            found = dicom_folder(path)
        except InputError as error:
            name = path.name
            draft = Draft((path,), folders, name, name, fault=error.plain)
            self.drafts.append(draft)
            return True
        self._said += [f"{root.resolve().name}: {words}" for words in found.notices]
        series = [s for s in found.series if not self._knows(s.files)]
        damaged = [(p, why) for p, why in found.damaged if not self._knows((p,))]
        cines = [s for s in series if len(s.files) == 1 and s.frames > 1]
        singles = [s for s in series if s not in cines]
        for one in cines:
            file = one.files[0]
            above = (*folders, *_between(root, file))
            self.drafts.append(Draft((file,), above, stem_of(file), file.name, file))
        fault = ""
        if damaged:
            fault = (
                f"Damaged files lie beside this series ({len(damaged)}), which may be "
                "frames of it. Copy or export the folder again."
            )
        for one in singles:
            place = (*folders, *_between(root, one.files[0]))
            place = place or (root.resolve().name,)
            name = place[-1]
            draft = Draft(
                one.files,
                place[:-1],
                name,
                name,
                one.files[0],
                fault,
                is_one_of_several=len(singles) > 1,
            )
            self.drafts.append(draft)
        for file, why in damaged:
            draft = Draft((file,), folders, stem_of(file), file.name, file, why)
            self.drafts.append(draft)
        self._seen.update(p.resolve() for s in series for p in s.files)
        self._seen.update(p.resolve() for p, _ in damaged)
        return bool(series or damaged)

    def _knows(self, files: Sequence[Path]) -> bool:
        return all(path.resolve() in self._seen for path in files)

    def _refuse_twice(self, paths: Sequence[Path]) -> None:
        for path in paths:
            where = path.resolve()
            # A folder is seen before its pictures are taken as its scan.
            if path.is_file() and where in self._seen:
                raise given_twice(path)
            self._seen.add(where)

    def notices(self) -> Generator[Event, None, None]:
        """Report what was left out."""
        if self._masks:
            named = ", ".join(self._masks[:_MOST_NAMED])
            more = ", …" if len(self._masks) > _MOST_NAMED else ""
            yield Notice(
                f"Masks beside the scans were left out, by their names or because they "
                f"were written here: {len(self._masks)} ({named}{more}). Give a file "
                "by name to segment it all the same."
            )
        for words in self._said:
            yield Notice(words)

    def nothing(self, inputs: Sequence[Path]) -> InputError:
        """Return the error for inputs without a scan."""
        where = ", ".join(map(str, inputs)) or "nothing"
        only = ", which holds masks alone" if self._masks else ", which holds none"
        found = "masks alone were found" if self._masks else "no scan was found"
        todo = "Choose another folder."
        if self._has_folders and not self._recursive:
            todo = "Choose another folder, or look into those in it (--recursive)."
        return InputError(
            f"A folder must hold scans ({', '.join(READABLE)}); got {where}{only}. "
            f"{todo}",
            plain=(
                f"{found.capitalize()} in {where}. Scans are files of "
                f"{', '.join(READABLE)}. {todo}"
            ),
        )


def given_twice(path: Path) -> InputError:
    """Return the error for a scan that would be segmented twice."""
    return InputError(
        f"Each scan must be given once; got {path} twice. Leave one out.",
        plain=f"{path} is named twice. Leave one out.",
    )


def _is_mask(path: Path) -> bool:
    if suffix_of(path) == ".seg.nrrd" or is_named_as_mask(stem_of(path)):
        return True
    try:
        return bool(read_provenance(path))
    except InputError:
        return False  # a JSON file of others


def _may_be_dicom(path: Path) -> bool:
    return suffix_of(path) in DICOM_SUFFIXES or not is_readable(path)


def _between(root: Path, file: Path) -> tuple[str, ...]:
    """Return the folders from ``root`` down to a file, none where it lies elsewhere."""
    try:
        return file.parent.relative_to(root).parts
    except ValueError:
        return ()
