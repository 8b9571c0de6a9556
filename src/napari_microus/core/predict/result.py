"""What a prediction is: a mask, and probabilities made when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_microus.core.predict.confidence import frame_confidence
from napari_microus.core.preprocess import to_full_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_microus.core.volume import Volume


@dataclass(frozen=True, eq=False)
class Prediction:
    """A capsule mask with the network's answers behind it.

    The answers are kept at the network's size (a fifth of a megabyte a frame);
    the maps below are made from them on first use, in half precision, so that a
    scan costs no more memory than its mask until somebody looks at them. Half
    precision is exact to 0.0005; a pixel that close to the threshold may round to
    the other side of it.

    Parameters
    ----------
    mask : Volume of uint8
        0 and 1 on the scan's grid; 0 in frames that were not asked for.
    frames : tuple of int
        The frames that were segmented.
    logits : Tensor of float32, shape (len(frames), 1, size, size)
        Log-odds of the capsule.
    """

    mask: Volume
    frames: tuple[int, ...]
    logits: Tensor

    @cached_property
    def probability(self) -> Volume:
        """Probability of the capsule, float16, 0 in frames not asked for."""
        return self._map(torch.sigmoid)

    @cached_property
    def uncertainty(self) -> Volume:
        """Entropy of the probability in bits, float16: 1 where it is a coin flip."""
        return self._map(_entropy)

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """How sure the network is of each of ``frames``; see `frame_confidence`."""
        return frame_confidence(self.logits)

    def _map(self, from_logits: Callable[[Tensor], Tensor]) -> Volume:
        maps = np.zeros(self.mask.shape, dtype=np.float16)
        for frame, logits in zip(self.frames, self.logits, strict=True):
            full = to_full_size(logits[None], self.mask.shape[1:])
            maps[frame] = from_logits(full)[0, 0].to(torch.float16).numpy()
        return self.mask.like(maps)


def _entropy(logits: Tensor) -> Tensor:
    # H(p) = log(1 + e^l) - p l in nats, finite for any logit.
    p = torch.sigmoid(logits)
    nats = torch.nn.functional.softplus(logits) - p * logits
    return (nats / np.log(2)).clamp_(0, 1)
