"""Frames from a folder into which a screen capture writes pictures as it goes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.live.messages import MOST_PIXELS
from napari_microus.core.live.newest import Arrived

if TYPE_CHECKING:
    import threading

    from numpy.typing import NDArray

    from napari_microus.core.live.newest import Newest

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_LOOK_S = 0.03


class FolderSource:
    """Looks for pictures that were not there before, in the order of their names.

    Parameters
    ----------
    folder : path
        Pictures that are in it at the start are not shown, but for the last one.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise InputError(
                f"A capture must go into a folder; got {self.folder}. Choose one.",
                plain=f"{self.folder} is no folder. Choose one.",
            )

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return str(self.folder)

    def run(self, newest: Newest, stop: threading.Event) -> None:
        """Watch until ``stop`` is set."""
        seen: set[str] = set()
        sizes: dict[str, int] = {}
        first = True
        while not stop.is_set():
            try:
                found = self._pictures()
            except OSError:
                newest.is_connected = False
                newest.note(
                    f"The folder {self.folder} cannot be read any more. Make it "
                    "again, or stop."
                )
                stop.wait(1.0)
                continue
            newest.is_connected = True
            if first:
                seen.update(sorted(found)[:-1])
                first = False
            for name in sorted(found.keys() - seen):
                # One that grows is still being written.
                if sizes.get(name) != found[name] or found[name] == 0:
                    sizes[name] = found[name]
                    continue
                seen.add(name)
                sizes.pop(name, None)
                newest.put(Arrived(partial(_read, self.folder / name)))
            seen &= found.keys()
            stop.wait(_LOOK_S)

    def _pictures(self) -> dict[str, int]:
        return {
            path.name: path.stat().st_size
            for path in self.folder.iterdir()
            if path.suffix.lower() in SUFFIXES
        }


def _read(path: Path) -> tuple[NDArray[np.generic], None]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if max(picture.size) > MOST_PIXELS or min(picture.size) < 2:
                raise InputError(
                    f"A frame must have 2 to {MOST_PIXELS} pixels a side; got "
                    f"{picture.size[0]} x {picture.size[1]} in {path.name}. Crop it.",
                    plain=(
                        f"{path.name} is {picture.size[0]} × {picture.size[1]} "
                        "pixels large, too much or too little for a frame. Crop it."
                    ),
                )
            return np.array(picture.convert("L")), None
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"A picture must be whole; got {path.name}, which cannot be read. "
            "It was left out.",
            plain=f"{path.name} cannot be read and was left out.",
        ) from error
