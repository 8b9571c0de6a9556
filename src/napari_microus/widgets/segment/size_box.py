"""What is drawn in millimetres: area, volume with its method, PSA density."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QWidget,
)

from napari_microus.core.errors import InputError, plain_words
from napari_microus.core.volumetry import ellipsoid_volume, psa_density
from napari_microus.widgets._shared.controls import WHEEL_GUARD, fold, push_button, text
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.segment.ruler import length_mm

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_microus.widgets.segment.readout import Size

_BUTTONS_PX = 48


class SizeBox(QGroupBox):
    """Area of the frame in view, volume of the scan, and what follows from it.

    Parameters
    ----------
    viewer : ViewerModel
        Whose ruler measures the diameters of an ellipsoid.

    Attributes
    ----------
    area, volume, method, density : QLabel
    psa : QDoubleSpinBox
        ng/mL; at 0 it is not stated.
    diameters : list of QDoubleSpinBox
        Length, width and height in mm; at 0 they are not stated.
    """

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(tr("Capsule"), parent)
        self._viewer = viewer
        self._ml: float | None = None
        self._is_gland = True
        self.area, self.volume = QLabel("–"), QLabel("–")
        self.method, self.density, self.ellipsoid = text(), text(), text("–")
        self.psa = _spin(10_000)
        self.psa.setToolTip(tr("Prostate-specific antigen; kept nowhere."))
        self.diameters = [_spin(1000) for _ in range(3)]
        self._lay_out()
        self.psa.valueChanged.connect(self._show_density)
        for box in self.diameters:
            box.valueChanged.connect(self._show_ellipsoid)

    def _lay_out(self) -> None:
        self.rows = QFormLayout(self)
        self.rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        # A number and its unit stay in one line, if need be below the name.
        self.volume.setWordWrap(True)
        for label in (self.area, self.volume):
            label.setToolTip(
                tr(
                    "Of everything drawn in the layer named above, also by hand. In "
                    "pixels where the image does not state its size."
                )
            )
        self.method.setStyleSheet("font-size: 11px")
        self._labels = (QLabel(), QLabel())
        for label, value in zip(self._labels, (self.area, self.volume), strict=True):
            self.rows.addRow(label, value)
        self._name_gland(True)
        self.rows.addRow(self.method)
        self.rows.addRow(tr("PSA (ng/mL)"), self.psa)
        self.rows.addRow(tr("PSA density"), self.density)
        self.rows.setRowVisible(self.density, False)
        inside = QWidget()
        form = QFormLayout(inside)
        form.setContentsMargins(12, 0, 0, 0)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        names = (tr("Length (mm)"), tr("Width (mm)"), tr("Height (mm)"))
        for name, box in zip(names, self.diameters, strict=True):
            box.setToolTip(tr("Of the gland, in the frame where it is largest."))
            form.addRow(name, box)
            button = push_button(
                tr("From the ruler"),
                tr("Take the length of the layer 'ruler', see below."),
            )
            button.clicked.connect(lambda _=False, box=box: self._measure(box))
            form.addRow("", button)
        form.addRow(tr("Volume"), self.ellipsoid)
        self.more = fold(tr("Ellipsoid (0.524 · L · W · H)"), inside)
        self.rows.addRow(self.more)

    def _name_gland(self, is_gland: bool) -> None:
        """Show whose size it is; a part of the gland has no PSA density."""
        words = (tr("Prostate: area in this frame"), tr("Prostate: volume"))
        if not is_gland:
            words = (tr("Area in this frame"), tr("Volume"))
        for label, text_ in zip(self._labels, words, strict=True):
            label.setText(text_)

    def show_size(self, name: str, size: Size, *, is_gland: bool = True) -> None:
        """Show the size of the layer of that name, of the gland or of another part."""
        self.setTitle(name)
        self._name_gland(is_gland)
        self._is_gland = is_gland
        for row in (self.psa, self.more):
            self.rows.setRowVisible(row, is_gland)
        self._ml = size.ml
        self.area.setText(size.area)
        self.volume.setText(size.volume)
        self.method.setText(size.method)
        self.rows.setRowVisible(self.method, bool(size.method))
        self._show_density()

    def _show_density(self) -> None:
        psa = self.psa.value()
        self.rows.setRowVisible(self.density, psa > 0 and self._is_gland)
        if self._ml:
            density = psa_density(psa, self._ml)
            self.density.setText(f"{density:.3f} ng/mL per mL")
        else:
            self.density.setText(tr("– (needs a volume in mL)"))

    def _measure(self, box: QDoubleSpinBox) -> None:
        try:
            box.setValue(length_mm(self._viewer))
        except InputError as error:
            self.ellipsoid.setText(plain_words(error))

    def _show_ellipsoid(self) -> None:
        stated = [box.value() for box in self.diameters]
        if all(stated):
            found = ellipsoid_volume(*stated)
            self.ellipsoid.setText(f"{found.ml:.2f} mL")
        else:
            self.ellipsoid.setText("–")


def _spin(most: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0, most)
    box.setDecimals(1)
    box.setSpecialValueText("–")  # a word has not always room
    box.installEventFilter(WHEEL_GUARD)
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    # The largest number, between the two buttons of napari's style.
    widest = box.textFromValue(most)
    box.setMinimumWidth(box.fontMetrics().horizontalAdvance(widest) + _BUTTONS_PX)
    return box
