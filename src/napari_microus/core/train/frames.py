"""Training frames at the network's size, in memory-mapped files of bytes.

Preparing a frame (reading, windowing, resizing) costs a hundred times what a
training step can spare, so that it is done once and the result kept.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import OutputError
from napari_microus.core.files import folder_beside, reason

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_ARRAYS = ("frames", "expert", "nonexpert")


@dataclass(frozen=True, eq=False)
class FrameCache:
    """N frames with the masks of both annotators.

    Attributes
    ----------
    frames, expert, nonexpert : ndarray of uint8, shape (N, S, S)
        Intensities from 0 to 255; masks of 0, 1 and, where ignored, 255. A frame
        without a non-expert mask has the expert's in its place.
    case_index : ndarray of int, shape (N,)
        Which of ``cases`` a frame is of.
    cases : list of str
    """

    frames: NDArray[np.uint8]
    expert: NDArray[np.uint8]
    nonexpert: NDArray[np.uint8]
    case_index: NDArray[np.int64]
    cases: list[str]

    def __len__(self) -> int:
        return len(self.frames)

    def batch(self, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return frames (B, 1, S, S) and masks (B, 2, S, S), both uint8."""
        import torch

        frames = torch.from_numpy(self.frames[indices]).unsqueeze(1)
        masks = np.stack([self.expert[indices], self.nonexpert[indices]], axis=1)
        return frames, torch.from_numpy(masks)

    def names(self, indices: NDArray[np.int64]) -> list[str]:
        """Return the cases that frames come from, each once."""
        return list(dict.fromkeys(self.cases[self.case_index[i]] for i in indices))


@dataclass(frozen=True, eq=False)
class JoinedFrames:
    """The frames of a study with phantoms behind them.

    Attributes
    ----------
    study, phantoms : FrameCache
        Both at one size.
    """

    study: FrameCache
    phantoms: FrameCache

    def __len__(self) -> int:
        return len(self.study) + len(self.phantoms)

    def batch(self, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return frames (B, 1, S, S) and masks (B, 2, S, S), both uint8."""
        import torch

        count = len(self.study)
        is_phantom = indices >= count
        parts = [
            self.study.batch(indices[~is_phantom]),
            self.phantoms.batch(indices[is_phantom] - count),
        ]
        order = np.argsort(np.argsort(is_phantom, kind="stable"))
        frames, masks = (torch.cat(pair)[order] for pair in zip(*parts, strict=True))
        return frames, masks

    def names(self, indices: NDArray[np.int64]) -> list[str]:
        """Return the cases that frames come from, each once."""
        count = len(self.study)
        found = self.study.names(indices[indices < count])
        return found + self.phantoms.names(indices[indices >= count] - count)


class FrameWriter:
    """Fill a cache frame by frame; it appears under its name when `finish`ed.

    Until then its files lie in ``path``.
    """

    def __init__(self, folder: Path, count: int, size: int) -> None:
        self._folder = folder
        try:
            self.path = folder_beside(folder)
        except OSError as error:
            raise _cannot_write(folder, reason(error)) from error
        self._reserve(3 * count * size * size)
        try:
            self._arrays = {
                name: np.lib.format.open_memmap(
                    self.path / f"{name}.npy", "w+", np.uint8, (count, size, size)
                )
                for name in _ARRAYS
            }
        except OSError as error:
            self.abandon()
            raise _cannot_write(folder, reason(error)) from error

    def _reserve(self, wanted: int) -> None:
        # Writing past a full disk through a memory map kills the process.
        free = shutil.disk_usage(self.path).free
        if free < wanted * 1.05:
            self.abandon()
            raise _cannot_write(
                self._folder, f"{free >> 20} MiB are free, {wanted >> 20} are needed"
            )

    def put(self, start: int, **arrays: NDArray[np.uint8]) -> None:
        """Store ``frames``, ``expert`` and ``nonexpert`` from frame ``start`` on."""
        for name, array in arrays.items():
            self._arrays[name][start : start + len(array)] = array

    def finish(self, cases: list[str], case_index: list[int]) -> FrameCache:
        """Give the cache its name and return it opened for reading."""
        index: dict[str, Any] = {"cases": cases, "case_index": case_index}
        try:
            for array in self._arrays.values():
                array.flush()
            self._arrays.clear()
            text = json.dumps(index)
            (self.path / "index.json").write_text(text, encoding="utf-8")
            if not self._folder.exists():
                os.replace(self.path, self._folder)
        except OSError as error:
            raise _cannot_write(self._folder, reason(error)) from error
        finally:
            self.abandon()
        return open_cache(self._folder)

    def abandon(self) -> None:
        """Remove what was written so far."""
        shutil.rmtree(self.path, ignore_errors=True)


def open_cache(folder: Path) -> FrameCache:
    """Open a finished cache for reading."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    case_index = np.asarray(index["case_index"], dtype=np.int64)
    return FrameCache(**arrays, case_index=case_index, cases=index["cases"])


def cache_folder(chosen: str | None) -> Path:
    """Return where prepared frames are kept."""
    if chosen is not None:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("napari-microus", False)) / "frames"


def _cannot_write(folder: Path, reason: str) -> OutputError:
    return OutputError(
        f"The cache folder must have room for the frames; got {folder.parent} "
        f"({reason}). Free some space, or set data.cache to another folder.",
        plain=(
            f"The frames cannot be kept in {folder.parent} ({reason}). "
            "Free some space, or set data.cache to another folder."
        ),
    )
