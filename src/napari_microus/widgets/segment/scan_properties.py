"""Gives a scan the size and place that a person states, and keeps them beside it."""

from __future__ import annotations

from dataclasses import replace
from os.path import exists
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal

from napari_microus.core.errors import InputError, MicroUSError, plain_words
from napari_microus.core.io import (
    ScanProperties,
    read_scan_properties,
    write_scan_properties,
)
from napari_microus.core.sweep import sweep_of
from napari_microus.core.volume import UNKNOWN
from napari_microus.widgets._shared.layers import METADATA_KEY
from napari_microus.widgets._shared.scan_size import as_read, resize_scan
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.segment.properties_form import PropertiesForm
from napari_microus.widgets.segment.ruler import box_px, lay_ruler, length_px

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image
    from qtpy.QtWidgets import QWidget

    from napari_microus.core.io.blanking import Rectangle
    from napari_microus.core.volume import Volume

NO_SIZE = (
    "This scan states no pixel size: lengths are in pixels, and there is no volume. "
    "State it below, or continue in pixels."
)


class ScanPropertiesPanel(PropertiesForm):
    """Pixel size, frame distance, sweep and orientation of the chosen scan.

    ``applied()`` is emitted after a scan took what was stated.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers take the size.
    """

    applied = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._image: Image | None = None
        self._on_sweep()
        self._before_blank: tuple[Any, tuple[Rectangle, ...] | None] | None = None
        self.apply_button.clicked.connect(self.apply)
        self.pixels_button.clicked.connect(self._go_on_in_pixels)
        self.ruler_button.clicked.connect(self._lay_ruler)
        self.take_button.clicked.connect(self._take_ruler)
        self.blank_button.clicked.connect(self._blank_out)
        self.unblank_button.clicked.connect(self._undo_blank)
        self.show_image(None)

    # --- what is shown

    def show_image(self, image: Image | None) -> None:
        """Show what is known of a scan; ask once where it states no size."""
        is_new = image is not self._image
        self._image = image
        self.setVisible(image is not None)
        if image is None:
            return
        said = self._take_kept(image) if is_new else ""
        try:
            grid = as_read(image)
        except InputError:  # the dock says what is wrong with it
            self.setVisible(False)
            return
        self.summary.setText(f"Scan: {_in_words(grid)}")
        self.note.setText("" if grid.has_geometry else NO_SIZE)
        self.note.setVisible(not grid.has_geometry)
        self.pixels_button.setVisible(not grid.has_geometry)
        if is_new:
            self._before_blank = None
            self.unblank_button.setEnabled(False)
            self._say(said)
        source = self._source()
        self.keep.setEnabled(source is not None)
        self.keep.setCurrentIndex(0 if source is not None else 2)
        self.fill(grid)
        asked = image.metadata.get(METADATA_KEY, {}).get("goes_on_in_pixels")
        if is_new and not grid.has_geometry and not asked:
            self.section.expand(animate=False)

    def frame_count(self) -> int:
        """Return how many frames the scan has."""
        image = self._image
        if image is None or image.ndim < 3:
            return 1
        return int(image.data.shape[image.ndim - 3])

    def _take_kept(self, image: Image) -> str:
        """Take what lies beside a scan that napari's own reader opened; say so."""
        path = image.source.path
        if METADATA_KEY in image.metadata or not path or not Path(path).exists():
            return ""
        try:
            kept = read_scan_properties(path)
            if kept.is_empty:
                return ""
            resize_scan(self._viewer, image, kept)
        except MicroUSError as error:
            return plain_words(error)
        image.metadata[METADATA_KEY]["source"] = str(path)
        return tr("Size and place were taken from what is kept beside the scan.")

    # --- the ruler

    def _lay_ruler(self) -> None:
        if self._image is not None:
            lay_ruler(self._viewer, self._image)
            self._say(
                tr("Drag the ends of the line, type its length in mm, press Take.")
            )

    def _take_ruler(self) -> None:
        if self._image is None:
            return
        try:
            down, right = length_px(self._viewer, self._image)
        except InputError as error:
            self._say(plain_words(error))
            return
        if not self.known.value():
            self._say(
                tr("The ruler's length is not above 0 mm. Type what it measures.")
            )
            return
        self.square.setChecked(True)
        self.height.setValue(self.known.value() / float(np.hypot(down, right)))
        self._say(
            f"{self.known.value():g} mm over {np.hypot(down, right):.1f} pixels: "
            f"{self.height.value():.6f} mm. Press Apply."
        )

    def _blank_out(self) -> None:
        image = self._image
        if image is None:
            return
        try:
            part = box_px(self._viewer, image)
            source, path = image.data, self._kept_at()
            kept = ScanProperties() if path is None else read_scan_properties(path)
            parts = (*(kept.blank or ()), part)
            resize_scan(self._viewer, image, ScanProperties(blank=(part,)))
            self._before_blank = (source, kept.blank)
            said = tr("Rows {}:{} and columns {}:{} are black in every frame.").format(
                *part
            )
            if path is not None:
                written = write_scan_properties(path, replace(kept, blank=parts))
                said += f" Kept in {written.name}, beside the scan."
        except MicroUSError as error:
            self._say(plain_words(error))
            return
        self.unblank_button.setEnabled(True)
        self._say(said)
        self.applied.emit()

    def _undo_blank(self) -> None:
        image, before, path = self._image, self._before_blank, self._kept_at()
        if image is None or before is None:
            return
        image.data, parts = before
        self._before_blank = None
        self.unblank_button.setEnabled(False)
        try:
            if path is not None:
                kept = read_scan_properties(path)
                write_scan_properties(path, replace(kept, blank=parts))
            self._say(tr("The picture is as it was."))
        except MicroUSError as error:
            self._say(plain_words(error))
        self.applied.emit()

    # --- applying

    def apply(self) -> None:
        """Give the scan what was changed, and keep it where the person wants it."""
        image = self._image
        if image is None:
            return
        try:
            changes = self.changes()
            if changes == ScanProperties():
                self._say(tr("Nothing was changed."))
                return
            path = self._kept_at()
            before = ScanProperties() if path is None else read_scan_properties(path)
            merged = _merged(before, changes)
            layers = resize_scan(self._viewer, image, changes)
            said = f"Applied to {_names(len(layers))}."
            if path is not None:
                written = write_scan_properties(path, merged)
                said += f" Kept in {written.name}, beside the scan."
        except MicroUSError as error:
            self._say(plain_words(error))
            return
        self.show_image(image)
        self._say(said)
        self.applied.emit()

    def _kept_at(self) -> Path | None:
        """Return the scan or folder beside which its properties are kept, or None."""
        source, where = self._source(), self.keep.currentData()
        if source is None or not where:
            return None
        return source.parent if where == "folder" else source

    def _go_on_in_pixels(self) -> None:
        if self._image is not None:
            own = self._image.metadata.setdefault(METADATA_KEY, {})
            own["goes_on_in_pixels"] = True
        self.section.collapse(animate=False)

    def _source(self) -> Path | None:
        """Return the file that the scan was read from, None where there is none."""
        own = {} if self._image is None else self._image.metadata.get(METADATA_KEY, {})
        source = own.get("source") if isinstance(own, dict) else None
        return Path(source) if source and exists(source) else None

    def _say(self, words: str) -> None:
        self.message.setText(words)
        self.message.setVisible(bool(words))


def _merged(before: ScanProperties, changes: ScanProperties) -> ScanProperties:
    """Return what was stated before with what is stated now."""
    stated = {k: v for k, v in vars(changes).items() if v is not None}
    sweep = stated.get("sweep")
    if sweep is not None and sweep.kind == "rotational":
        stated["frame_distance_mm"] = UNKNOWN
    return replace(before, **stated)


def _in_words(grid: Volume) -> str:
    if not grid.has_geometry:
        return tr("size not known")
    frame, height, width = grid.spacing_mm
    words = f"{height:.4g} × {width:.4g} mm"
    sweep = sweep_of(grid.metadata)
    if len(grid.array) == 1:
        return words
    if sweep.kind == "rotational" and sweep.angles_deg is not None:
        turned = abs(sweep.angles_deg[-1] - sweep.angles_deg[0])
        return f"{words}, turned by {turned:g}°"
    if grid.knows_frame_distance:
        return f"{words}, frames {frame:.4g} mm apart"
    return f"{words}, frame distance not known"


def _names(count: int) -> str:
    return "the scan" if count == 1 else f"the scan and {count - 1} more layers"
