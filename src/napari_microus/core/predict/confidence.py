"""How sure a network is of a frame's capsule, from its own answer.

A network that has learnt enough is all but certain of a gland's inside, and hesitates
at its boundary alone. The confidence is the Dice of the capsule, above a probability
of 0.5, and of the part of it above 0.95. On held-out patients it ranks frames by their
true error and is low where there is no gland, see docs/results.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_microus.core.predict.result import Prediction

_THRESHOLDS = (0.5, 0.95)
# Confidence and the mean DSC of held-out frames that had it (docs/results.md).
_EXPECTED = (
    (0.0, 0.672, 0.828, 0.883, 0.903, 0.917, 0.925, 0.933, 0.942),
    (0.0, 0.812, 0.919, 0.920, 0.926, 0.941, 0.954, 0.962, 0.973),
)
#: Frames below this confidence should be looked at first.
DOUBTFUL = 0.85


def frame_confidence(logits: Tensor) -> NDArray[np.float64]:
    """Return how sure a network is of each frame, 0 to 1.

    Parameters
    ----------
    logits : Tensor, shape (n, 1, size, size)
        Log-odds of the capsule at the network's size.

    Returns
    -------
    ndarray, shape (n,)
        Dice of the capsules above a probability of 0.5 and of 0.95; 0 where the
        smaller is empty and the larger is not, 1 where both are.
    """
    wide, narrow = (
        (logits > float(np.log(p / (1 - p)))).flatten(1).sum(1, dtype=torch.float64)
        for p in _THRESHOLDS
    )
    # The narrow capsule lies inside the wide one, so it is their intersection.
    total = wide + narrow
    found = torch.where(total > 0, 2 * narrow / total.clamp(min=1), 1.0)
    return np.asarray(found.cpu().numpy())


def expected_dice(confidence: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the DSC that held-out frames of this confidence had in the mean."""
    return np.asarray(np.interp(confidence, *_EXPECTED))


def look_first(prediction: Prediction, most: int = 10) -> list[int]:
    """Return the frames of low confidence, the least sure one first."""
    order = np.argsort(prediction.confidence, kind="stable")
    doubtful = [k for k in order if prediction.confidence[k] < DOUBTFUL]
    return [prediction.frames[k] for k in doubtful[:most]]


def left_empty(frames: list[int], least: float) -> str:
    """Return the sentence about frames that were left empty."""
    listed = ", ".join(str(frame) for frame in frames[:10])
    more = f" and {len(frames) - 10} more" if len(frames) > 10 else ""
    who = f"Frame {listed} is" if len(frames) == 1 else f"Frames {listed}{more} are"
    return (
        f"{who} left empty: the model is not sure that a gland is there (confidence "
        f"below {least:g})."
    )


def in_words(frames: list[int], count: int) -> str:
    """Return the sentence that a user reads about frames to look at.

    Parameters
    ----------
    frames : list of int
        From `look_first`.
    count : int
        Frames that were segmented.
    """
    if not frames:
        return "The model is about equally sure of all frames."
    if count == 1:
        return "The model is not sure of this frame: look at it."
    return f"Look at these frames first: {', '.join(map(str, frames))}."


def to_provenance(prediction: Prediction) -> dict[str, Any]:
    """Return what a provenance file states about the confidence, ready for JSON."""
    pairs = zip(prediction.frames, prediction.confidence, strict=True)
    return {
        "frames": {str(frame): round(float(value), 3) for frame, value in pairs},
        "look_first": look_first(prediction),
        "meaning": "Dice of the capsules above a probability of 0.5 and of 0.95",
    }
