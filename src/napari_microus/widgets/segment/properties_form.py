"""The boxes for a scan's size, sweep and orientation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

from napari_microus.core.errors import InputError
from napari_microus.core.io import ScanProperties
from napari_microus.core.io.scan_properties import FRAME_BOUNDS_MM, PIXEL_BOUNDS_MM
from napari_microus.core.sweep import Sweep, angles_from_text, sweep_of
from napari_microus.core.volume import UNKNOWN
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import (
    WHEEL_GUARD,
    beside,
    fold,
    push_button,
    text,
)
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from napari_microus.core.volume import Volume

_SWEEPS = {"not known": "unknown", "parallel": "parallel", "rotational": "rotational"}
_AXES = {"vertical (along rows)": "rows", "horizontal (along columns)": "columns"}
_WAYS = ("left", "right", "anterior", "posterior", "superior", "inferior")
_RUNS = ("columns run to", "rows run to", "frames run to")


class PropertiesForm(QWidget):
    """Lays the boxes out; each control is an attribute."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown = ScanProperties()
        self._make_boxes()
        self._lay_out()
        self.square.toggled.connect(self._on_square)
        self.height.valueChanged.connect(self._on_square)
        self.sweep.currentIndexChanged.connect(self._on_sweep)

    def frame_count(self) -> int:
        """Return how many frames the scan has."""
        return 1

    def _make_boxes(self) -> None:
        self.summary, self.note = text(), text()
        self.summary.setStyleSheet("font-size: 11px")
        self.message = text()
        self.height = _millimetres(PIXEL_BOUNDS_MM[1], 6)
        self.height.setToolTip(tr("Distance of two rows."))
        self.width_box = _millimetres(PIXEL_BOUNDS_MM[1], 6)
        self.width_box.setToolTip(tr("Distance of two columns."))
        self.square = QCheckBox(tr("as wide as high"))
        self.square.setToolTip(
            tr("Pixels are square: the height is taken for the width.")
        )
        self.square.setChecked(True)
        self.ruler_button = push_button(
            tr("Lay a ruler"),
            tr(
                "A line whose ends can be dragged over the depth scale, or any "
                "distance that is known."
            ),
        )
        self.known = _millimetres(1000, 2)
        self.known.setToolTip(tr("How long the ruler is in truth."))
        self.take_button = push_button(
            tr("Take"), tr("Work the pixel size out from the ruler.")
        )
        self.blank_button = push_button(
            tr("Blank out the ruler's box"),
            tr(
                "Make the rectangle between the ruler's two ends black in every "
                "frame, such as a name burnt into the picture. The scan's file "
                "stays as it is."
            ),
        )
        self.unblank_button = push_button(
            tr("Undo"), tr("Show what was blanked out last.")
        )
        self.unblank_button.setEnabled(False)
        self.distance = _millimetres(FRAME_BOUNDS_MM[1], 4)
        self.distance.setToolTip(tr("Distance of two frames; at 0 it is not known."))
        self.sweep = _choice(_SWEEPS, tr("How the frames lie to each other."))
        self.axis = _choice(
            _AXES, tr("The axis about which the frames are turned, in the picture.")
        )
        self.axis_at = QDoubleSpinBox()
        self.axis_at.setRange(-1000, 1000)
        self.axis_at.setDecimals(2)
        self.axis_at.setSuffix(" mm")
        self.axis_at.setToolTip(
            tr(
                "How far the axis lies below the first row (horizontal), or "
                "right of the first column (vertical). Below 0 it is beside the "
                "picture: for a probe, its radius with a minus."
            )
        )
        self.axis_at.installEventFilter(WHEEL_GUARD)
        self.angles = QLineEdit()
        self.angles.setPlaceholderText(tr("first:last, such as -80:80"))
        self.angles.setToolTip(
            tr(
                "Angles in degrees: first:last in equal steps, one number for "
                "the whole turn, or one for each frame with commas."
            )
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
            tr(
                "Beside the scan in NAME.scan.json, or for all scans of its "
                "folder in scan.json: it is taken when they are opened again, "
                "here, on the command line and in 3D Slicer."
            ),
        )
        self.apply_button = push_button(
            tr("Apply"),
            tr("Give the scan this size and place, and all layers on its grid."),
        )
        self.pixels_button = push_button(
            tr("Continue in pixels"),
            tr("Work without a size: areas in pixels, no volume in mL."),
        )

    def _lay_out(self) -> None:
        inside = QWidget()
        form = QFormLayout(inside)
        form.setContentsMargins(12, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        # In a narrow dock a field goes below its name.
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(self.note)
        form.addRow(tr("Pixel height"), self.height)
        form.addRow(tr("Pixel width"), self.width_box)
        form.addRow("", self.square)
        form.addRow("", self.ruler_button)
        self.ruler_row = QWidget()
        below = QVBoxLayout(self.ruler_row)
        below.setContentsMargins(0, 0, 0, 0)
        for part in (self.known, self.take_button):
            below.addWidget(part)
        form.addRow(tr("Ruler's length"), self.ruler_row)
        # A row of its own: a fold opens as far as its rows need that do not wrap.
        form.addRow(QLabel(tr("Text in the picture")))
        form.addRow(beside(self.blank_button, self.unblank_button))
        form.addRow(tr("Sweep"), self.sweep)
        form.addRow(tr("Frame distance"), self.distance)
        form.addRow(tr("Axis"), self.axis)
        form.addRow(tr("Axis at"), self.axis_at)
        form.addRow(tr("Angles"), self.angles)
        for words, box in zip(_RUNS, self.runs, strict=True):
            form.addRow(words.capitalize(), box)
        form.addRow(tr("Keep"), self.keep)
        form.addRow(beside(self.apply_button, self.pixels_button))
        form.addRow(self.message)
        self.form = form
        self.section = fold(tr("Scan properties"), inside)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.summary)
        column.addWidget(self.section)

    def fill(self, grid: Volume) -> None:
        """Show what is known of a scan."""
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
        self._shown = self.stated()

    def _on_square(self, _: Any = None) -> None:
        self.width_box.setEnabled(not self.square.isChecked())
        if self.square.isChecked():
            self.width_box.setValue(self.height.value())

    def _on_sweep(self, _: Any = None) -> None:
        is_flat = self.frame_count() == 1
        kind = self.sweep.currentData()
        is_turned = kind == "rotational" and not is_flat
        for row in (self.axis, self.axis_at, self.angles):
            self.form.setRowVisible(row, is_turned)
        self.form.setRowVisible(self.distance, kind == "parallel" and not is_flat)

    def stated(self) -> ScanProperties:
        """Return what the boxes state."""
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
        angles = angles_from_text(self.angles.text(), self.frame_count())
        return Sweep(
            "rotational", self.axis.currentData(), self.axis_at.value(), angles
        )

    def changes(self) -> ScanProperties:
        """Return what differs from what was shown; the rest was not touched."""
        some = [box.currentData() for box in self.runs]
        if any(some) and not all(some):
            raise InputError(
                "An orientation must state columns, rows and frames; got "
                f"{sum(map(bool, some))} of 3. Choose the others, or 'not known'.",
                plain=(
                    "The orientation is not complete. Choose where columns, "
                    "rows and frames run to, or 'not known' for all three."
                ),
            )
        stated, shown = self.stated(), self._shown
        changed: dict[str, Any] = {}
        for name in ("pixel_mm", "frame_distance_mm", "sweep", "orientation"):
            now = getattr(stated, name)
            if now is not None and now != getattr(shown, name):
                changed[name] = now
        if shown.frame_distance_mm is not None and stated.frame_distance_mm is None:
            changed["frame_distance_mm"] = UNKNOWN
        return ScanProperties(**changed)


def _orientation(grid: Volume) -> tuple[str, str, str]:
    """Return where columns, rows and frames run to, "" where it is unknown."""
    if not grid.is_oriented:
        return "", "", ""
    from napari_microus.core.io.scan_properties import orientation_of

    return orientation_of(grid.affine) or ("", "", "")


class _Millimetres(QDoubleSpinBox):
    """A length without the zeros that say nothing, which a narrow dock would cut."""

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
    box.setSpecialValueText(tr("not known"))
    box.installEventFilter(WHEEL_GUARD)
    return box


def _choice(items: dict[str, str], tip: str = "") -> QComboBox:
    box = combo(tip, least=6)
    for words, data in items.items():
        box.addItem(words, data)
    return box
