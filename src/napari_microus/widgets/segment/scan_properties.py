"""Show what is known of a scan's size and place, and let a person tell the rest."""

from __future__ import annotations

from dataclasses import replace
from os.path import exists
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_microus.core.errors import InputError, MicroUSError, plain_words
from napari_microus.core.io import (
    ScanProperties,
    read_scan_properties,
    write_scan_properties,
)
from napari_microus.core.io.scan_properties import FRAME_BOUNDS_MM, PIXEL_BOUNDS_MM
from napari_microus.core.sweep import Sweep, angles_from_text, sweep_of
from napari_microus.core.volume import UNKNOWN
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import (
    WHEEL_GUARD,
    beside,
    push_button,
    text,
)
from napari_microus.widgets._shared.layers import METADATA_KEY
from napari_microus.widgets._shared.scan_size import as_read, resize_scan
from napari_microus.widgets.segment.ruler import box_px, lay_ruler, length_px

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_microus.core.io.blanking import Rectangle
    from napari_microus.core.volume import Volume

_SWEEPS = {"not known": "unknown", "parallel": "parallel", "rotational": "rotational"}
_AXES = {"vertical (along rows)": "rows", "horizontal (along columns)": "columns"}
_WAYS = ("left", "right", "anterior", "posterior", "superior", "inferior")
_RUNS = ("columns run to", "rows run to", "frames run to")
NO_SIZE = (
    "This scan tells no pixel size: lengths are in pixels, and there is no volume. "
    "Tell it below, or go on in pixels."
)


