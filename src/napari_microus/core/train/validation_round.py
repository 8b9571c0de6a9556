"""Measure the network on all validation cases, and show how it does on one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_microus.core.events import Event, Preview
from napari_microus.core.files import atomic_write
from napari_microus.core.train.control import Control, StepAbandoned
from napari_microus.core.train.training_data import VolumeCase
from napari_microus.core.train.validate import CaseScore, FramePreview, score_case
from napari_microus.core.train.validate_volume import score_volume

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.runs.folder import RunFolder
    from napari_microus.core.train.learner import Learner
    from napari_microus.core.train.training_data import TrainingData


@torch.no_grad()
def _score(
    learner: Learner,
    case: Any,
    control: Control,
    shown: list[FramePreview] | None,
    watched: int | None,
) -> CaseScore | None:
    config = learner.config
    shared: dict[str, Any] = {
        "device": learner.fabric.device,
        "batch_size": min(8, learner.micro_batch),
        "cancelled": control.wants_break,
        "previews": shown,
        "watched": watched,
    }
    try:
        with learner.fabric.autocast():
            if isinstance(case, VolumeCase):
                return score_volume(
                    learner.evaluated,
                    learner.criterion,
                    case,
                    data=config.data,
                    patch=config.model.patch_size,
                    **shared,
                )
            return score_case(
                learner.evaluated,
                learner.criterion,
                case,
                size=config.model.image_size,
                frames=config.data.val_frames_per_case,
                **shared,
            )
    except StepAbandoned:
        return None


def validate_all(
    run: RunFolder | None, learner: Learner, data: TrainingData, control: Control
) -> Generator[Event, None, list[CaseScore] | None]:
    """Score the validation cases, shared among the processes; None if cancelled."""
    fabric = learner.fabric
    learner.evaluated.eval()
    learner.criterion.eval()
    mine: list[CaseScore | None] = []
    cases = data.validation[fabric.global_rank :: fabric.world_size]
    # The first process has the folder, and shows one of its cases.
    number, frame = (0, None) if run is None else run.watched()
    for index, case in enumerate(cases):
        is_watched = run is not None and index == number % len(cases)
        while True:
            shown: list[FramePreview] | None = [] if is_watched else None
            score = _score(learner, case, control, shown, frame)
            if score is not None or control.wants_stop():
                break
            yield from control.wait_while_paused()  # and measure the case again
        mine.append(score)
        if score is None:
            break
        if run is not None and shown:
            yield _write_preview(run, shown[0])
    learner.network.train()
    learner.criterion.train()
    if control.any_process(bool(mine) and mine[-1] is None):
        return None
    scores = [score for score in mine if score is not None]
    if fabric.world_size > 1:
        gathered: list[Any] = [None] * fabric.world_size
        torch.distributed.all_gather_object(gathered, scores)
        scores = [score for part in gathered for score in part]
    return sorted(scores, key=lambda score: score.case)


def _write_preview(run: RunFolder, shown: FramePreview) -> Preview:
    path = run.path / "preview.npz"
    with atomic_write(path, overwrite=True) as temporary:
        np.savez_compressed(
            temporary,
            image=shown.image,
            expert=shown.expert.astype(np.uint8),
            probability=(shown.probability * 255).round().astype(np.uint8),
            spacing_mm=np.array(shown.spacing_mm),
        )
    return Preview(str(path), shown.case, shown.frame)
