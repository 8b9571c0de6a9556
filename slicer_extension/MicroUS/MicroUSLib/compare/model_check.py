"""A model's mask between two annotators: with whom it sides, as a segmentation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from MicroUSLib.event_pump import drain
from MicroUSLib.scene.annotations import mask_from_node
from MicroUSLib.scene.nodes import require_volume
from MicroUSLib.scene.results import RESULT, replace_older
from MicroUSLib.scene.segments import add_labels, new_segmentation

from .comparison import BLUE, ORANGE, PINK, YELLOW

if TYPE_CHECKING:
    from collections.abc import Callable

    import slicer

    from MicroUSLib.scene.annotations import Annotator
    from napari_microus.core.compare.three_way import ThreeWay
    from napari_microus.core.events import Event

    from .comparison import Comparison


def compare_model(
    found: Comparison, model: Annotator, on_event: Callable[[Event], None]
) -> ThreeWay:
    """Compare a third mask with the two of a comparison.

    Raises
    ------
    InputError
        If none is chosen, it is one of the two, or it lies elsewhere.
    """
    from napari_microus.core.compare.three_way import three_way
    from napari_microus.core.errors import InputError

    require_volume(found.volume)
    mask = mask_from_node(model.node, model.part, found.volume, model.role, on_event)
    if (model.node, model.part) in found.parts:
        raise InputError(
            f"The model's mask must be a third one; got '{model.name}'. "
            "Segment the scan first, or choose another.",
            plain=(
                f"'{model.name}' is one of the two annotations that are "
                "compared. Segment the scan first, or choose another as the "
                "model's."
            ),
        )
    return drain(three_way(mask.array, *found.masks, found.grid.spacing_mm), on_event)


def show(found: Comparison, check: ThreeWay) -> slicer.vtkMRMLSegmentationNode:
    """Add a segmentation with a segment for each way to agree or differ."""
    from napari_microus.core.compare.three_way import (
        AGAINST_BOTH,
        ALL_DIFFER,
        SIDES_WITH_EXPERT,
        SIDES_WITH_NONEXPERT,
        THREE_WAY_NAMES,
    )

    require_volume(found.volume)  # the window lived meanwhile
    colors = {
        SIDES_WITH_EXPERT: BLUE,
        SIDES_WITH_NONEXPERT: ORANGE,
        AGAINST_BOTH: YELLOW,
        ALL_DIFFER: PINK,
    }
    name = f"{found.volume.GetName()} model against both"
    node = new_segmentation(found.volume, name, is_derived=True)
    parts = [(v, THREE_WAY_NAMES[v], color) for v, color in colors.items()]
    add_labels(check.codes, parts, node, found.volume)
    node.SetAttribute(RESULT, "third mask")
    replace_older(node, found.volume)
    return node


def in_words(check: ThreeWay) -> str:
    """Return how often the model sides with whom."""
    from napari_microus.core.compare.three_way import THREE_WAY_NAMES

    pixels = check.per_frame.sum(axis=0).tolist()
    lines = [f"{name}: {pixels[v]:,} px" for v, name in THREE_WAY_NAMES.items()]
    share = check.nonexpert_share
    if math.isfinite(share):
        lines.append(f"where the two differ it is non-expert in {100 * share:.0f} %")
    return "; ".join(line for line in lines if not line.endswith(": 0 px")) + "."
