"""Measure masks in files or folders, and write the result as a table."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Event, Finished, Notice, Progress
from napari_microus.core.files import atomic_write
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.core.metrics.case import (
    CaseScores,
    Scores,
    evaluate_case,
    is_missed,
    mean_scores,
    one_sided_frames,
)
from napari_microus.core.statistics import (
    DICE_BOUNDS,
    DISTANCE_BOUNDS,
    PatientMean,
    counted,
    patient_mean,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from napari_microus.core.volume import Volume

DISTANCES = ("hd95_mm", "hd_mm", "assd_mm")
TABLES = (".csv", ".json")

RULE = (
    "The mean over frames takes the frames in which both masks show the object, as "
    "the papers do. A case that only one of them shows counts as Dice 0 and has no "
    "distance."
)


@dataclass(frozen=True)
class Evaluation:
    """Scores of one or more cases.

    Attributes
    ----------
    cases : dict of str to CaseScores
        By the case's name, in natural order.
    mean : Scores
        Mean over cases of their means over frames, as the papers' tables end; a
        missed case counts as Dice 0.
    volume_mean : Scores
        Mean over cases of their volume scores.
    has_geometry : bool
        False if some file stated no pixel size: distances are then in pixels, and
        volumes have none.
    patients : dict of str to str
        The patient of each case.
    """

    cases: dict[str, CaseScores]
    mean: Scores
    volume_mean: Scores
    has_geometry: bool
    patients: dict[str, str]

    @property
    def cases_in_mean(self) -> dict[str, int]:
        """How many cases each metric of ``mean`` is a mean over."""
        counted = [_counted(case) for case in self.cases.values()]
        return {
            column.name: sum(
                not math.isnan(getattr(row, column.name)) for row in counted
            )
            for column in dataclasses.fields(Scores)
        }

    @property
    def over_patients(self) -> dict[str, PatientMean]:
        """Means over patients of ``mean``'s metrics, with intervals from five on.

        Every patient weighs the same, however many of the cases are theirs.
        """
        counted = {name: _counted(case) for name, case in self.cases.items()}
        return {
            column.name: patient_mean(
                [
                    (self.patients[name], getattr(row, column.name))
                    for name, row in counted.items()
                ],
                DISTANCE_BOUNDS if column.name in DISTANCES else DICE_BOUNDS,
            )
            for column in dataclasses.fields(Scores)
        }

    @property
    def foot(self) -> list[str]:
        """Sentences about what the means are over."""
        dice, hd95 = (self.cases_in_mean[name] for name in ("dice", "hd95_mm"))
        total = len(self.cases)
        missed = sum(map(is_missed, self.cases.values()))
        lone = sum(map(one_sided_frames, self.cases.values()))
        said = [RULE]
        if total > 1:
            said.append(
                f"Dice: mean over {dice} of {total} cases ({missed} missed); "
                f"distances: over {hd95} of {total}."
            )
        if lone:
            said.append(f"Only one mask shows the object in {counted(lone, 'frame')}.")
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return plain data ready for JSON; NaN becomes None."""
        return {
            "distance_unit": "mm" if self.has_geometry else "pixel",
            "case_mean": _plain(self.mean),
            "cases_in_mean": {**self.cases_in_mean, "of": len(self.cases)},
            "over_patients": {
                name: _plain(mean) for name, mean in self.over_patients.items()
            },
            "rule": RULE,
            "volume": _plain(self.volume_mean),
            "cases": {name: case.to_dict() for name, case in self.cases.items()},
        }


def evaluate_files(
    prediction: str | Path,
    reference: str | Path,
    *,
    label: int | None = None,
    patients: Mapping[str, str] | None = None,
) -> Generator[Event, None, Evaluation]:
    """Measure a mask file against another, or folders of them case by case.

    Files of two folders belong together when their names end in the same number
    (``prediction_07.nii.gz`` and ``expert_07.nii.gz``), or are equal.

    Parameters
    ----------
    prediction, reference : path
        Two mask files of any format that can be read, or two folders of them.
    label : int, optional
        Value that is the capsule in files of several labels.
    patients : mapping of str to str, optional
        The patient by the name of the reference's file without its suffix, such as
        `core.study.importing.patient_reader` gives. Without it the number states: 7 and
        7_1 are two scans of patient 7.

    Yields
    ------
    Notice
        For each file without a partner, and where distances are in pixels.
    Progress
        After each case.
    Finished
        With `Evaluation.to_dict`.

    Raises
    ------
    InputError
        If nothing pairs, a file cannot be read or holds no mask, or two masks do
        not share a grid.
    """
    from napari_microus.core.io.names import stem_of
    from napari_microus.core.io.pairing import pair, patient_of

    pairing = pair(prediction, reference)
    if not pairing.cases:
        raise InputError(
            "Two folders must hold masks of the same cases; got none whose names end "
            f"in the same number in {prediction} and {reference}. Rename the files.",
            plain=(
                f"{prediction} and {reference} hold no masks of the same cases: no "
                "two names end in the same number. Rename the files."
            ),
        )
    for sentence in pairing.mispairs:
        yield Notice(f"Left out: {sentence}")
    cases: dict[str, CaseScores] = {}
    known: dict[str, str] = {}
    has_geometry = True
    without_distance = 0
    total = len(pairing.cases)
    for done, (name, (ours, theirs)) in enumerate(pairing.cases, start=1):
        first, second, knows_distance = _read_pair(ours, theirs, label)
        scores = evaluate_case(first.array, second.array, second.spacing_mm)
        if not knows_distance:
            scores = _without_volume_distances(scores)
        if not second.has_geometry:
            has_geometry = False
        elif not knows_distance:
            without_distance += 1
        cases[name] = scores
        known[name] = (
            patient_of(name) if patients is None else patients[stem_of(theirs)]
        )
        for path, mask in ((ours, first), (theirs, second)):
            if (mask.array == IGNORE_VALUE).any() and not (mask.array == 1).any():
                yield Notice(
                    f"{path.name}: all of the object is undecided (255), so there is "
                    "nothing to measure. Where 255 is the object, save it as 1."
                )
        yield Progress(done, total, unit="cases", message=name)
    if not has_geometry:
        yield Notice(
            "Some files state no pixel size; distances are in pixels, and only within "
            "frames."
        )
    if without_distance:
        yield Notice(
            f"The distance of frames is unknown in {without_distance} of {total} "
            "cases; distances are only within frames there."
        )
    evaluation = Evaluation(
        cases,
        mean=mean_scores([_counted(case) for case in cases.values()]),
        volume_mean=mean_scores([case.volume for case in cases.values()]),
        has_geometry=has_geometry,
        patients=known,
    )
    yield Finished(evaluation.to_dict())
    return evaluation


