"""From a study to prepared frames and validation cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.core.study.kind import check_kind
from napari_microus.core.study.manifest import Study
from napari_microus.core.study.split import training_cases
from napari_microus.core.train.frames import (
    FrameCache,
    FrameWriter,
    cache_folder,
    open_cache,
)
from napari_microus.core.train.training_data import (
    TrainingData,
    ValidationCase,
    check_measured,
    key_of,
    label_rules,
    mask_to_bytes,
    stamp,
    to_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_microus.core.config.data import DataConfig
    from napari_microus.core.study.table import StudyCase
    from napari_microus.core.volume import Volume


def prepare_study(
    config: DataConfig, size: int
) -> Generator[Event, None, TrainingData]:
    """Return a study's training frames and validation cases; never the test set.

    Raises
    ------
    InputError
        If there are too few patients, no masks, or a case cannot be read.
    """
    assert config.study is not None  # the caller asked for a study
    study = Study.open(config.study)
    train, val, how = training_cases(study, config.fold)
    yield Notice(how)
    check_kind(train, None)
    lacking = sum(not case.nonexpert for case in train)
    if lacking:
        yield Notice(
            f"{lacking} of {len(train)} training cases have no non-expert mask; there "
            "the second annotator is taken to agree."
        )
    folder = cache_folder(config.cache) / f"study-{_key(study, train, size)}"
    if folder.exists():
        frames = open_cache(folder)
    else:
        frames = yield from _fill(study, train, folder, size)
    if not any((frames.expert[i] == 1).any() for i in range(len(frames))):
        raise InputError(
            f"Some training frame must show a capsule; got {len(frames)} frames with "
            "empty expert masks. Annotate some, or choose other cases.",
            plain=(
                f"The expert masks of all {len(frames)} training frames are "
                "empty. Annotate some, or choose other cases."
            ),
        )
    yield from check_measured(study, val, "a capsule")
    unsized = sum(not study.states_size(case) for case in val)
    if unsized:
        yield Notice(
            f"{unsized} of {len(val)} validation cases state no pixel size: their HD95 "
            "is in pixels, wherever mm stands in this run."
        )
    validation = [_validation_case(study, case) for case in val]
    provenance = {
        "training_cases": len(train),
        "training_patients": len({case.patient for case in train}),
        "training_frames": len(frames),
        "training_cases_with_a_second_annotator": len(train) - lacking,
        "validation_cases": len(val),
        "validation_patients": len({case.patient for case in val}),
        "validation_distances_in": "mm"
        if not unsized
        else "px"
        if unsized == len(val)
        else "mm and px",
        "split": "by patient",
    }
    rules = label_rules(train)
    if rules:
        provenance["label_rules"] = rules
    return TrainingData(frames, validation, provenance=provenance)


def _fill(
    study: Study, cases: list[StudyCase], folder: Path, size: int
) -> Generator[Event, None, FrameCache]:
    """Read every case once; a first pass over the headers would cost as much."""
    parts, index = [], []
    for number, case in enumerate(cases):
        parts.append(_prepare_case(study, case, size))
        index += [number] * len(parts[-1][0])
        yield Progress(number + 1, len(cases), "cases", "Preparing frames")
    writer = FrameWriter(folder, len(index), size)
    try:
        start = 0
        for frames, expert, nonexpert in parts:
            writer.put(start, frames=frames, expert=expert, nonexpert=nonexpert)
            start += len(frames)
        return writer.finish([case.case for case in cases], index)
    finally:
        writer.abandon()


def _prepare_case(
    study: Study, case: StudyCase, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    try:
        scan, expert, nonexpert = study.read(case)
        frames = to_bytes(scan, size)
    except InputError as error:
        raise error.at(f"Case '{case.case}'") from error
    truth = mask_to_bytes(expert.array, size)
    other = truth if nonexpert is None else mask_to_bytes(nonexpert.array, size)
    return frames, truth, other


def _validation_case(study: Study, case: StudyCase) -> ValidationCase:
    def load() -> tuple[Volume, Volume, Volume | None]:
        return study.read(case)

    return ValidationCase(case.case, case.patient, load)


def _key(study: Study, cases: list[StudyCase], size: int) -> str:
    """Return what changes whenever a file or the choice of cases does."""
    parts: list[object] = [size]
    for case in cases:
        parts.append(case.case)
        if case.label_rule:
            parts.append(case.label_rule)
        for file in (case.image, case.expert, case.nonexpert):
            if not file:
                parts.append("")
                continue
            parts += stamp(study, case, file)
    return key_of(*parts)
