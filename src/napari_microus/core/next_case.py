"""Rank scans without masks by how much annotating them would teach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.compare import hard_region
from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.events import Event, Notice, Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.library import LoadedModel
    from napari_microus.core.study.manifest import Study
    from napari_microus.core.study.table import StudyCase
    from napari_microus.core.volume import Volume

# Margin in pixels that counts as the boundary of a 224 px frame.
_BOUNDARY = 5


@dataclass(frozen=True)
class RankedCase:
    """A case without an expert mask, and why it should be annotated soon.

    Attributes
    ----------
    case : StudyCase
    uncertainty : float
        Mean entropy in bits along the predicted boundary: 1 is a coin flip.
    disagreement : float
        Expected share of pixels on which two annotators would differ, were each
        pixel drawn with the network's probability: the mean of 2 p (1 − p) over
        frames, relative to the predicted capsule's size.
    frame : int
        The most uncertain frame.
    """

    case: StudyCase
    uncertainty: float
    disagreement: float
    frame: int

    @property
    def score(self) -> float:
        """Sum of both; the larger, the sooner."""
        return self.uncertainty + self.disagreement


def next_cases(
    study: Study, model: LoadedModel, *, device: str = "auto", frames: int = 8
) -> Generator[Event, None, list[RankedCase]]:
    """Rank the cases without an expert mask, the most instructive one first.

    A scan that cannot be read is left out, with a notice.

    Parameters
    ----------
    study : Study
        Its test cases are left alone.
    model : LoadedModel
        Current model.
    device : str
        As in `predict`.
    frames : int
        Frames of each scan to look at, evenly spread.

    Raises
    ------
    InputError
        If every case is annotated already, or no scan can be read.
    ConfigError
        If ``frames`` is below 1.
    """
    from napari_microus.core.train.validate import spread

    if frames < 1:
        raise ConfigError(
            f"frames must be at least 1; got {frames}. Use 8.",
            plain=(
                f"At least one frame of a case is looked at, and {frames} is "
                "none. Use 8."
            ),
        )
    waiting = [c for c in study.used if not c.expert and c.split != "test"]
    if not waiting:
        raise InputError(
            "Some case must lack an expert mask to be ranked; got "
            f"{len(study.used)} annotated ones. Add unlabelled scans to the study.",
            plain=(
                "Every case has its expert mask, so that there is nothing to rank. "
                "Add scans without one."
            ),
        )
    ranked: list[RankedCase] = []
    unread = ""
    yield Progress(0, len(waiting), "cases", "Ranking")
    for number, case in enumerate(waiting, start=1):
        try:
            scan = study.read_scan(case)
            chosen = spread(len(scan.array), frames)
            ranked.append((yield from _rank(case, scan, model, device, chosen)))
        except InputError as error:
            unread = f"'{case.case}' was left out: {error.plain}"
            yield Notice(unread)
        yield Progress(number, len(waiting), "cases", "Ranking")
    if not ranked:
        raise InputError(
            f"Some scan must be readable to be ranked; got {len(waiting)} that are "
            f"not. The last one: {unread}",
            plain=(
                f"None of the {len(waiting)} scans that wait can be read. The last "
                f"one: {unread}"
            ),
        )
    return sorted(ranked, key=lambda found: found.score, reverse=True)


def _rank(
    case: StudyCase,
    scan: Volume,
    model: LoadedModel,
    device: str,
    chosen: NDArray[np.int64],
) -> Generator[Event, None, RankedCase]:
    from napari_microus.core.predict import predict

    prediction = yield from predict(
        model, scan, device=device, frames=[int(z) for z in chosen]
    )
    probability = prediction.logits.float().sigmoid().numpy()[:, 0]
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    inside = p >= 0.5
    edge = inside ^ _eroded(inside)
    band = hard_region(edge, np.zeros_like(edge), _BOUNDARY).astype(bool)
    along = np.array(
        [
            values[where].mean() if where.any() else values.max()
            for values, where in zip(entropy, band, strict=True)
        ]
    )
    spread_of_opinion = (2 * p * (1 - p)).sum() / max(float(p.sum()), 1.0)
    worst = int(chosen[int(along.argmax())])
    return RankedCase(case, float(along.mean()), float(spread_of_opinion), worst)


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_erosion

    return np.stack([binary_erosion(frame) for frame in mask])