def check_table(path: Path, *, overwrite: bool = False) -> None:
    """Refuse a table's path before the work begins.

    Raises
    ------
    OutputError
        If the ending is neither .csv nor .json, or the file exists and must not be
        replaced.
    """
    if path.suffix.lower() not in TABLES:
        raise OutputError(
            f"A table must end in .csv or .json; got {path}. Choose one of the two.",
            plain=(
                f"What kind of table {path} is to be is not clear from its name. "
                "End it in .csv or .json."
            ),
        )
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path} already exists. Choose another name, or overwrite it."
        )


def write_table(
    evaluation: Evaluation, path: str | Path, *, overwrite: bool = False
) -> None:
    """Write every number as CSV (a row per frame, mean and volume) or as JSON.

    Raises
    ------
    OutputError
        If the ending is neither .csv nor .json, the file exists and ``overwrite``
        is False, or it cannot be written.
    """
    path = Path(path)
    check_table(path, overwrite=overwrite)
    with atomic_write(path, overwrite=overwrite) as whole:
        if path.suffix.lower() == ".json":
            text = json.dumps(evaluation.to_dict(), indent=2, allow_nan=False)
            whole.write_text(text + "\n", encoding="utf-8")
            return
        with whole.open("w", newline="", encoding="utf-8") as stream:
            _write_rows(evaluation, csv.writer(stream))


def _write_rows(evaluation: Evaluation, writer: Any) -> None:
    names = [column.name for column in dataclasses.fields(Scores)]
    shown = names
    if not evaluation.has_geometry:
        shown = [name.replace("_mm", "_px") for name in names]
    writer.writerow(["case", "frame", *shown])

    def write(case: str, frame: int | str, scores: Scores) -> None:
        values = (getattr(scores, name) for name in names)
        cells = ("" if math.isnan(value) else value for value in values)
        writer.writerow([case, frame, *cells])

    for name, case in evaluation.cases.items():
        for row in case.frames:
            write(name, row.frame, row)
        write(name, "mean", case.mean)
        write(name, "volume", case.volume)
    write("all", "mean", evaluation.mean)
    write("all", "volume", evaluation.volume_mean)


def _read_pair(
    prediction: Path, reference: Path, label: int | None
) -> tuple[Volume, Volume, bool]:
    """Read both masks; the grid is that of the file that states one.

    The last is whether lengths across frames mean something.
    """
    from napari_microus.core.io import placed_on, read_mask

    first, second = (read_mask(path, label=label) for path in (prediction, reference))
    sized = [mask for mask in (first, second) if mask.has_geometry]
    known = bool(sized) and all(
        len(mask.array) == 1 or mask.knows_frame_distance for mask in sized
    )
    if second.has_geometry or not first.has_geometry:
        return placed_on(first, second, under="other mask"), second, known
    return first, placed_on(second, first, under="other mask"), known


def _without_volume_distances(scores: CaseScores) -> CaseScores:
    unknown = dict.fromkeys(DISTANCES, math.nan)
    return dataclasses.replace(
        scores,
        volume=dataclasses.replace(scores.volume, **unknown),
        spacing_mm=(math.nan, *scores.spacing_mm[1:]),
    )


def _counted(case: CaseScores) -> Scores:
    """Return what a case counts as in the mean over cases."""
    if not is_missed(case):
        return case.mean
    return dataclasses.replace(case.mean, dice=0.0, jaccard=0.0, sensitivity=0.0)


def _plain(figures: Scores | PatientMean) -> dict[str, Any]:
    return {
        name: None if math.isnan(value) else value
        for name, value in dataclasses.asdict(figures).items()
    }
