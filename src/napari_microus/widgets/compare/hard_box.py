"""The hard region that training weighs more: its kernel, its size, its way to Train."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
)

from napari_microus.core import colors
from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.hard_region import kernel_sizes_of
from napari_microus.core.runs.workspace import Workspace
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import push_button, swatch, text
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.compare.weights import load_network_code

if TYPE_CHECKING:
    from qtpy.QtWidgets import QSpinBox

    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.compare.live import LiveComparison

# Whose pixels the kernel size counts.
NETWORK_PX, SCAN_PX, SCAN_MM = tr("px of the network"), tr("px of the scan"), "mm"


class HardBox(QGroupBox):
    """Shows the disputed pixels, widened as the losses widen them.

    Parameters
    ----------
    network_size : QSpinBox
        Edge of the square picture that the network sees, in pixels.
    """

    def __init__(self, network_size: QSpinBox) -> None:
        super().__init__(tr("Hard region"))
        self._network_size = network_size
        self._comparison: LiveComparison | None = None
        self._worker: Worker | None = None
        self._make_controls()
        self.hard_check.toggled.connect(self.show_region)
        self.kernel.valueChanged.connect(self.show_region)
        self.kernel_unit.currentIndexChanged.connect(self._on_unit)
        self.train_button.clicked.connect(self._hand_over)
        network_size.valueChanged.connect(self.show_region)

    def _make_controls(self) -> None:
        self.hard_check = QCheckBox(tr("Show where training\nlooks harder"))
        self.hard_check.setToolTip(
            tr(
                "The disputed pixels, widened by a square: on the network's "
                "grid, as the losses do at full scale, or by pixels or "
                "millimetres of the scan."
            )
        )
        self.hard_check.setIcon(swatch(colors.HARD_REGION))
        self.kernel = QDoubleSpinBox()
        self.kernel.setRange(1, 500)
        self.kernel.setDecimals(0)
        self.kernel.setValue(4)
        self.kernel.setToolTip(
            tr(
                "Edge of the square that widens the disputed pixels; its size "
                "stays about the same when the unit changes."
            )
        )
        self.kernel_unit = combo(
            tr(
                "The network sees a smaller picture: one of its pixels is "
                "several of the scan's. Its size is that under Loss weight."
            ),
            least=6,
        )
        self.kernel_unit.addItems([NETWORK_PX, SCAN_PX, SCAN_MM])
        self._unit = NETWORK_PX
        self.hard_count = text()
        self.train_button = push_button(
            tr("Use in training"),
            tr(
                "Hand this kernel over to Train, where the next run takes it: at "
                "the other scales it shrinks as the published 4, 3, 2, 1 do."
            ),
        )
        row = QHBoxLayout()
        row.addWidget(QLabel(tr("Kernel size")))
        row.addWidget(self.kernel, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.hard_check)
        column.addLayout(row)
        column.addWidget(self.kernel_unit)
        column.addWidget(self.hard_count)
        column.addWidget(self.train_button)

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Show the hard region of another comparison, or of none."""
        self._comparison = comparison
        if comparison is None:
            return
        unit = self.kernel_unit.model().item(2)
        unit.setEnabled(comparison.grid.has_geometry)
        if not comparison.grid.has_geometry:
            self.kernel_unit.setCurrentIndex(0)

    def kernel_px(self) -> tuple[int, int]:
        """Return height and width of the kernel in pixels of its grid."""
        size = self.kernel.value()
        if self.kernel_unit.currentText() == SCAN_MM and self._comparison is not None:
            _, y, x = self._comparison.grid.spacing_mm
            return max(1, round(size / y)), max(1, round(size / x))
        return max(1, round(size)), max(1, round(size))

    def show_region(self, _: Any = None) -> None:
        """Widen the disputed pixels of the comparison by the kernel now chosen."""
        comparison = self._comparison
        if comparison is None or not comparison.is_open:
            return
        self._set_steps()
        on_network = self.kernel_unit.currentText() == NETWORK_PX
        self.train_button.setEnabled(on_network)
        if not self.hard_check.isChecked():
            comparison.widen(None)
        elif not on_network:
            comparison.widen(self.kernel_px())
        elif "torch" in sys.modules:
            comparison.widen(self.kernel_px()[0], self._network_size.value())
        elif self._worker is None:
            # Loading it takes seconds, in which the window would stand still.
            self.hard_count.setText(tr("Preparing …"))
            self._worker = start_worker(
                load_network_code,
                returned=self.show_region,
                errored=lambda error: self.hard_count.setText(plain_words(error)),
                finished=self._on_finished,
            )
            return
        self.show_count()

    def show_count(self) -> None:
        """Write how many pixels of the frame in view are hard."""
        comparison = self._comparison
        if comparison is None or comparison.live.hard is None:
            self.hard_count.clear()
            return
        hard = comparison.live.hard
        frame = hard if hard.ndim == 2 else hard[comparison.shown_frame()]
        pixels = int(frame.sum())
        kernel = comparison.live.kernel_size
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        grid = comparison.live.network_size
        whose = "the scan" if grid is None else f"the network ({grid} × {grid})"
        self.hard_count.setText(
            f"{pixels:,} px of this frame are hard "
            f"({100 * pixels / frame.size:.1f} %), with a rectangle of {height} × "
            f"{width} px of {whose}."
        )

    def _on_unit(self, _: int) -> None:
        """Keep the kernel about as large as it was when its unit changes."""
        comparison = self._comparison
        unit, before = self.kernel_unit.currentText(), self._unit
        self._unit = unit
        if comparison is None or unit == before:
            return
        x = comparison.grid.spacing_mm[2]
        columns = comparison.grid.shape[2]
        per_px: dict[str, float] = {
            SCAN_PX: 1.0,
            SCAN_MM: 1 / x,
            NETWORK_PX: columns / self._network_size.value(),
        }
        size = float(self.kernel.value()) * per_px[before] / per_px[unit]
        self.kernel.blockSignals(True)
        self._set_steps()
        self.kernel.setValue(size)
        self.kernel.blockSignals(False)
        self.show_region()

    def _set_steps(self) -> None:
        in_mm = self.kernel_unit.currentText() == SCAN_MM
        self.kernel.setDecimals(2 if in_mm else 0)
        self.kernel.setSingleStep(0.1 if in_mm else 1)
        self.kernel.setMinimum(0.01 if in_mm else 1)

    def _hand_over(self) -> None:
        sizes = kernel_sizes_of(self.kernel_px()[0])
        try:
            Workspace().hand_kernel_sizes(sizes)
        except MicroUSError as error:
            self.hard_count.setText(plain_words(error))
            return
        kernel = ", ".join(map(str, sizes))
        self.hard_count.setText(
            f"Train takes a kernel of {kernel} px for the next run."
        )

    def _on_finished(self) -> None:
        self._worker = None
