"""The size of a segment, by the core's methods and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from MicroUSLib.scene.annotations import require_segment
from MicroUSLib.scene.grids import require_same_place
from MicroUSLib.scene.nodes import grid_from_node
from MicroUSLib.scene.segments import own_capsule, segment_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    import slicer

    from napari_microus.core.volume import Volume
    from napari_microus.core.volumetry import VolumeEstimate


@dataclass(frozen=True)
class Measured:
    """What was measured of a segment.

    Parameters
    ----------
    name : str
        What the segment is called.
    pixels : int
        How many it holds.
    area_mm2 : float or None
        Of a single frame; None for a sweep, and where the size of a pixel is unknown.
    volume : VolumeEstimate or None
        With its method, or why there is none; None for a single frame.
    """

    name: str
    pixels: int
    area_mm2: float | None
    volume: VolumeEstimate | None


def segment_to_measure(segmentation: slicer.vtkMRMLSegmentationNode) -> str | None:
    """Return the segment that is measured: the latest capsule, or the only segment."""
    own = own_capsule(segmentation)
    ids = segmentation.GetSegmentation().GetSegmentIDs()
    return own if own is not None or len(ids) != 1 else ids[0]


def measure(
    volume: slicer.vtkMRMLVolumeNode,
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    area_sd_mm2: float | Sequence[float] | None = None,
) -> Measured:
    """Measure a segment on its scan.

    ``area_sd_mm2``, the standard deviation of an area, gives the volume an interval.

    Raises
    ------
    InputError
        If the segment does not lie on the scan or is no labelmap, or the sweep gives
        no volume of such an outline.
    """
    from napari_microus.core.volumetry import mask_volume

    mask = mask_of(volume, segmentation, segment_id)
    name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
    pixels = int((mask.array == 1).sum())
    if len(mask.array) > 1:
        estimate = mask_volume(mask, area_sd_mm2=area_sd_mm2)
        return Measured(name, pixels, None, estimate)
    _distance, height, width = mask.spacing_mm
    area_mm2 = pixels * height * width if mask.has_geometry else None
    return Measured(name, pixels, area_mm2, None)


def mask_of(
    volume: slicer.vtkMRMLVolumeNode,
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
) -> Volume:
    """Return a segment as the core's mask, with all that is known of its scan."""
    require_same_place(segmentation, volume)
    require_segment(segmentation, segment_id, "measured")
    array = segment_array(segmentation, segment_id, volume)
    return grid_from_node(volume).like(array)


def in_words(found: Measured, psa_ng_ml: float | None = None) -> str:
    """Return what was measured, with the method, and the PSA density.

    Raises
    ------
    InputError
        If PSA is below 0.
    """
    from napari_microus.core.volumetry import psa_density

    if found.area_mm2 is not None:
        return _("Area {0:,.1f} mm²").format(found.area_mm2)
    if found.volume is None:
        return _("{0:,} pixels (the size of a pixel is unknown)").format(found.pixels)
    estimate = found.volume
    if estimate.ml is None:
        return _("{0:,} pixels. {1}").format(found.pixels, estimate.method)
    words = _("Volume {0:.2f} mL, {1}").format(estimate.ml, estimate.method)
    if estimate.interval_ml is not None:
        low, high = estimate.interval_ml
        words = _("{0}; 95 % interval {1:.2f} to {2:.2f} mL").format(words, low, high)
    if psa_ng_ml is None or not estimate.ml:
        return words
    density = psa_density(psa_ng_ml, estimate.ml)
    return _("{0}\nPSA density {1:.2f} ng/mL per mL").format(words, density)
