"""Codes shown with two values exchanged, so that numbers do not reveal who is who."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class DisplayCodes:
    """A view of a map in which two codes are exchanged; napari reads it as an array.

    Parameters
    ----------
    codes : ndarray of uint8
        The map, which stays as it is and may change.
    first, second : int
        The codes that are exchanged.
    """

    def __init__(self, codes: NDArray[np.uint8], first: int, second: int) -> None:
        self._codes = codes
        self._table = np.arange(256, dtype=np.uint8)
        self._table[[first, second]] = second, first
        self.dtype = codes.dtype
        self.shape = codes.shape
        self.ndim = codes.ndim
        self.size = codes.size

    def __getitem__(self, key: Any) -> Any:
        """Return a part of the map as it is shown."""
        return self._table[self._codes[key]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the whole map as it is shown."""
        return self._table[self._codes].astype(dtype or self.dtype, copy=False)

    def __len__(self) -> int:
        return len(self._codes)
