"""One training frame in the variations that a run would see it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.events import Event, Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class Variations:
    """A frame as it is, and varied.

    Attributes
    ----------
    case : str
        Case it is of.
    frame : int
        Its number.
    frames, masks : ndarray of uint8, shape (1 + count, S, S)
        At the network's size; the frame itself comes first. Masks hold 0, 1 and,
        where ignored, 255.
    """

    case: str
    frame: int
    frames: NDArray[np.uint8]
    masks: NDArray[np.uint8]


def vary_a_frame(
    config: TrainConfig, *, count: int = 8, seed: int = 0
) -> Generator[Event, None, Variations]:
    """Vary the frame with the largest capsule of one training case.

    Parameters
    ----------
    config : TrainConfig
        The run; its ``augment`` says what varies.
    count : int
        Variations.
    seed : int
        Decides which case is taken and how it varies.

    Raises
    ------
    InputError
        If the study has nothing to train on, or the case cannot be read.
    """
    from napari_microus.core.train.augment import preview_augmentation
    from napari_microus.core.train.training_data import mask_to_bytes, to_bytes

    yield Progress(0, 2, "steps", "Reading a training case")
    case, scan, expert = _training_case(config, seed)
    shown = int(np.argmax((expert.array == 1).sum((1, 2))))
    yield Progress(1, 2, "steps", "Varying its frame")
    size = _size(config)
    frame = to_bytes(scan, size)[shown]
    mask = mask_to_bytes(expert.array[shown : shown + 1], size)[0]
    varied = preview_augmentation(frame, mask, config.augment, count, seed)
    return Variations(case, shown, *varied)


def _training_case(config: TrainConfig, seed: int) -> tuple[str, Volume, Volume]:
    if config.data.study is None:
        from napari_microus.core.phantom import make_phantom

        phantom = make_phantom(seed, frames=3)
        return "phantom", phantom.scan, phantom.expert
    from napari_microus.core.study import Study
    from napari_microus.core.study.split import training_cases

    study = Study.open(config.data.study)
    cases, _, _ = training_cases(study, config.data.fold)
    chosen = cases[seed % len(cases)]
    scan, expert, _ = study.read(chosen)
    return chosen.case, scan, expert


def _size(config: TrainConfig) -> int:
    """Return the input size in pixels of the network that the run trains."""
    from napari_microus.core.config.published_weights import published_weights

    named = published_weights().get(config.start or "")
    if named is not None:
        return (config.model if named.fits(config.model) else named.network).image_size
    if config.start is not None:
        from napari_microus.core.library import find_model

        size = find_model(config.start).config.get("input", {}).get("size")
        if size is not None:
            return int(size)
    return config.model.image_size
