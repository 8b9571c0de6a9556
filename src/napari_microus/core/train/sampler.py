"""Which frames a step sees: a function of seed, epoch and step, so nothing to store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Sampler:
    """Draw whole batches from ``count`` frames and share them over processes.

    An epoch passes through ``epoch_size`` frames (all, where None) in an order of
    its own; its last batch is filled up from the front, so that all have one size.
    Where there are ``extra`` frames behind those, about ``extra_share`` of an epoch
    is drawn from them instead.
    """

    count: int
    batch_size: int
    seed: int
    epoch_size: int | None = None
    rank: int = 0
    world: int = 1
    extra: int = 0
    extra_share: float = 0.0

    @property
    def batches(self) -> int:
        """Steps in an epoch."""
        return -(-(self.epoch_size or self.count) // self.batch_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the frames of an epoch, in the order in which they are seen."""
        order = self._passes(epoch)
        if self.extra:
            draw = np.random.default_rng((self.seed, epoch, self.extra))
            chosen = draw.random(len(order)) < self.extra_share
            order[chosen] = self.count + draw.integers(self.extra, size=chosen.sum())
        return order

    def _passes(self, epoch: int) -> NDArray[np.int64]:
        wanted = self.batches * self.batch_size
        rounds = -(-wanted // self.count)
        if self.epoch_size is not None and self.epoch_size < self.count:
            # Short epochs walk through one long order, so that none is left out.
            start = epoch * wanted
            first, last = start // self.count, (start + wanted - 1) // self.count
            passes = [self._shuffled(number) for number in range(first, last + 1)]
            offset = start - first * self.count
            return np.concatenate(passes)[offset : offset + wanted]
        passes = [self._shuffled(epoch * rounds + number) for number in range(rounds)]
        return np.concatenate(passes)[:wanted]

    def _shuffled(self, number: int) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, number)).permutation(self.count)

    def share(
        self, order: NDArray[np.int64], epoch: int, batch: int
    ) -> tuple[NDArray[np.int64], list[tuple[int, ...]]]:
        """Return this process's frames of a batch, and the key that seeds each."""
        per_process = self.batch_size // self.world
        start = batch * self.batch_size + self.rank * per_process
        places = range(start, start + per_process)
        return order[start : start + per_process], [
            (self.seed, epoch, place) for place in places
        ]
