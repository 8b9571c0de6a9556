"""Show what a pixel costs in the loss, frame by frame as they come into view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.compare.weights import (
    loss_weights,
    weight_picture,
)
from napari_microus.core.hard_region import KERNEL_SIZES
from napari_microus.core.mask import as_mask

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.widgets.compare.pair import Pair


class WeightFrames:
    """An array of the weights of all frames that computes those asked for.

    Parameters
    ----------
    pair : Pair
        The two masks.
    scale : int
        0 for full size, then 1/2, 1/4, 1/8.
    network_size : int
        Edge of the square the network sees.
    hard_weight : float
        How many easy pixels a hard one costs.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, pair: Pair, *, scale: int, network_size: int, hard_weight: float
    ) -> None:
        self._pair = pair
        self.scale = scale
        self._network_size = network_size
        self._hard_weight = hard_weight
        self.shape = tuple(pair.expert.data.shape)
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))
        self._known: dict[int, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return self.shape[0]

    def forget(self, frames: set[int]) -> None:
        """Compute these frames again when they are next looked at."""
        for frame in frames:
            self._known.pop(frame, None)

    def frame(self, number: int) -> NDArray[np.float32]:
        """Return the weights of one frame."""
        if number not in self._known:
            if len(self._known) > 16:
                self._known.clear()
            masks = []
            for layer, value in (
                (self._pair.expert, self._pair.expert_value),
                (self._pair.nonexpert, self._pair.nonexpert_value),
            ):
                data = layer.data if self.ndim == 2 else layer.data[number]
                masks.append(as_mask(np.asarray(data), value)[None])
            scales = loss_weights(
                masks[0],
                masks[1],
                network_size=self._network_size,
                hard_weight=self._hard_weight,
                kernel_sizes=KERNEL_SIZES,
            )
            height, width = self.shape[-2:]
            self._known[number] = weight_picture(scales[self.scale], (height, width))[0]
        return self._known[number]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        key = key if isinstance(key, tuple) else (key,)
        if self.ndim == 2:
            return self.frame(0)[key]
        chosen, rest = key[0], key[1:]
        if isinstance(chosen, (int, np.integer)):
            return self.frame(int(chosen) % len(self))[rest]
        frames = [self.frame(n) for n in range(len(self))[chosen]]
        return np.stack(frames)[(slice(None), *rest)]

    def __array__(
        self, dtype: Any = None, copy: bool | None = None
    ) -> NDArray[np.float32]:
        everything = self[0:] if self.ndim == 3 else self.frame(0)
        return np.asarray(everything, dtype)


def load_network_code() -> Generator[Event, None, None]:
    """Import what computes the weights; takes seconds the first time."""
    yield from ()
    import torch  # noqa: F401

    import napari_microus.core.losses.deep_supervision
    import napari_microus.core.preprocess  # noqa: F401
