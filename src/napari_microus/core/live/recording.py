"""Keep a cine and its masks while they run, in constant memory."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.io import WRITABLE, suffix_of, write_mask, write_volume
from napari_microus.core.volume import UNKNOWN, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.core.live.following import LiveFrame


class Recording:
    """Frames and masks on disk until `save` makes a scan and a mask of them.

    Parameters
    ----------
    path : path
        The cine's file (.nii.gz and so on); its masks are <name>_capsule beside it.
    overwrite : bool
        Replace existing files.

    Attributes
    ----------
    provenance : dict or None
        Who draws the masks, see `core.provenance.segmentation_provenance`; it is
        written beside them.

    Raises
    ------
    OutputError
        If the suffix cannot be written, a file exists, or the folder is missing.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        suffix = suffix_of(self.path)
        if suffix not in WRITABLE:
            raise OutputError(
                f"A cine must be written as one of {', '.join(WRITABLE)}; got "
                f"'{self.path.name}'. Change the suffix.",
                plain=(
                    f"A recording cannot be called '{self.path.name}'. End the name "
                    f"in one of {', '.join(WRITABLE)}."
                ),
            )
        name = self.path.name.removesuffix(suffix)
        self.mask_path = self.path.with_name(f"{name}_capsule{suffix}")
        self._overwrite = overwrite
        for target in (self.path, self.mask_path):
            if target.exists() and not overwrite:
                raise OutputError(
                    f"A file must not be replaced unasked; got {target}, which exists. "
                    "Choose another name, or overwrite it.",
                    plain=(
                        f"{target} exists already. Choose another name, or "
                        "overwrite it."
                    ),
                )
        try:
            self._folder = Path(
                tempfile.mkdtemp(prefix=".recording-", dir=self.path.parent)
            )
        except OSError as error:
            raise OutputError(
                f"A cine must go into a folder that can be written; got "
                f"{self.path.parent}. Choose another.",
                plain=(
                    f"Nothing can be written into {self.path.parent}. Choose "
                    "another folder."
                ),
            ) from error
        self._files: list[BinaryIO] = [
            (self._folder / name).open("wb") for name in ("frames", "masks")
        ]
        self._like: LiveFrame | None = None
        self.provenance: dict[str, Any] | None = None
        self.count = 0

    def add(self, live: LiveFrame) -> None:
        """Append a frame and its mask.

        Raises
        ------
        InputError
            If its size or type differs from the first one's; what was recorded stays.
        OutputError
            If it cannot be written.
        """
        like = self._like or live
        now, first = live.frame, like.frame
        if now.shape != first.shape or now.dtype != first.dtype:
            raise InputError(
                f"A cine must keep its size; got {now.shape} after {first.shape}. "
                "The recording ended before it.",
                plain=(
                    "The pictures have changed their size, so that the "
                    "recording ended before it."
                ),
            )
        try:
            for file, array in zip(self._files, (live.frame, live.mask), strict=True):
                file.write(np.ascontiguousarray(array).tobytes())
        except OSError as error:
            raise OutputError(
                f"A cine must find room on its disk; got '{error}'. Make room.",
                plain=f"The recording cannot be written on ({error}). Make room.",
            ) from error
        self._like = like
        self.count += 1

    def save(self) -> list[Path]:
        """Write the cine and its masks, and return their files; none without frames."""
        for file in self._files:
            file.close()
        if self._like is None:
            self.discard()
            return []
        first = self._like
        frames = self._read("frames", first.frame.dtype, first.frame.shape)
        masks = self._read("masks", first.mask.dtype, first.mask.shape)
        stated = {"frame_distance": UNKNOWN}
        if first.spacing_mm is None:
            scan = Volume(frames, has_geometry=False, metadata=stated)
        else:
            scan = replace(
                Volume.from_spacing(frames, (1.0, *first.spacing_mm)), metadata=stated
            )
        write_volume(scan, self.path, overwrite=self._overwrite)
        made = self.provenance
        if made is not None:
            made = {**made, "image": self.path.name}
        mask = scan.like(masks)
        write_mask(mask, self.mask_path, overwrite=self._overwrite, provenance=made)
        del scan, frames, masks, mask  # maps of the files below
        self.discard()
        return [self.path, self.mask_path]

    def discard(self) -> None:
        """Throw away what was not saved."""
        for file in self._files:
            file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(
        self, name: str, dtype: np.dtype[np.generic], shape: tuple[int, ...]
    ) -> NDArray[np.generic]:
        return np.memmap(
            self._folder / name, dtype=dtype, mode="r", shape=(self.count, *shape)
        )
