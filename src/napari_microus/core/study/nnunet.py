"""A raw data set of nnU-Net, versions 1 and 2, as cases of a study."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.io import is_readable, stem_of
from napari_microus.core.io.frames import PICTURE_SUFFIXES
from napari_microus.core.io.headers import read_grid
from napari_microus.core.study.nnunet_json import DATASET, read_dataset
from napari_microus.core.study.nnunet_splits import (
    find_splits,
    pickled_splits,
    with_folds,
)
from napari_microus.core.study.table import StudyCase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_microus.core.study.nnunet_json import NnunetDataset

# A file's name without its ending: the case and the number of the channel.
_IMAGE = re.compile(r"(.+)_(\d{4})")
# A picture's three colours are one file.
_COLOURS = 3
# Formats of one frame a file.
_FLAT = (*PICTURE_SUFFIXES, ".tif")


def nnunet_cases(
    source: Path,
    patient_of: Mapping[str, str],
    notices: list[str],
    *,
    labels: Sequence[str] = (),
    splits: Path | None = None,
    folds: bool = True,
) -> list[StudyCase]:
    """Return the cases of a raw data set.

    Parameters
    ----------
    source : Path
        The folder with ``imagesTr``, as a rule beside ``dataset.json``; without that
        file the first channel is read alone.
    patient_of : mapping of str to str
        The patient of a case.
    notices : list of str
        Takes sentences that the user should read.
    labels : sequence of str
        Which labels, by name or value, are the target together; none where there is
        but one.
    splits : Path, optional
        A ``splits_final.json``; None looks for it, see `nnunet_splits.find_splits`.
    folds : bool
        Whether to take the folds of that file.

    Raises
    ------
    LabelChoiceError
        If there are several labels and none was chosen.
    InputError
        If ``dataset.json``, files or splits do not fit each other.
    """
    described = read_dataset(source)
    if described is None:
        if labels:
            raise InputError(
                f"A label is chosen by what {DATASET} names; got no such file in "
                f"{source}. Add it, or import masks of 0 and 1.",
                plain=f"{source} has no {DATASET}, which names its labels. Add it, or "
                "import masks of 0 and 1 without choosing a label.",
            )
        cases = _undescribed(source, patient_of, notices)
    else:
        rule, notice = described.rule(labels)
        notices += [notice] if notice else []
        cases = _described(source, described, rule, patient_of, notices)
    names = Counter(case.case for case in cases)
    both, times = names.most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise InputError(
            "A case must be in training or in the test set; got "
            f"'{both}' in imagesTr and imagesTs. Rename one of them.",
            plain=f"'{both}' is both in imagesTr and in imagesTs. Rename one of them, "
            "or take it out.",
        )
    path = splits or (find_splits(source) if folds else None)
    if path is not None:
        return with_folds(cases, path, notices)
    pickled = pickled_splits(source)
    if folds and pickled is not None:
        notices.append(
            f"{pickled.name} is a pickle, which may run code, and was not read: the "
            "study is not split."
        )
    return cases


def _undescribed(
    source: Path, patient_of: Mapping[str, str], notices: list[str]
) -> list[StudyCase]:
    """List the first channel of images whose labels hold 0 and 1."""
    cases = []
    for part, split in (("Tr", ""), ("Ts", "test")):
        labels = {stem_of(path): path for path in _files(source / f"labels{part}")}
        for path in _files(source / f"images{part}"):
            name, _, channel = stem_of(path).rpartition("_")
            if channel != "0000":
                notices.append(
                    f"{path.name} is not the first channel; left out, as no {DATASET} "
                    "names its channels."
                )
                continue
            expert = str(labels.get(name, ""))
            cases.append(
                StudyCase(name, patient_of[name], str(path), expert, split=split)
            )
    return cases


def _described(
    source: Path,
    described: NnunetDataset,
    rule: str,
    patient_of: Mapping[str, str],
    notices: list[str],
) -> list[StudyCase]:
    if described.files:
        training = _listed(source, described)
    else:
        training = _of_folder(source, "Tr", described, notices)
    testing = _of_folder(source, "Ts", described, notices)
    wanted = described.training
    if wanted is not None and wanted != len(training):
        raise InputError(
            f"imagesTr must hold the {wanted} cases that numTraining states; got "
            f"{len(training)} in {source}. Correct {DATASET}, or complete the copy.",
            plain=f"{DATASET} states {wanted} training cases, and {len(training)} are "
            "there. Correct it, or complete the copy.",
        )
    channels = _channels_of({**training, **testing}, described, notices)
    cases = []
    for found, split in ((training, ""), (testing, "test")):
        for name, (images, label) in found.items():
            if split == "" and label is None:
                raise InputError(
                    "Each training case must have its mask in labelsTr; got none for "
                    f"'{name}' in {source}. Add {name}{described.ending}, or move "
                    "its image to imagesTs.",
                    plain=f"'{name}' has no mask in labelsTr. Add "
                    f"{name}{described.ending}, or move its image to imagesTs.",
                )
            several = len(channels) > 1
            files = {n: str(p) for n, p in zip(channels, images, strict=True)}
            cases.append(
                StudyCase(
                    name,
                    patient_of[name],
                    str(images[0]),
                    "" if label is None else str(label),
                    split=split,
                    channels=files if several else {},
                    label_rule="" if label is None else rule,
                )
            )
    without = sum(label is None for _, label in testing.values())
    if without:
        notices.append(f"{without} of {len(testing)} test cases have no mask.")
    return cases


_Found = dict[str, tuple[list[Path], Path | None]]


def _of_folder(
    source: Path, part: str, described: NnunetDataset, notices: list[str]
) -> _Found:
    """Return images by channel, and the mask, of each case of a part."""
    ending = described.ending
    images: dict[str, dict[int, Path]] = {}
    for path in _with_ending(source / f"images{part}", ending, notices):
        named = _IMAGE.fullmatch(path.name.removesuffix(ending))
        if named is None:
            raise InputError(
                f"An image's name must end in its channel, as _0000{ending}; got "
                f"{path.name} in images{part}. Rename it, or take it out.",
                plain=f"{path.name} in images{part} has no channel at the end of its "
                f"name, as _0000{ending}. Rename it, or take it out.",
            )
        images.setdefault(named[1], {})[int(named[2])] = path
    masks = {
        path.name.removesuffix(ending): path
        for path in _with_ending(source / f"labels{part}", ending, notices)
    }
    lone = sorted(masks.keys() - images.keys())
    if lone:
        raise InputError(
            f"Each mask must have its image; got {lone[0]}{ending} in labels{part} and "
            f"no {lone[0]}_0000{ending} in images{part}. Add the image, or take the "
            "mask out.",
            plain=f"{lone[0]}{ending} in labels{part} has no image "
            f"{lone[0]}_0000{ending} in images{part}. Add it, or take the mask out.",
        )
    found: _Found = {}
    for name, by_number in sorted(images.items()):
        numbers = sorted(by_number)
        if numbers != list(range(len(numbers))):
            lacking = next(n for n in range(numbers[-1]) if n not in by_number)
            raise _channels_differ(name, described, f"no _{lacking:04d}")
        found[name] = [by_number[n] for n in numbers], masks.get(name)
    return found


def _listed(source: Path, described: NnunetDataset) -> _Found:
    """Return the training cases that ``dataset.json`` lists with their files."""
    found: _Found = {}
    for name, (images, label) in sorted(described.files.items()):
        paths = [source / image for image in images]
        for path in (*paths, source / label):
            if not path.is_file():
                raise InputError(
                    f"Each file that {DATASET} lists must be there; got no {path} for "
                    f"'{name}'. Correct the list, or complete the copy.",
                    plain=f"{DATASET} lists {path} for '{name}', which is not there. "
                    "Correct the list, or complete the copy.",
                )
        found[name] = paths, source / label
    return found


def _channels_of(
    found: _Found, described: NnunetDataset, notices: list[str]
) -> tuple[str, ...]:
    """Return the channels' names, where every case has them all."""
    names, ending = described.channels, described.ending
    counts = {len(images) for images, _ in found.values()}
    is_flat = ending.lower() in _FLAT
    if is_flat and counts == {1} and len(names) == _COLOURS:
        notices.append("Pictures in colour are read in grey.")
        return names[:1]
    for name, (images, _) in found.items():
        if len(images) != len(names):
            raise _channels_differ(name, described, str(len(images)))
    if len(names) > 1 and (is_flat or _is_one_frame(found)):
        raise InputError(
            f"Frames must have one channel; got {len(names)} ({', '.join(names)}) of "
            "single frames. Keep one channel, or import volumes.",
            plain=f"These are single frames of {len(names)} channels "
            f"({', '.join(names)}); frames have one. Keep one channel, or import "
            "volumes.",
        )
    return names


def _is_one_frame(found: _Found) -> bool:
    images = next(iter(found.values()), ([], None))[0]
    grid = read_grid(images[0]) if images else None
    return grid is not None and grid.shape[0] == 1


def _channels_differ(name: str, described: NnunetDataset, got: str) -> InputError:
    names = described.channels
    wanted = f"{len(names)} channels of {DATASET} ({', '.join(names)}), from _0000 on"
    do = f"Add what is missing, or correct {DATASET}."
    return InputError(
        f"Each case must have the {wanted}; got {got} for '{name}'. {do}",
        plain=f"'{name}' has {got} of the {wanted}. {do}",
    )


def _with_ending(folder: Path, ending: str, notices: list[str]) -> list[Path]:
    """Return a folder's files of one ending, and note images of another."""
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    others = [p for p in paths if not p.name.endswith(ending) and is_readable(p)]
    if others:
        notices.append(
            f"{len(others)} files of {folder.name} do not end in {ending}, the first "
            f"being {others[0].name}; left out."
        )
    return [p for p in paths if p.name.endswith(ending) and p.name[0] != "."]


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_readable(path))
