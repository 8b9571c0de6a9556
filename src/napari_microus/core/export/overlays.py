"""Pictures of the frames with the contour over them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.colors import CAPSULE
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Event, Progress
from napari_microus.core.files import atomic_write
from napari_microus.core.mask import check_same_shape
from napari_microus.core.pictures import Contour, draw_frame

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_microus.core.volume import Volume


def write_overlays(
    scan: Volume,
    mask: Volume,
    folder: str | Path,
    overwrite: bool = False,
    *,
    frames: Sequence[int] | None = None,
) -> Generator[Event, None, list[Path]]:
    """Write a PNG of each frame with the mask's contour.

    Parameters
    ----------
    scan : Volume
        Its pixel size gives the axes in mm where it is known.
    mask : Volume
        1 is the object; of the scan's shape.
    folder : str or Path
        Made if it is not there. Files are called ``frame_0000.png`` by the frame's
        number, from 0; nothing else is stated about the scan.
    overwrite : bool
        Replace pictures that are there.
    frames : sequence of int, optional
        Which frames; None for all.

    Yields
    ------
    Event
        `Progress` by pictures.

    Returns
    -------
    list of Path
        The pictures.

    Raises
    ------
    InputError
        If the shapes differ or a frame does not exist.
    OutputError
        If a picture is there, or cannot be written; nothing is drawn then.
    """
    check_same_shape(scan.array, mask.array)
    count = len(scan.array)
    chosen = list(range(count) if frames is None else dict.fromkeys(frames))
    for frame in chosen:
        if not 0 <= frame < count:
            raise InputError(
                f"A picture must be of a frame from 0 to {count - 1}; got {frame}. "
                "Choose another.",
                plain=(
                    f"The scan has no frame {frame}; the last one is {count - 1}. "
                    "Choose another."
                ),
            )
    folder = Path(folder)
    paths = [folder / f"frame_{frame:04d}.png" for frame in chosen]
    for path in paths:
        if path.exists() and not overwrite:
            raise OutputError(
                f"{path} already exists. Choose another folder, or overwrite it."
            )
    for done, (frame, path) in enumerate(zip(chosen, paths, strict=True), start=1):
        contour = Contour(mask.array[frame] == 1, "capsule", CAPSULE)
        with atomic_write(path, overwrite=overwrite) as beside:
            draw_frame(beside, scan, frame, [contour], title=f"Frame {frame}")
        yield Progress(done, len(chosen), "pictures", "Drawing the frames")
    return paths
