"""Which frames of a capsule stand for all of it in a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_microus.core.measure import Measurements
    from napari_microus.core.measure.frame_sizes import FrameSize


@dataclass(frozen=True)
class KeyFrame:
    """A frame and why it is shown, such as "Largest area"."""

    size: FrameSize
    title: str


def key_frames(measured: Measurements) -> list[KeyFrame]:
    """Return the frames to show: largest, first, last, and the least certain one.

    A frame that is several of these is shown once, under all their names; nothing is
    shown where nothing is drawn.
    """
    drawn = measured.drawn
    if not drawn:
        return []
    assert measured.largest is not None  # something is drawn
    chosen = [
        ("Largest area", measured.largest.frame),
        ("First with an outline", drawn[0]),
        ("Last with an outline", drawn[-1]),
    ]
    unsure = measured.least_sure
    if unsure is not None:
        chosen.append(("Model least certain", unsure.frame))
    titles: dict[int, list[str]] = {}
    for title, frame in chosen:
        titles.setdefault(frame, []).append(title)
    return [
        KeyFrame(measured.frames[frame], _joined(names))
        for frame, names in titles.items()
    ]


def _joined(names: list[str]) -> str:
    first, *others = names
    return ", ".join([first, *(name[0].lower() + name[1:] for name in others)])
