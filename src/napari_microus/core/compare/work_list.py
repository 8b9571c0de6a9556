"""The cases of a study or a folder, and which of them still wait to be adjudicated."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.compare.adjudication.sidecar import (
    read_document,
)
from napari_microus.core.errors import InputError
from napari_microus.core.io.pairing import files_by_case, natural_order
from napari_microus.core.io.writing import sidecar_of
from napari_microus.core.study.manifest import Study
from napari_microus.core.study.table import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

#: Subfolder that takes the adjudicated masks and their sidecars.
ADJUDICATED = "adjudicated"
_SCANS = frozenset({"scan", "scans", "image", "images", "imagestr"})
# What comes first is compared as the expert's.
_FIRST = ("expert", "reference", "nonexpert", "non-expert", "trainee")


class CaseState(StrEnum):
    """How far a case is.

    ``WAITING`` cases lack one of the two annotations that are compared; the sidecar of
    a ``DAMAGED`` one cannot be read.
    """

    WAITING = "waiting"
    OPEN = "open"
    STARTED = "started"
    DONE = "done"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class ListedCase:
    """One line of a work list.

    Attributes
    ----------
    case : str
    scan : Path or None
        None where the folder holds masks alone.
    masks : dict of str to Path
        Each annotator's file; annotators who have not drawn the case are missing.
    result : Path
        Where the adjudicated mask of two of its annotators lies or belongs.
    pair : tuple of str
        These two annotators.
    decided, regions : int
        Regions with a decision, and all; 0 where no sidecar was saved.
    problem : str
        Why the sidecar cannot be read, else "".
    spacing_mm : tuple of float, optional
        Height and width of a pixel as the study states them, for a scan whose file
        states no size.
    decided_by : dict of str to int
        How many regions each adjudicator decided; "" is one who gave no name.
    """

    case: str
    scan: Path | None
    masks: dict[str, Path]
    result: Path = Path()
    pair: tuple[str, ...] = ()
    decided: int = 0
    regions: int = 0
    problem: str = ""
    spacing_mm: tuple[float, float] | None = None
    decided_by: dict[str, int] = field(default_factory=dict)

    @property
    def state(self) -> CaseState:
        """How far the case is."""
        if self.problem:
            return CaseState.DAMAGED
        if len(self.masks) < 2 or not set(self.pair) <= set(self.masks):
            return CaseState.WAITING
        if not self.regions:
            return CaseState.OPEN
        is_done = self.decided >= self.regions
        return CaseState.DONE if is_done else CaseState.STARTED


def work_list(
    folder: str | Path, pair: tuple[str, str] | None = None
) -> list[ListedCase]:
    """List the cases of a study, or of a folder with a subfolder for each annotator.

    In a folder the subfolder ``scans`` or ``images`` holds the scans, and files
    belong together when their names end in the same number, as for `pairing.pair`.

    Parameters
    ----------
    folder : path
        A study's, or one of subfolders.
    pair : tuple of str, optional
        The two annotators whose adjudications are looked for; the first two, if not
        given or if not both of them have drawn.

    Returns
    -------
    list of ListedCase
        In the study's order, or that of the numbers.

    Notes
    -----
    Results lie in the subfolder ``adjudicated``. Of three and more annotators each
    two have a folder of their own in it, but for those whose result lies in
    ``adjudicated`` already.

    Raises
    ------
    InputError
        If there is no such folder or it cannot be read, it holds neither a study nor
        two annotators' subfolders, the manifest makes no sense, or one annotator has
        two files of a case.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(
            f"A work list must be a folder; got {path}, which is none. Choose a "
            "study, or a folder with a subfolder for each annotator.",
            plain=(
                f"{path} is no folder. Choose a study, or a folder with a "
                "subfolder of masks for each annotator."
            ),
        )
    try:
        is_study = (path / MANIFEST).exists()
        cases = _of_study(Study.open(path)) if is_study else _of_folder(path)
        people = annotators(cases)
        if pair is None or not set(pair) <= set(people):
            first, second, *_ = (*people, "", "")
            pair = first, second
        return [_with_result(case, path, pair, people) for case in cases]
    except OSError as error:
        raise InputError(
            f"A work list's folder must be readable; got {error.filename or path} "
            f"({error.strerror or error}). Check the permissions, or choose another.",
            plain=(
                "The folder of the work list cannot be read: "
                f"{error.filename or path} ({error.strerror or error}). Check the "
                "permissions, or choose another."
            ),
        ) from error


def annotators(cases: Sequence[ListedCase]) -> list[str]:
    """Return every annotator of the cases, the expert first."""
    names = {name for case in cases for name in case.masks}
    return sorted(names, key=_expert_first)


