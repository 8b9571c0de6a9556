"""What a case keeps of a mask's provenance: who drew it and how, and nobody's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_microus.core.edit.review import Review

# Names of images and layers may be those of patients: all else is left out.
_KEPT = (
    "task",
    "model",
    "model_version",
    "weights_sha256",
    "package",
    "date",
    "device",
    "frames",
    "settings",
    "confidence",
    "mended",
)


def kept_provenance(
    provenance: Mapping[str, Any] | None, review: Review | None, use: str
) -> dict[str, Any]:
    """Return the provenance that is written beside a mask of a case."""
    stated = provenance or {}
    made = {name: stated[name] for name in _KEPT if name in stated}
    if review is not None:
        made["review"] = review.to_provenance()
    return {**made, "use": use}
