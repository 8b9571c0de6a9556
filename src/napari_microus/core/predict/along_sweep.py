"""Average what a network says of a frame with what it says of the frames beside it.

Frames of a sweep that lie beside each other show nearly the same section: where the
network errs in one of them, it is often right in the next. The weight of a neighbour
falls with its distance in frames and with the likeness of the two pictures, so that
frames of a heap that is no sweep are left as they are. On held-out patients this makes
the capsule truer and steadier, see docs/results.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Frames on either side that count.
REACH = 2
_DECAY = 1.0  # frames
_POWER = 2.0
_EDGE = 48


class SweepAverage:
    """Log-odds of frames as they come, averaged once all neighbours are known.

    Parameters
    ----------
    wanted : sequence of int
        Frames whose average is asked for.
    count : int
        Frames of the scan.
    size : int
        Edge of the network's answer in pixels.
    """

    def __init__(self, wanted: Sequence[int], count: int, size: int) -> None:
        self._count = count
        self._open = set(wanted)
        #: Frames that the network must see, in the order of the scan.
        self.frames = sorted({n for frame in wanted for n in self._beside(frame)})
        self._place = {frame: place for place, frame in enumerate(self.frames)}
        self._logits = torch.empty((len(self.frames), 1, size, size))
        self._looks = torch.empty((len(self.frames), _EDGE * _EDGE))
        self._known: set[int] = set()

    def beside(self, frame: int) -> list[int]:
        """Return a frame and those that count for it, in the order of the scan."""
        return list(self._beside(frame))

    def put(
        self, batch: Sequence[int], frames: Tensor, logits: Tensor
    ) -> tuple[list[int], Tensor]:
        """Take in what the network saw and said, and return what is known by now.

        Parameters
        ----------
        batch : sequence of int
            Which frames.
        frames, logits : Tensor, shape (len(batch), 1, size, size)
            The frames as the network saw them, and its log-odds.

        Returns
        -------
        frames : list of int
            Those asked for whose neighbours are all known since this call.
        logits : Tensor of float32, shape (len(frames), 1, size, size)
            Their averages.
        """
        places = [self._place[frame] for frame in batch]
        self._logits[places] = logits.float().cpu()
        self._looks[places] = _look(frames).cpu()
        self._known.update(batch)
        near = {frame for other in batch for frame in self._beside(other)}
        ready = sorted(
            frame
            for frame in near & self._open
            if self._known.issuperset(self._beside(frame))
        )
        self._open.difference_update(ready)
        means = [self._mean(frame) for frame in ready]
        return ready, torch.stack(means) if means else self._logits[:0]

    def _beside(self, frame: int) -> Iterable[int]:
        return range(max(0, frame - REACH), min(self._count, frame + REACH + 1))

    def _mean(self, frame: int) -> Tensor:
        beside = self.beside(frame)
        places = [self._place[other] for other in beside]
        weights = neighbour_weights(
            self._looks[places], torch.tensor(beside), beside.index(frame)
        )
        return torch.einsum("n,n...->...", weights, self._logits[places])


def neighbour_weights(looks: Tensor, positions: Tensor, own: int) -> Tensor:
    """Return the weight of each frame for one of them; they sum to 1.

    The weight is exp(-d) c², with the distance d in frames and the correlation c of
    the two pictures (0 where it is negative).

    Parameters
    ----------
    looks : Tensor of float32, shape (n, pixels)
        Each frame, small, with mean 0 and length 1; see `_look`.
    positions : Tensor of int, shape (n,)
        Where each frame lies in the scan.
    own : int
        Which of them is averaged for.
    """
    distance = (positions - positions[own]).abs().float()
    likeness = (looks @ looks[own]).clamp(0, 1)
    likeness[own] = 1.0  # also where a frame is blank
    weights = torch.exp(-distance / _DECAY) * likeness**_POWER
    return weights / weights.sum()


def _look(frames: Tensor) -> Tensor:
    """Return frames (n, 1, S, S) as small pictures of mean 0 and length 1."""
    small = F.adaptive_avg_pool2d(frames.float(), _EDGE).flatten(1)
    return F.normalize(small - small.mean(1, keepdim=True), dim=1)
