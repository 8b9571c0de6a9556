"""What lies between the frames of a scan, as our own files state it in their headers.

NIfTI, NRRD and MetaImage always state a distance of frames. Where it is unknown, 1 mm
stands for it, and a word in the header says so; a sweep is stated there too. What a
person keeps beside a scan (see `scan_sidecar`) goes before it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError
from napari_microus.core.io.tiff import NO_FRAME_DISTANCE
from napari_microus.core.sweep import Sweep
from napari_microus.core.volume import UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

    from napari_microus.core.volume import Volume

KEY = "microus_frames"


def frames_text(volume: Volume) -> str:
    """Return what a header must state, "" where the distance is known and no sweep."""
    if len(volume.array) < 2:
        return ""
    entries: dict[str, Any] = {}
    if volume.has_geometry and not volume.knows_frame_distance:
        entries["frame_distance"] = UNKNOWN
    if "sweep" in volume.metadata:
        entries["sweep"] = volume.metadata["sweep"]
    return json.dumps({KEY: entries}) if entries else ""


def frames_metadata(text: str, path: Path) -> dict[str, Any]:
    """Return a scan's metadata from what `frames_text` wrote, with its notices.

    Raises
    ------
    InputError
        If it is something else.
    """
    if not text:
        return {}
    try:
        entries = json.loads(text)[KEY]
        is_ours = set(entries) <= {"frame_distance", "sweep"}
        if not is_ours or entries.get("frame_distance", UNKNOWN) != UNKNOWN:
            raise ValueError(text)
        sweep = Sweep.from_dict(entries["sweep"]) if "sweep" in entries else Sweep()
    except (ValueError, LookupError, TypeError, RecursionError, InputError) as error:
        raise InputError(
            "What a file's header states between its frames must be an unknown "
            f"distance or a sweep; got something else in {path}. Write it again from "
            "its scan.",
            plain=(
                f"What {path} says about the distance of its frames cannot be "
                "understood. Write it again from its scan."
            ),
        ) from error
    is_silent = sweep.kind == "rotational" or "frame_distance" not in entries
    return {**entries, "notices": [] if is_silent else [NO_FRAME_DISTANCE]}
