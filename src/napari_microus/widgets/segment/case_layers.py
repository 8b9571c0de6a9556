"""Show a case as layers, and remember which case a capsule belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from napari_microus.core import colors
from napari_microus.widgets._shared.drawn import begin_notes
from napari_microus.widgets._shared.layers import (
    METADATA_KEY,
    layer_arguments,
    show_as_outline,
    tint,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_microus.core.case import Case

_cases: WeakKeyDictionary[Labels, Case] = WeakKeyDictionary()


def case_of(layer: Labels) -> Case | None:
    """Return the case that a capsule was saved as or opened from in this session."""
    return _cases.get(layer)


def tie_case(layer: Labels, case: Case) -> None:
    """Remember the case of a capsule."""
    _cases[layer] = case


def add_case(viewer: ViewerModel, case: Case) -> Labels:
    """Add a case's scan, its further masks and its capsule, which is selected."""
    assert case.scan is not None  # opened together with it
    image = viewer.add_image(
        case.scan.array, name=case.code, **layer_arguments(case.scan)
    )
    for name, other in case.others.items():
        arguments = layer_arguments(case.scan, provenance=other.provenance)
        viewer.add_labels(other.mask.array, name=f"{case.code} {name}", **arguments)
    made = dict(case.provenance)
    # The scan's name is not kept in a case; in the viewer it is the code.
    made |= {"task": "segment", "image": image.name, "image_id": str(image.unique_id)}
    layer = viewer.add_labels(
        np.array(case.mask.array, dtype=np.uint8),
        name=f"{case.code} capsule",
        **tint(colors.CAPSULE),
        **layer_arguments(case.scan, provenance=made),
    )
    show_as_outline(layer)
    layer.selected_label = 1
    layer.metadata[METADATA_KEY].setdefault("provenance", made)
    begin_notes(layer)
    tie_case(layer, case)
    viewer.layers.selection.active = layer
    viewer.reset_view()
    return layer
