"""What a run will take, as a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core.runs.texts import duration

if TYPE_CHECKING:
    from napari_microus.core.events import Estimated


def in_words(found: Estimated) -> str:
    """Return an estimate as one sentence."""
    return (
        f"About {duration(found.seconds)} of training and "
        f"{found.memory_mib:,.0f} MiB, for {found.parameters / 1e6:.1f} million "
        "weights."
    )
