"""The tab that explains the disagreement layer and what it does to training."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core import colors
from napari_microus.core.colors import AGREED_COLOR
from napari_microus.core.compare.naming import OPEN
from napari_microus.core.disagreement import (
    BOTH,
    EXPERT_ONLY,
    IGNORED,
    NONEXPERT_ONLY,
)
from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.hard_region import KERNEL_SIZES, kernel_sizes_of
from napari_microus.core.runs.workspace import Workspace
from napari_microus.widgets._shared.controls import push_button, swatch, text
from napari_microus.widgets._shared.layers import derived_metadata, geometry
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.compare.outlined import Outlined
from napari_microus.widgets.compare.pair import ROLE, candidate_masks
from napari_microus.widgets.compare.weights import WeightFrames, load_network_code

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.compare.live import LiveComparison

# Whose pixels the kernel size counts.
NETWORK_PX, SCAN_PX, SCAN_MM = "px of the network", "px of the scan", "mm"
_SCALES = ("full size", "1/2", "1/4", "1/8")


class DifferenceTab(QWidget):
    """Legend with counts, the hard region, and the loss weights.

    Parameters
    ----------
    viewer : ViewerModel
        Where the weight layer goes.
    """

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._comparison: LiveComparison | None = None
        self._outlined: list[Outlined] = []
        self._hidden: list[Labels] = []
        self._worker: Worker | None = None
        self._hard_worker: Worker | None = None
        self.weight_layer: Image | None = None
        # Texts are laid out again when they change: not with every dab of the brush.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(60)
        self._soon.timeout.connect(self.refresh_counts)
        self._make_legend()
        self._make_hard()
        self._make_weights()
        self.outlines = QCheckBox("Show the two masks as outlines")
        self.outlines.setChecked(True)
        self.outlines.setToolTip("In the colours above, so that the picture shows.")
        self.hide_others = QCheckBox("Hide the other masks")
        self.hide_others.setChecked(True)
        self.hide_others.setToolTip("They come back when the comparison ends.")
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.legend)
        column.addWidget(self.outlines)
        column.addWidget(self.hide_others)
        column.addWidget(self.hard_box)
        column.addWidget(self.weight_box)
        column.addStretch()
        self.outlines.toggled.connect(self._show_outlines)
        self.hide_others.toggled.connect(self._hide_others)
        self.hard_check.toggled.connect(self._on_hard)
        self.kernel.valueChanged.connect(self._on_hard)
        self.kernel_unit.currentIndexChanged.connect(self._on_unit)
        for changed in (
            self.scale_box.currentIndexChanged,
            self.network_size.valueChanged,
            self.hard_weight.valueChanged,
        ):
            changed.connect(self._on_weights)
        self.network_size.valueChanged.connect(self._on_hard)
        viewer.dims.events.current_step.connect(self.refresh_counts)
        viewer.layers.events.removed.connect(self._on_removed)
        self.setEnabled(False)

    def _make_legend(self) -> None:
        self.legend = QGroupBox("Who drew what")
        grid = QGridLayout(self.legend)
        grid.setContentsMargins(4, 4, 4, 4)
        grid.setHorizontalSpacing(3)
        for column, title in enumerate(("", "this frame", "all frames")):
            if title:
                grid.addWidget(QLabel(title), 0, column + 1)
        self._rows = [_LegendRow() for _ in range(4)]
        for row, labels in enumerate(self._rows, 1):
            for column, label in enumerate(labels.all()):
                grid.addWidget(label, row, column)
        grid.setColumnStretch(2, 1)
        grid.setColumnStretch(3, 1)
        self._name_rows()

    def _make_hard(self) -> None:
        self.hard_box = QGroupBox("Hard region")
        self.hard_check = QCheckBox("Show where training\nlooks harder")
        self.hard_check.setToolTip(
            "The disputed pixels, widened by a square: on the network's grid, as the "
            "losses do at full scale, or by pixels or millimetres of the scan."
        )
        self.hard_check.setIcon(swatch(colors.HARD_REGION))
        self.kernel = QDoubleSpinBox()
        self.kernel.setRange(1, 500)
        self.kernel.setDecimals(0)
        self.kernel.setValue(4)
        self.kernel.setToolTip(
            "Edge of the square that widens the disputed pixels; its size stays about "
            "the same when the unit changes."
        )
        self.kernel_unit = QComboBox()
        self.kernel_unit.addItems([NETWORK_PX, SCAN_PX, SCAN_MM])
        self._unit = NETWORK_PX
        self.kernel_unit.setToolTip(
            "The network sees a smaller picture: one of its pixels is several of the "
            "scan's. Its size is that under Loss weight."
        )
        self.hard_count = text()
        self.train_button = push_button(
            "Use in training",
            "Hand this kernel over to Train, where the next run takes it: at the other "
            "scales it shrinks as the published 4, 3, 2, 1 do.",
        )
        self.train_button.clicked.connect(self._hand_over)
        row = QHBoxLayout()
        row.addWidget(QLabel("Kernel size"))
        row.addWidget(self.kernel, 1)
        self.kernel_unit.setMinimumContentsLength(6)
        self.kernel_unit.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        column = QVBoxLayout(self.hard_box)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.hard_check)
        column.addLayout(row)
        column.addWidget(self.kernel_unit)
        column.addWidget(self.hard_count)
        column.addWidget(self.train_button)

    def _make_weights(self) -> None:
        self.weight_box = QGroupBox("Loss weight")
        self.scale_box = QComboBox()
        self.scale_box.addItems(["off", *_SCALES])
        self.scale_box.setToolTip(
            "The network learns at four sizes; the hard region is made again at each."
        )
        self.network_size = QSpinBox()
        self.network_size.setRange(32, 1024)
        self.network_size.setValue(224)
        self.network_size.setSuffix(" px")
        self.network_size.setToolTip("Edge of the square picture the network sees.")
        self.hard_weight = QDoubleSpinBox()
        self.hard_weight.setRange(1, 100)
        self.hard_weight.setValue(4)
        self.hard_weight.setToolTip("How many easy pixels a hard pixel costs.")
        self.weight_text = text()
        form = QFormLayout(self.weight_box)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow("Scale", self.scale_box)
        form.addRow("Network size", self.network_size)
        form.addRow("Hard weight", self.hard_weight)
        form.addRow(self.weight_text)

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Explain another comparison, or none."""
        self._restore_outlines()
        self.scale_box.setCurrentIndex(0)
        self._comparison = comparison
        self.setEnabled(comparison is not None)
        self._hide_others()
        if comparison is None:
            return
        comparison.changed.connect(self._on_changed)
        unit = self.kernel_unit.model().item(2)
        unit.setEnabled(comparison.grid.has_geometry)
        if not comparison.grid.has_geometry:
            self.kernel_unit.setCurrentIndex(0)
        self.show_naming()
        self._on_hard()
        self.refresh_counts()

    def show_naming(self) -> None:
        """Use the comparison's names and colours."""
        self._name_rows()
        self._restore_outlines()
        self._show_outlines()

    def kernel_px(self) -> tuple[int, int]:
        """Return height and width of the kernel in pixels of its grid."""
        size = self.kernel.value()
        if self.kernel_unit.currentText() == SCAN_MM and self._comparison is not None:
            _, y, x = self._comparison.grid.spacing_mm
            return max(1, round(size / y)), max(1, round(size / x))
        return max(1, round(size)), max(1, round(size))

    def count_text(self, code: int, *, all_frames: bool = False) -> str:
        """Return what the legend says about a code."""
        row = next(row for row in self._rows if row.code == code)
        return (row.everything if all_frames else row.frame).text()

    def refresh_counts(self, event: Any = None) -> None:
        """Write the counts of the frame in view and of all frames."""
        comparison = self._comparison
        if comparison is None or not comparison.is_open:
            return
        per_frame = comparison.live.per_frame
        of_frame, of_all = per_frame[comparison.shown_frame()], per_frame.sum(axis=0)
        _, y, x = comparison.grid.spacing_mm
        for row in self._rows:
            for counted, label in ((of_frame, row.frame), (of_all, row.everything)):
                pixels = int(counted[row.code])
                area = f"\n{_area(pixels * y * x)} mm²"
                label.setText(
                    f"{pixels:,} px" + (area if comparison.grid.has_geometry else "")
                )
        for label in self._rows[3].all():
            label.setVisible(bool(of_all[IGNORED]))
        self._count_hard()

    # --- outlines

    def _show_outlines(self, _: bool = True) -> None:
        comparison = self._comparison
        if comparison is None or not self.outlines.isChecked():
            self._restore_outlines()
            return
        if self._outlined:
            return
        pair, naming = comparison.pair, comparison.naming
        for layer, value, color in (
            (pair.expert, pair.expert_value, naming.expert_color),
            (pair.nonexpert, pair.nonexpert_value, naming.nonexpert_color),
        ):
            self._outlined.append(Outlined(layer, value, color))

    def _restore_outlines(self) -> None:
        for outlined in self._outlined:
            outlined.restore()
        self._outlined = []

    # --- other masks

    def _hide_others(self, _: bool = True) -> None:
        for layer in self._hidden:
            layer.visible = True
        self._hidden = []
        if self._comparison is None or not self.hide_others.isChecked():
            return
        pair = self._comparison.pair
        for layer in candidate_masks(self._viewer):
            if layer.visible and layer not in (pair.expert, pair.nonexpert):
                layer.visible = False
                self._hidden.append(layer)

    # --- hard region

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
            NETWORK_PX: columns / self.network_size.value(),
        }
        size = float(self.kernel.value()) * per_px[before] / per_px[unit]
        self.kernel.blockSignals(True)
        self._set_steps()
        self.kernel.setValue(size)
        self.kernel.blockSignals(False)
        self._on_hard()

    def _set_steps(self) -> None:
        in_mm = self.kernel_unit.currentText() == SCAN_MM
        self.kernel.setDecimals(2 if in_mm else 0)
        self.kernel.setSingleStep(0.1 if in_mm else 1)
        self.kernel.setMinimum(0.01 if in_mm else 1)

    def _on_hard(self, _: Any = None) -> None:
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
            comparison.widen(self.kernel_px()[0], self.network_size.value())
        elif self._hard_worker is None:
            # Loading it takes seconds, in which the window would stand still.
            self.hard_count.setText("Preparing …")
            self._hard_worker = start_worker(
                load_network_code,
                returned=self._on_hard,
                errored=lambda error: self.hard_count.setText(plain_words(error)),
                finished=self._on_hard_ready,
            )
            return
        self._count_hard()

    def _hand_over(self) -> None:
        sizes = kernel_sizes_of(self.kernel_px()[0])
        try:
            Workspace().hand_kernel_sizes(sizes)
        except MicroUSError as error:
            self.hard_count.setText(plain_words(error))
            return
        told = ", ".join(map(str, sizes))
        self.hard_count.setText(f"Train takes a kernel of {told} px for the next run.")

    def _on_hard_ready(self) -> None:
        self._hard_worker = None

    def _count_hard(self) -> None:
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

    # --- weights

    def _on_weights(self, _: Any = None) -> None:
        index = self.scale_box.currentIndex()
        if index == 0 or self._comparison is None:
            self._remove_weights()
            self.weight_text.clear()
            return
        if self._worker is None:
            self.weight_text.setText("Preparing …")
            self._worker = start_worker(
                load_network_code,
                returned=self._add_weights,
                errored=self._on_error,
                finished=self._on_finished,
            )

    def _add_weights(self, _: Any) -> None:
        comparison, index = self._comparison, self.scale_box.currentIndex()
        if comparison is None or index == 0:
            return
        frames = WeightFrames(
            comparison.pair,
            scale=index - 1,
            network_size=self.network_size.value(),
            hard_weight=self.hard_weight.value(),
        )
        limits = (0.0, self.hard_weight.value())
        if self.weight_layer is None:
            expert = comparison.pair.expert
            active = self._viewer.layers.selection.active
            self.weight_layer = self._viewer.add_image(
                frames,
                name="loss weight",
                colormap="magma",
                opacity=0.6,
                contrast_limits=limits,
                rgb=False,
                metadata=derived_metadata(expert, **{ROLE: "loss weight"}),
                **geometry(expert),
            )
            if active is not None:
                self._viewer.layers.selection.active = active
        else:
            self.weight_layer.data = frames
            self.weight_layer.contrast_limits = limits
        kernel = KERNEL_SIZES[index - 1]
        self.weight_text.setText(
            f"Bright pixels cost ×{self.hard_weight.value():g}, the others ×1; "
            f"disputed pixels are widened by {kernel} × {kernel} px of this scale. "
            "The value under the mouse stands at the bottom left of the window."
        )

    def _remove_weights(self) -> None:
        layer, self.weight_layer = self.weight_layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _on_error(self, error: Exception) -> None:
        self.weight_text.setText(plain_words(error))

    def _on_finished(self) -> None:
        self._worker = None

    # --- events

    def _on_changed(self, frames: set[int]) -> None:
        if self.weight_layer is not None:
            self.weight_layer.data.forget(frames)
            self.weight_layer.refresh(extent=False, thumbnail=False)
        if not self._soon.isActive():
            self._soon.start()

    def _on_removed(self, event: Any) -> None:
        gone = event.value
        self._outlined = [o for o in self._outlined if o.layer is not gone]
        if gone is self.weight_layer:
            self.weight_layer = None
            self.scale_box.setCurrentIndex(0)
        if _is_hard(gone):
            self.hard_check.setChecked(False)

    def _name_rows(self) -> None:
        naming = self._comparison.naming if self._comparison else OPEN
        content = [
            (BOTH, "both", AGREED_COLOR),
            (EXPERT_ONLY, f"{naming.expert} only", naming.expert_color),
            (NONEXPERT_ONLY, f"{naming.nonexpert} only", naming.nonexpert_color),
            (IGNORED, "undecided", colors.IGNORED),
        ]
        if naming.is_swapped:  # the order must not tell who is who
            content[1:3] = content[2:0:-1]
        for row, (code, name, color) in zip(self._rows, content, strict=True):
            row.code = code
            row.name.setText(name)
            row.swatch.setPixmap(swatch(color).pixmap(14, 14))


class _LegendRow:
    """Colour, name and two counts of one code."""

    def __init__(self) -> None:
        self.code = BOTH
        self.swatch, self.name = QLabel(), QLabel()
        self.name.setWordWrap(True)  # "non-expert only" in a narrow dock
        self.frame, self.everything = text(), text()
        for count in (self.frame, self.everything):
            count.setWordWrap(False)  # a number and its unit stay in one line
            count.setStyleSheet("font-size: 11px")
            count.setSizePolicy(
                QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Preferred
            )

    def all(self) -> tuple[QLabel, QLabel, QLabel, QLabel]:
        """Return the labels from left to right."""
        return self.swatch, self.name, self.frame, self.everything


def _area(mm2: float) -> str:
    return f"{mm2:,.1f}" if mm2 < 1000 else f"{mm2:,.0f}"


def _is_hard(layer: Any) -> bool:
    return layer.metadata.get("napari_microus", {}).get(ROLE) == "hard region"
