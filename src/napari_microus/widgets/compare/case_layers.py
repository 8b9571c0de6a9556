"""The layers of the case that is open, removed only where nothing was changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.widgets._shared.drawn import checksums, has_unsaved_edits
from napari_microus.widgets._shared.layers import layer_arguments

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer
    from numpy.typing import NDArray

    from napari_microus.core.compare.case_volumes import CaseVolumes
    from napari_microus.core.volume import Volume


@dataclass(frozen=True, eq=False)
class ReadMask:
    """An annotation, and the checksums that show whether it was changed since."""

    volume: Volume
    sums: dict[int, int]

    @classmethod
    def of(cls, volume: Volume) -> ReadMask:
        """Take the checksums; for a thread."""
        return cls(volume, checksums(volume.array))


class CaseLayers:
    """What was added for one case; what the user changed or added is left alone.

    Parameters
    ----------
    viewer : ViewerModel
        Where the layers go.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._scan: tuple[Image, NDArray[np.generic]] | None = None
        self._masks: list[tuple[Labels, dict[int, int]]] = []
        self._kept: list[tuple[Labels, str]] = []

    def add(
        self, case: str, volumes: CaseVolumes, masks: dict[str, ReadMask]
    ) -> tuple[Image | None, list[Labels]]:
        """Show a case; ``masks`` are by annotator, the expert's first."""
        scan = None
        if volumes.scan is not None:
            array = volumes.scan.array
            scan = self._viewer.add_image(
                array, name=f"{case} scan", **layer_arguments(volumes.scan)
            )
            self._scan = (scan, array)
        for annotator, mask in masks.items():
            layer = self._viewer.add_labels(
                mask.volume.array,
                name=f"{case} {annotator}",
                **layer_arguments(mask.volume),
            )
            layer.selected_label = 1
            self._masks.append((layer, mask.sums))
        self._viewer.reset_view()
        middle = len(volumes.expert.array) // 2
        where = self._masks[-1][0].data_to_world((middle, 0, 0))[0]
        self._viewer.dims.set_point(self._viewer.dims.ndim - 3, where)
        return scan, [layer for layer, _ in self._masks[-len(masks) :]]

    def remove_unchanged(self) -> list[str]:
        """Remove the layers that are as they were read; return the others' names."""
        kept = []
        if self._scan is not None:
            scan, array = self._scan
            if scan.data is array:
                self._remove(scan)
        for layer, sums in self._masks:
            if _is_as_read(layer, sums):
                self._remove(layer)
            elif layer in self._viewer.layers:
                kept.append(layer.name)
                self._kept.append((layer, layer.name))
        self._scan, self._masks = None, []
        return kept

    def show_names(self, *, is_blind: bool) -> None:
        """Call what stays of earlier cases by its annotator, or by a number."""
        self._kept = [kept for kept in self._kept if kept[0] in self._viewer.layers]
        for number, (layer, name) in enumerate(self._kept, start=1):
            layer.name = f"edited mask {number}" if is_blind else name

    def _remove(self, layer: Layer) -> None:
        is_locked = getattr(layer, "locked", False)  # the user holds on to it
        if layer in self._viewer.layers and not is_locked:
            self._viewer.layers.remove(layer)


def _is_as_read(layer: Labels, sums: dict[int, int]) -> bool:
    data = np.asarray(layer.data)
    if data.dtype != np.uint8 or has_unsaved_edits(layer):
        return False
    return checksums(data) == sums