def next_open(
    cases: Sequence[ListedCase], after: str | None = None
) -> ListedCase | None:
    """Return the next case that can be decided, from the top after the last.

    Parameters
    ----------
    cases : sequence of ListedCase
        In the order of the list.
    after : str, optional
        Name of the present case; it comes last.
    """
    names = [case.case for case in cases]
    start = names.index(after) + 1 if after in names else 0
    for case in (*cases[start:], *cases[:start]):
        if case.state in (CaseState.OPEN, CaseState.STARTED):
            return case
    return None


def _of_study(study: Study) -> list[ListedCase]:
    return [
        ListedCase(
            case.case,
            study.path(case.image),
            {
                name: study.path(file)
                for name, file in {
                    "expert": case.expert,
                    "nonexpert": case.nonexpert,
                    **case.annotators,
                }.items()
                if file
            },
            spacing_mm=case.spacing_mm,
        )
        for case in study.used
    ]


def _of_folder(folder: Path) -> list[ListedCase]:
    tables = {}
    for part in sorted(folder.iterdir()):
        is_hidden = part.name.startswith(".") or part.name == ADJUDICATED
        if part.is_dir() and not is_hidden and (found := files_by_case(part)):
            tables[part.name] = found
    scans = next((name for name in tables if name.lower() in _SCANS), None)
    of_scans = tables.pop(scans) if scans is not None else {}
    if len(tables) < 2:
        raise InputError(
            "A work list must be a study, or a folder with a subfolder of masks for "
            f"each of two annotators; got {sorted(tables) or 'none'} in {folder}. "
            "Choose another folder.",
            plain=(
                f"No annotators were found in {folder}. Choose a study, or a "
                "folder with a subfolder of masks for each annotator."
            ),
        )
    keys = set(of_scans).union(*tables.values())
    return [
        ListedCase(
            key,
            _single(of_scans, key, "scans"),
            {
                name: file
                for name in sorted(tables, key=_expert_first)
                if (file := _single(tables[name], key, name)) is not None
            },
        )
        for key in sorted(keys, key=natural_order)
    ]


def _single(table: Mapping[str, list[Path]], key: str, name: str) -> Path | None:
    files = table.get(key, [])
    if len(files) > 1:
        several = ", ".join(path.name for path in files)
        raise InputError(
            f"'{name}' must hold one file of case {key}; got {several}. Move the "
            "others away, or name them for another case.",
            plain=(
                f"'{name}' has several files of case {key}: {several}. Move the "
                "others away, or name them for another case."
            ),
        )
    return files[0] if files else None


def _with_result(
    case: ListedCase, folder: Path, pair: tuple[str, str], people: Sequence[str]
) -> ListedCase:
    """Return a case with what was saved of the adjudication of two annotators."""
    results = folder / ADJUDICATED
    plain = results / f"{case.case}.nii.gz"
    found = _read_saved(sidecar_of(plain))
    if len(people) > 2:
        made_of = _annotators_of(found, case.case, people)
        is_first = set(pair) == set(people[:2])
        if made_of != set(pair) and (made_of is not None or not is_first):
            plain = results / _folder_of(pair, people) / plain.name
            found = _read_saved(sidecar_of(plain))
    case = replace(case, result=plain, pair=pair)
    if found is None:
        return case
    if isinstance(found, str):
        return replace(case, problem=found)
    who = Counter(str(r.get("who") or "") for r in found.regions if r.get("decision"))
    return replace(
        case, decided=who.total(), regions=len(found.regions), decided_by=dict(who)
    )


@dataclass(frozen=True)
class _Saved:
    """What a work list needs of a sidecar."""

    regions: list[dict[str, Any]]
    names: tuple[str, str]


def _read_saved(sidecar: Path) -> _Saved | str | None:
    """Return what a sidecar states, why it cannot be read, None where there is none."""
    if not sidecar.exists():
        return None
    try:
        document = read_document(sidecar)
        regions = document["regions"]
        # A later version may state more about a region, or less of who decided it.
        for region in regions:
            region.get("who")
    except InputError as error:
        return error.plain
    except (KeyError, TypeError, AttributeError):
        return _without_regions(sidecar)
    names = str(document.get("expert", "")), str(document.get("nonexpert", ""))
    return _Saved(regions, names)


def _annotators_of(
    found: _Saved | str | None, case: str, people: Sequence[str]
) -> set[str] | None:
    """Return the two annotators of a saved adjudication, None where it is not known."""
    if not isinstance(found, _Saved):
        return None
    layers = {f"{case} {name}": name for name in people}
    known = {layers.get(name) for name in found.names}
    return None if None in known else {name for name in known if name is not None}


def _folder_of(pair: tuple[str, str], people: Sequence[str]) -> str:
    """Return the name of the folder that takes the results of two annotators."""
    both = " + ".join(name for name in people if name in pair)
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", both)


def _without_regions(sidecar: Path) -> str:
    return (
        f"{sidecar.name} lists no regions: it is damaged, or something else. Load "
        "another copy."
    )


def _expert_first(name: str) -> tuple[int, str]:
    lower = name.lower()
    return (_FIRST.index(lower) if lower in _FIRST else len(_FIRST), lower)
