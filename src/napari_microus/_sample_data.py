"""napari's sample data: real frames of one patient, and a phantom scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core import colors
from napari_microus.widgets._shared.layers import (
    layer_arguments,
    tint,
)

if TYPE_CHECKING:
    from napari.types import LayerData

SEED = 1
FRAMES = 8


def sweep_case() -> list[LayerData]:
    """Return ten real frames and their two outlines as napari's layer data.

    Whose they are and under which licence stands in the metadata of each layer.
    """
    from napari_microus.core.samples import read_sweep

    sweep = read_sweep()
    stated = {"attribution": sweep.attribution}
    arguments = {"name": "real frames", **layer_arguments(sweep.scan, **stated)}
    layers: list[LayerData] = [(sweep.scan.array, arguments, "image")]
    for name, mask, colour in (
        ("outline 1", sweep.first, colors.EXPERT),
        ("outline 2", sweep.second, colors.NONEXPERT),
    ):
        drawn = {"name": name, **tint(colour), **layer_arguments(mask, **stated)}
        layers.append((mask.array, drawn, "labels"))
    return layers


def phantom_case() -> list[LayerData]:
    """Return a phantom scan and its two annotations as napari's layer data.

    The case is made when it is asked for, so that the package carries no pictures;
    equal numbers come out each time.
    """
    from napari_microus.core.phantom import make_phantom

    case = make_phantom(SEED, frames=FRAMES)
    layers: list[LayerData] = [
        (case.scan.array, {"name": "phantom", **layer_arguments(case.scan)}, "image")
    ]
    for name, mask, colour in (
        ("expert", case.expert, colors.EXPERT),
        ("non-expert", case.nonexpert, colors.NONEXPERT),
    ):
        arguments = {
            "name": name,
            **tint(colour),
            **layer_arguments(mask),
        }
        layers.append((mask.array, arguments, "labels"))
    return layers
