"""How sure a network is of a frame's capsule, from its own answer.

Where the evidence for the boundary is sharp, it matters little where the threshold
lies: the capsules above a probability of 0.25 and of 0.75 are nearly one. Their Dice is
the confidence. On held-out patients it ranks frames by their true error, see
docs/results.md, with nothing fitted but the table that turns it into an expected DSC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_microus.core.predict.result import Prediction

_THRESHOLDS = (0.25, 0.75)
# Confidence and the mean DSC of held-out frames that had it (docs/results.md).
_EXPECTED = (
    (0.0, 0.40, 0.80, 0.872, 0.894, 0.918, 0.936, 0.948, 0.968),
    (0.0, 0.50, 0.806, 0.896, 0.903, 0.927, 0.936, 0.948, 0.968),
)
#: Frames below this confidence should be looked at first.
DOUBTFUL = 0.88


def frame_confidence(logits: Tensor) -> NDArray[np.float64]:
    """Return how sure a network is of each frame, 0 to 1.

    Parameters
    ----------
    logits : Tensor, shape (n, 1, size, size)
        Log-odds of the capsule at the network's size.

    Returns
    -------
    ndarray, shape (n,)
        Dice of the capsules above a probability of 0.25 and of 0.75; 0 where the
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
    """Return what a provenance file tells of the confidence, ready for JSON."""
    pairs = zip(prediction.frames, prediction.confidence, strict=True)
    return {
        "frames": {str(frame): round(float(value), 3) for frame, value in pairs},
        "look_first": look_first(prediction),
        "meaning": "Dice of the capsules above a probability of 0.25 and of 0.75",
    }
