"""The public layouts of PI-CAI 2022 and BraTS 2018."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_microus.core.errors import InputError
from napari_microus.core.study.table import StudyCase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MriLayout = Literal["picai", "brats"]
PICAI_CHANNELS = ("t2w", "adc", "hbv")
BRATS_CHANNELS = ("t1", "t1ce", "t2", "flair")
_PICAI_LABELS = (
    "picai_labels/csPCa_lesion_delineations/human_expert/resampled",
    "csPCa_lesion_delineations/human_expert/resampled",
)
_GRADES = ("HGG", "LGG")


@dataclass(frozen=True)
class PublicData:
    """Where a public data set is, under which terms, and how it lies on a disk."""

    name: str
    where: str
    terms: str
    layout: str


PUBLIC = {
    "picai": PublicData(
        "PI-CAI 2022, public training and development data: 1,500 MRI examinations",
        "Images: https://zenodo.org/records/6624726 (five zip files, unpacked below "
        "images/). Labels: https://github.com/DIAGNijmegen/picai_labels (cloned beside "
        "images/).",
        "CC BY-NC 4.0: not for commercial use, and neither is what is learnt from it. "
        "Name Saha et al. 2024 where you show it.",
        "images/<patient>/<patient>_<study>_{t2w,adc,hbv}.mha and "
        f"{_PICAI_LABELS[0]}/<patient>_<study>.nii.gz",
    ),
    "brats": PublicData(
        "BraTS 2018, training data: 285 MRI examinations of gliomas",
        "https://www.med.upenn.edu/sbia/brats2018/ (after registration).",
        "Its own terms: cite Menze et al. 2015 and Bakas et al. 2017, do not pass it "
        "on.",
        "HGG/<case>/<case>_{t1,t1ce,t2,flair,seg}.nii.gz and the same below LGG/",
    ),
}


@dataclass(frozen=True)
class FoundData:
    """What lies in a folder: cases, and sentences on what is missing."""

    cases: list[StudyCase]
    lacking: list[str]


def find_cases(source: Path, layout: MriLayout) -> FoundData:
    """Return the cases of a public layout.

    Cases without all channels are left out; those without labels have no mask, and
    can be segmented alone.

    Raises
    ------
    InputError
        If there is no case.
    """
    found = FoundData([], [])
    for case in _picai(source, found) if layout == "picai" else _brats(source, found):
        found.cases.append(case)
    if not found.cases:
        more = f" {found.lacking[0]}" if found.lacking else ""
        raise InputError(
            f"The folder must hold {PUBLIC[layout].layout}; got none of it in "
            f"{source}.{more} Check the folder's name.",
            plain=(
                f"There is no {PUBLIC[layout].layout} in {source}.{more} Check the "
                "folder's name."
            ),
        )
    return found


def recognise_mri(source: Path) -> MriLayout | None:
    """Return which of the layouts a folder has, by its folders alone."""
    if any((source / grade).is_dir() for grade in _GRADES):
        return "brats"
    if any((source / labels).is_dir() for labels in _PICAI_LABELS):
        return "picai"
    return None


def _picai(source: Path, found: FoundData) -> Iterator[StudyCase]:
    folders = [source / labels for labels in _PICAI_LABELS]
    labels = next((folder for folder in folders if folder.is_dir()), folders[0])
    first, *others = PICAI_CHANNELS
    for path in sorted(source.rglob(f"*_{first}.mha")):
        name = path.name.removesuffix(f"_{first}.mha")
        files = {first: str(path)}
        for channel in others:
            file = path.with_name(f"{name}_{channel}.mha")
            if file.is_file():
                files[channel] = str(file)
        if _is_whole(name, files, PICAI_CHANNELS, found):
            expert = labels / f"{name}.nii.gz"
            has_expert = _has_labels(name, expert, found)
            yield StudyCase(
                name,
                name.partition("_")[0],
                files[first],
                str(expert) if has_expert else "",
                channels=files,
                label_rule="picai_cspca",
            )


def _brats(source: Path, found: FoundData) -> Iterator[StudyCase]:
    folders = [
        folder
        for grade in _GRADES
        for folder in sorted((source / grade).glob("*"))
        if folder.is_dir()
    ]
    for folder in folders:
        name = folder.name
        files = {}
        for channel in BRATS_CHANNELS:
            file = _nifti(folder, f"{name}_{channel}")
            if file is not None:
                files[channel] = str(file)
        if _is_whole(name, files, BRATS_CHANNELS, found):
            expert = _nifti(folder, f"{name}_seg") or folder / f"{name}_seg.nii.gz"
            has_expert = _has_labels(name, expert, found)
            yield StudyCase(
                name,
                name,
                files["t1"],
                str(expert) if has_expert else "",
                channels=files,
                label_rule="brats_whole_tumour",
            )


def _nifti(folder: Path, stem: str) -> Path | None:
    paths = (folder / f"{stem}{suffix}" for suffix in (".nii.gz", ".nii"))
    return next((path for path in paths if path.is_file()), None)


def _is_whole(
    name: str, files: dict[str, str], wanted: tuple[str, ...], found: FoundData
) -> bool:
    missing = [channel for channel in wanted if channel not in files]
    if missing:
        found.lacking.append(f"{name} has no {' and no '.join(missing)}; left out.")
    return not missing


def _has_labels(name: str, expert: Path, found: FoundData) -> bool:
    if not expert.is_file():
        found.lacking.append(f"{name} has no labels.")
    return expert.is_file()
