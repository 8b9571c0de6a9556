"""From a study of volumes to prepared channels and validation cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.core.files import atomic_folder
from napari_microus.core.multichannel.spacing import resized, resized_mask, shape_at
from napari_microus.core.multichannel.stacking import stack_channels
from napari_microus.core.study.kind import NO_STUDY, check_kind
from napari_microus.core.study.manifest import Study
from napari_microus.core.study.split import training_cases
from napari_microus.core.train.frames import cache_folder
from napari_microus.core.train.patches import PatchSource, PreparedVolume
from napari_microus.core.train.training_data import (
    TrainingData,
    VolumeCase,
    check_measured,
    key_of,
    label_rules,
    stamp,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.config.data import DataConfig
    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.study.table import StudyCase
    from napari_microus.core.volume import Volume

# Voxels of the target from which a patch's middle is drawn.
_MOST_FOREGROUND = 4096
# Changes whenever what is prepared does.
_FORMAT = 1


def prepare_volumes(config: TrainConfig) -> Generator[Event, None, TrainingData]:
    """Return a study's prepared volumes and validation cases; never the test set.

    Raises
    ------
    InputError
        If there is no study or too few patients, a case lacks a channel, or there is
        nothing to learn from or to measure on.
    OutputError
        If the prepared volumes cannot be stored.
    """
    data = config.data
    if data.study is None:
        raise InputError(
            "Training on volumes needs a study; got none. Import one (study import "
            "--layout picai), or make one of phantoms (phantom --lesions).",
            plain=NO_STUDY,
        )
    study = Study.open(data.study)
    train, val, how = training_cases(study, data.fold)
    yield Notice(how)
    count = config.model.baseline.in_channels
    check_kind(train, count)
    names = channel_names(data, train[0], count)
    volumes = []
    for number, case in enumerate(train, start=1):
        volumes.append(_prepared(study, case, names, data))
        yield Progress(number, len(train), "cases", "Preparing volumes")
    shown = sum(len(volume.foreground) > 0 for volume in volumes)
    if not shown:
        raise InputError(
            f"Some training case must show the target; got {len(train)} cases with "
            "empty masks. Annotate some, or choose other cases.",
            plain=(
                f"The masks of all {len(train)} training cases are empty. "
                "Annotate some, or choose other cases."
            ),
        )
    if shown < len(train):
        yield Notice(f"{len(train) - shown} of {len(train)} cases show no target.")
    yield from check_measured(study, val, "the target")
    patch = config.model.patch_size
    small = [
        volume
        for volume in volumes
        if any(n < edge for n, edge in zip(volume.mask.shape, patch, strict=True))
    ]
    if small:
        yield Notice(
            f"{len(small)} of {len(train)} cases are smaller than a patch of "
            f"{' × '.join(map(str, patch))} voxels, and are filled up: what is "
            "outside counts nowhere."
        )
    provenance = {
        "training_cases": len(train),
        "training_patients": len({case.patient for case in train}),
        "training_cases_with_a_target": shown,
        "validation_cases": len(val),
        "validation_patients": len({case.patient for case in val}),
        "validation_distances_in": "mm",
        "channels": ", ".join(names),
        "split": "by patient",
    }
    rules = label_rules(train)
    if rules:
        provenance["label_rules"] = rules
    source = PatchSource(volumes, patch, data.patches_per_case, data.foreground_share)
    validation = [_volume_case(study, case, names) for case in val]
    return TrainingData(source, validation, provenance=provenance)


def channel_names(data: DataConfig, case: StudyCase, count: int) -> tuple[str, ...]:
    """Return the channels a run takes, in the network's order.

    Raises
    ------
    InputError
        If the study's channels are not as many as the network's.
    """
    names = data.channels or tuple(case.channels) or ("image",)
    if len(names) != count:
        raise InputError(
            f"A study must have the network's {count} channels; got "
            f"{', '.join(names)} for '{case.case}'. Set model.baseline.in_channels "
            f"to {len(names)}, or choose another preset.",
            plain=(
                f"Case '{case.case}' has the channels {', '.join(names)}, and "
                f"the network reads {count}. Set model.baseline.in_channels to "
                f"{len(names)}, or choose another preset."
            ),
        )
    return names


def _volume_case(study: Study, case: StudyCase, names: tuple[str, ...]) -> VolumeCase:
    def load() -> tuple[NDArray[np.float32], Volume, Volume]:
        return _read(study, case, names)

    return VolumeCase(case.case, case.patient, load)


def _read(
    study: Study, case: StudyCase, names: tuple[str, ...]
) -> tuple[NDArray[np.float32], Volume, Volume]:
    channels = study.read_channels(case, names)
    first = channels[names[0]]
    if len(first.array) == 1 or not first.knows_frame_distance:
        what = "one slice" if len(first.array) == 1 else "no distance of slices"
        raise InputError(
            f"A volume must have slices at known distances; got {what} for "
            f"'{case.case}'. Use a preset for frames.",
            plain=(
                f"Case '{case.case}' has {what}, and cannot be learnt from as "
                "a volume. Use a preset for frames."
            ),
        )
    try:
        stack = stack_channels(channels)
    except InputError as error:
        raise error.at(f"Case '{case.case}'") from error
    return stack, first, study.read_mask(case, case.expert, first)


def _prepared(
    study: Study, case: StudyCase, names: tuple[str, ...], data: DataConfig
) -> PreparedVolume:
    """Return a case as the network sees it, prepared once and kept."""
    folder = cache_folder(data.cache) / f"volume-{_key(study, case, names, data)}"
    if not folder.exists():
        stack, scan, mask = _read(study, case, names)
        shape = shape_at(scan.shape, scan.spacing_mm, data.spacing_mm)
        values = resized(torch.from_numpy(stack), shape).numpy().astype(np.float16)
        labels = resized_mask(torch.from_numpy(mask.array), shape).numpy()
        try:
            with atomic_folder(folder) as fresh:
                np.save(fresh / "stack.npy", values)
                np.save(fresh / "mask.npy", labels)
        except OutputError:
            if not folder.exists():  # else another run was as quick
                raise
    # Read-only maps: a data set of volumes does not fit into memory.
    stack, labels = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("stack", "mask")
    )
    found = np.argwhere(labels == 1)
    places = np.linspace(0, len(found) - 1, min(len(found), _MOST_FOREGROUND))
    chosen = found[places.round().astype(int)]
    return PreparedVolume(case.case, stack, labels, chosen)


def _key(
    study: Study, case: StudyCase, names: tuple[str, ...], data: DataConfig
) -> str:
    """Return what changes whenever a file or a setting does."""
    files = case.channels or {"image": case.image}
    parts: list[object] = [_FORMAT, data.spacing_mm, case.label_rule, names]
    for file in [*(files.get(name, "") for name in names), case.expert]:
        if file:
            parts += stamp(study, case, file)
    return key_of(*parts)