class ScanPropertiesPanel(QWidget):
    """Pixel size, frame distance, sweep and orientation of the chosen scan.

    ``applied()`` is emitted after a scan took what was told.

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
        self._shown = ScanProperties()
        self._before_blank: tuple[Any, tuple[Rectangle, ...] | None] | None = None
        self._make_boxes()
        self._lay_out()
        self.apply_button.clicked.connect(self.apply)
        self.pixels_button.clicked.connect(self._go_on_in_pixels)
        self.ruler_button.clicked.connect(self._lay_ruler)
        self.take_button.clicked.connect(self._take_ruler)
        self.blank_button.clicked.connect(self._blank_out)
        self.unblank_button.clicked.connect(self._undo_blank)
        self.square.toggled.connect(self._on_square)
        self.height.valueChanged.connect(self._on_square)
        self.sweep.currentIndexChanged.connect(self._on_sweep)
        self._on_sweep()
        self.show_image(None)

    def _make_boxes(self) -> None:
        self.summary, self.note = text(), text()
        self.summary.setStyleSheet("font-size: 11px")
        self.message = text()
        self.height = _millimetres(PIXEL_BOUNDS_MM[1], 6)
        self.height.setToolTip("Distance of two rows.")
        self.width_box = _millimetres(PIXEL_BOUNDS_MM[1], 6)
        self.width_box.setToolTip("Distance of two columns.")
        self.square = QCheckBox("as wide as high")
        self.square.setToolTip("Pixels are square: the height is taken for the width.")
        self.square.setChecked(True)
        self.ruler_button = push_button(
            "Lay a ruler",
            "A line whose ends can be dragged over the depth scale, or any distance "
            "that is known.",
        )
        self.known = _millimetres(1000, 2)
        self.known.setToolTip("How long the ruler is in truth.")
        self.take_button = push_button(
            "Take", "Work the pixel size out from the ruler."
        )
        self.blank_button = push_button(
            "Blank out the ruler's box",
            "Make the rectangle between the ruler's two ends black in every frame, "
            "such as a name burnt into the picture. The scan's file stays as it is.",
        )
        self.unblank_button = push_button("Undo", "Show what was blanked out last.")
        self.unblank_button.setEnabled(False)
        self.distance = _millimetres(FRAME_BOUNDS_MM[1], 4)
        self.distance.setToolTip("Distance of two frames; at 0 it is not known.")
        self.sweep = _choice(_SWEEPS, "How the frames lie to each other.")
        self.axis = _choice(
            _AXES, "The axis about which the frames are turned, in the picture."
        )
        self.axis_at = QDoubleSpinBox()
        self.axis_at.setRange(-1000, 1000)
        self.axis_at.setDecimals(2)
        self.axis_at.setSuffix(" mm")
        self.axis_at.setToolTip(
            "How far the axis lies below the first row (horizontal), or right of the "
            "first column (vertical). Below 0 it is beside the picture: for a probe, "
            "its radius with a minus."
        )
        self.axis_at.installEventFilter(WHEEL_GUARD)
        self.angles = QLineEdit()
        self.angles.setPlaceholderText("first:last, such as -80:80")
        self.angles.setToolTip(
            "Angles in degrees: first:last in equal steps, one number for the whole "
            "turn, or one for each frame with commas."
        )
        self.runs = [
            _choice(
                {"not known": ""} | {w: w for w in _WAYS},
                f"Where in the patient this leads: {of}.",
            )
            for of in _RUNS
        ]
        self.keep = _choice(
            {
                "beside the scan": "scan",
                "for its folder": "folder",
                "for now only": "",
            },
            "Beside the scan in NAME.scan.json, or for all scans of its folder in "
            "scan.json: it is taken when they are opened again, here, on the command "
            "line and in 3D Slicer.",
        )
        self.apply_button = push_button(
            "Apply", "Give the scan this size and place, and all layers on its grid."
        )
        self.pixels_button = push_button(
            "Go on in pixels", "Work without a size: areas in pixels, no volume in mL."
        )

    def _lay_out(self) -> None:
        inside = QWidget()
        form = QFormLayout(inside)
        form.setContentsMargins(12, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        # In a narrow dock a field goes below its name.
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(self.note)
        form.addRow("Pixel height", self.height)
        form.addRow("Pixel width", self.width_box)
        form.addRow("", self.square)
        form.addRow("", self.ruler_button)
        self.ruler_row = QWidget()
        below = QVBoxLayout(self.ruler_row)
        below.setContentsMargins(0, 0, 0, 0)
        for part in (self.known, self.take_button):
            below.addWidget(part)
        form.addRow("Ruler's length", self.ruler_row)
        # A row of its own: a fold opens as far as its rows need that do not wrap.
        form.addRow(QLabel("Text in the picture"))
        form.addRow(beside(self.blank_button, self.unblank_button))
        form.addRow("Sweep", self.sweep)
        form.addRow("Frame distance", self.distance)
        form.addRow("Axis", self.axis)
        form.addRow("Axis at", self.axis_at)
        form.addRow("Angles", self.angles)
        for words, box in zip(_RUNS, self.runs, strict=True):
            form.addRow(words.capitalize(), box)
        form.addRow("Keep", self.keep)
        form.addRow(beside(self.apply_button, self.pixels_button))
        form.addRow(self.message)
        self.form = form
        self.section = QCollapsible("Scan properties")
        self.section.layout().setContentsMargins(0, 0, 0, 0)
        self.section.addWidget(inside)
        # Closed, its boxes are no stops of the Tab key.
        inside.setEnabled(False)
        self.section.toggled.connect(inside.setEnabled)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.summary)
        column.addWidget(self.section)

    # --- what is shown

    def show_image(self, image: Image | None) -> None:
        """Show what is known of a scan; ask once where it tells no size."""
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
        self._fill(grid)
        asked = image.metadata.get(METADATA_KEY, {}).get("goes_on_in_pixels")
        if is_new and not grid.has_geometry and not asked:
            self.section.expand(animate=False)

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
        return "Size and place were taken from what is kept beside the scan."

    def _fill(self, grid: Volume) -> None:
        source = self._source()
        self.keep.setEnabled(source is not None)
        self.keep.setCurrentIndex(0 if source is not None else 2)
        knows = grid.has_geometry
        frame, height, width = grid.spacing_mm
        is_flat = len(grid.array) == 1
        for box in (self.height, self.width_box, self.distance):
            box.blockSignals(True)
        self.square.setChecked(not knows or abs(height - width) < 1e-6 * height)
        self.height.setValue(height if knows else 0)
        self.width_box.setValue(width if knows else 0)
        self.distance.setValue(frame if grid.knows_frame_distance else 0)
        for box in (self.height, self.width_box, self.distance):
            box.blockSignals(False)
        sweep = sweep_of(grid.metadata)
        kind = sweep.kind
        if kind == "unknown" and grid.knows_frame_distance:
            kind = "parallel"
        self.sweep.setCurrentIndex(self.sweep.findData(kind))
        if sweep.kind == "rotational":
            self.axis.setCurrentIndex(self.axis.findData(sweep.axis_along))
            self.axis_at.setValue(sweep.axis_at_mm or 0.0)
            self.angles.setText(", ".join(f"{a:g}" for a in sweep.angles_deg or ()))
        ways = _orientation(grid)
        for box, way in zip(self.runs, ways, strict=True):
            box.setCurrentIndex(box.findData(way))
        for row in (self.sweep, self.distance):
            self.form.setRowVisible(row, not is_flat)
        self._on_square()
        self._on_sweep()
        self._shown = self._told()

    def _on_square(self, _: Any = None) -> None:
        self.width_box.setEnabled(not self.square.isChecked())
        if self.square.isChecked():
            self.width_box.setValue(self.height.value())

    def _on_sweep(self, _: Any = None) -> None:
        image = self._image
        is_flat = image is None or image.ndim < 3 or image.data.shape[-3] == 1
        kind = self.sweep.currentData()
        is_turned = kind == "rotational" and not is_flat
        for row in (self.axis, self.axis_at, self.angles):
            self.form.setRowVisible(row, is_turned)
        self.form.setRowVisible(self.distance, kind == "parallel" and not is_flat)

    # --- the ruler

    def _lay_ruler(self) -> None:
        if self._image is not None:
            lay_ruler(self._viewer, self._image)
            self._say("Drag the ends of the line, type its length in mm, press Take.")

    def _take_ruler(self) -> None:
        if self._image is None:
            return
        try:
            down, right = length_px(self._viewer, self._image)
        except InputError as error:
            self._say(plain_words(error))
            return
        if not self.known.value():
            self._say("The ruler's length must be above 0 mm. Type what it measures.")
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
            said = "Rows {}:{} and columns {}:{} are black in every frame.".format(
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
            self._say("The picture is as it was.")
        except MicroUSError as error:
            self._say(plain_words(error))
        self.applied.emit()

    # --- telling

    def apply(self) -> None:
        """Give the scan what was changed, and keep it where the person wants it."""
        image = self._image
        if image is None:
            return
        try:
            changes = self._changes()
            if changes == ScanProperties():
                self._say("Nothing was changed.")
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

    def _told(self) -> ScanProperties:
        """Return what the boxes tell."""
        height, width = self.height.value(), self.width_box.value()
        pixel = (height, width) if height and width else None
        kind = self.sweep.currentData()
        distance: Any = None
        if kind == "parallel" and self.distance.value():
            distance = self.distance.value()
        ways = tuple(box.currentData() for box in self.runs)
        return ScanProperties(
            pixel, distance, self._sweep(kind), ways if all(ways) else None
        )

    def _sweep(self, kind: str) -> Sweep | None:
        if kind != "rotational":
            return Sweep.from_dict({"kind": kind})
        assert self._image is not None
        frames = self._image.data.shape[self._image.ndim - 3]
        angles = angles_from_text(self.angles.text(), frames)
        return Sweep(
            "rotational", self.axis.currentData(), self.axis_at.value(), angles
        )

    def _changes(self) -> ScanProperties:
        """Return what differs from what was shown; what was not touched is not told."""
        some = [box.currentData() for box in self.runs]
        if any(some) and not all(some):
            raise InputError(
                "An orientation must tell columns, rows and frames; got "
                f"{sum(map(bool, some))} of 3. Choose the others, or 'not known'.",
                plain=(
                    "The orientation is not complete. Choose where columns, "
                    "rows and frames run to, or 'not known' for all three."
                ),
            )
        told, shown = self._told(), self._shown
        changed: dict[str, Any] = {}
        for name in ("pixel_mm", "frame_distance_mm", "sweep", "orientation"):
            now = getattr(told, name)
            if now is not None and now != getattr(shown, name):
                changed[name] = now
        if shown.frame_distance_mm is not None and told.frame_distance_mm is None:
            changed["frame_distance_mm"] = UNKNOWN
        return ScanProperties(**changed)

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
    """Return what was told before with what is told now."""
    told = {k: v for k, v in vars(changes).items() if v is not None}
    sweep = told.get("sweep")
    if sweep is not None and sweep.kind == "rotational":
        told["frame_distance_mm"] = UNKNOWN
    return replace(before, **told)


def _in_words(grid: Volume) -> str:
    if not grid.has_geometry:
        return "size not known"
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


def _orientation(grid: Volume) -> tuple[str, str, str]:
    """Return where columns, rows and frames run to, "" where nobody knows."""
    if not grid.is_oriented:
        return "", "", ""
    from napari_microus.core.io.scan_properties import orientation_of

    return orientation_of(grid.affine) or ("", "", "")


def _names(count: int) -> str:
    return "the scan" if count == 1 else f"the scan and {count - 1} more layers"


class _Millimetres(QDoubleSpinBox):
    """A length without the zeros that tell nothing, which a narrow dock would cut."""

    def textFromValue(self, value: float) -> str:
        """Return 0.125 for 0.125000; Qt's name."""
        exact = str(super().textFromValue(value))
        point = self.locale().decimalPoint()
        return exact.rstrip("0").rstrip(point) if point in exact else exact


def _millimetres(most: float, decimals: int) -> QDoubleSpinBox:
    box = _Millimetres()
    box.setDecimals(decimals)
    box.setRange(0, most)
    box.setSingleStep(10.0 ** -(decimals // 2))
    box.setSuffix(" mm")
    box.setSpecialValueText("not known")
    box.installEventFilter(WHEEL_GUARD)
    return box


def _choice(items: dict[str, str], tip: str = "") -> QComboBox:
    box = combo(tip, least=6)
    for words, data in items.items():
        box.addItem(words, data)
    return box
