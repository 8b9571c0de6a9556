"""Record which frames of a capsule a program drew, and which a person changed since.

What a program drew is remembered by a checksum of each frame; a frame whose checksum is
another when the layer is saved was changed by hand. Undo, brush and every other tool
are covered without listening to any of them.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.widgets._shared.layers import METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari.layers import Layer
    from numpy.typing import NDArray

_KEY = "drawn"
_SAVED = "saved"  # how the layer was when it was last saved


def checksum(frame: NDArray[Any]) -> int:
    """Return what distinguishes one frame (Y, X) of a mask from another."""
    return zlib.crc32(np.ascontiguousarray(frame, dtype=np.uint8).tobytes())


def checksums(mask: NDArray[Any]) -> dict[int, int]:
    """Return the checksum of every frame of a mask ([Z,] Y, X)."""
    frames = mask.reshape((-1, *mask.shape[-2:]))
    return {k: checksum(frame) for k, frame in enumerate(frames)}


def begin_notes(layer: Layer, sums: Mapping[int, int] | None = None) -> None:
    """Take a layer of which nothing is known, such as a file's, as it is.

    Frames that its provenance states to be edited stay so. ``sums`` are its
    `checksums`, where they are known.
    """
    own = layer.metadata.setdefault(METADATA_KEY, {})
    if _KEY in own:
        return
    review = own.get("provenance", {}).get("review", {})
    edited = set(review.get("edited", ()))
    sums = sums or checksums(np.asarray(layer.data))
    own[_KEY] = {k: [value] for k, value in sums.items() if k not in edited}
    own.setdefault(_SAVED, _state(sums, own))


def note_drawn(layer: Layer, drawn: Mapping[int, int]) -> None:
    """Remember the checksums of frames that a program drew into a layer."""
    known = layer.metadata.setdefault(METADATA_KEY, {}).setdefault(_KEY, {})
    for frame, value in drawn.items():
        known.setdefault(frame, []).append(value)


def edited_frames(
    sums: Mapping[int, int], metadata: Mapping[str, Any]
) -> list[int] | None:
    """Return the frames that no program drew as they are; None where it is unknown.

    ``sums`` are the `checksums` of the mask.
    """
    known = metadata.get(METADATA_KEY, {}).get(_KEY)
    if not isinstance(known, dict):
        return None
    return [k for k, value in sums.items() if value not in known.get(k, ())]


def note_saved(mask: NDArray[Any], metadata: dict[str, Any]) -> None:
    """Remember in a layer's ``metadata`` that its mask has been saved as it is."""
    own = metadata.get(METADATA_KEY)
    if isinstance(own, dict) and _KEY in own:
        own[_SAVED] = _state(checksums(mask), own)


def is_saved(layer: Layer) -> bool:
    """Return whether a layer was saved as it is, by whatever button or menu."""
    own = layer.metadata.get(METADATA_KEY, {})
    return _SAVED in own and own[_SAVED] == _state(
        checksums(np.asarray(layer.data)), own
    )


def has_unsaved_edits(layer: Layer) -> bool:
    """Return whether a person changed or approved frames since the last saving.

    What a program drew can be drawn again: alone it is no edit. Layers of which
    nothing is noted have none.
    """
    own = layer.metadata.get(METADATA_KEY, {})
    if _KEY not in own:
        return False
    now = _state(checksums(np.asarray(layer.data)), own)
    is_work = now["approved"] or edited_frames(now["frames"], layer.metadata)
    return bool(is_work) and now != own.get(_SAVED)


def _state(sums: Mapping[int, int], own: Mapping[str, Any]) -> dict[str, Any]:
    review = own.get("provenance", {}).get("review", {})
    return {"frames": dict(sums), "approved": sorted(review.get("approved", ()))}


def is_as_drawn(layer: Layer, frame: int, value: int) -> bool:
    """Return whether a program once drew a frame with this checksum."""
    known = layer.metadata.get(METADATA_KEY, {}).get(_KEY, {})
    return value in known.get(frame, ())


def provenance_now(
    mask: NDArray[Any], metadata: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return a layer's provenance as it is true of the mask now.

    Frames that a person changed are listed under ``review``; runs of which nothing is
    left, because they were undone or drawn over, are left out of ``mended``.
    """
    own = metadata.get(METADATA_KEY, {})
    made = own.get("provenance")
    if not isinstance(made, dict) or _KEY not in own:
        return made
    now = checksums(mask)
    edited = edited_frames(now, metadata)
    review = dict(made.get("review", {}))
    review["edited"] = edited
    approved: Iterable[int] = review.get("approved", [])
    true = {**made, "review": {**review, "approved": sorted(approved)}}
    if "mended" in made:
        true["mended"] = [
            {key: value for key, value in run.items() if key != _KEY}
            for run in made["mended"]
            if any(now.get(int(k)) == v for k, v in run.get(_KEY, {}).items())
            or _KEY not in run
        ]
    return true
