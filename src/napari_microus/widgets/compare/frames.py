"""The tab of numbers: frame by frame, along the sweep, in total and by place."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, QSortFilterProxyModel, Qt, QTimer
from qtpy.QtGui import QStandardItem, QStandardItemModel
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.compare.frames import FrameAgreement, compare_frames
from napari_microus.core.compare.place import disagreement_by_place
from napari_microus.core.compare.totals import summarise
from napari_microus.core.disagreement import (
    BOTH,
    EXPERT_ONLY,
    NONEXPERT_ONLY,
    counts,
)
from napari_microus.core.errors import plain_words
from napari_microus.core.events import drain
from napari_microus.core.sweep import sweep_of
from napari_microus.core.volumetry import NO_SWEEP
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import (
    length_unit,
    number,
    push_button,
    text,
)
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.compare.plot import FramePlot

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.components import ViewerModel

    from napari_microus.core.compare.place import PlaceShare
    from napari_microus.core.events import Event
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.compare.live import LiveComparison

# A stroke is over when nothing has changed for so long.
_PAUSE_MS = 250
_SORT_ROLE = Qt.ItemDataRole.UserRole
_TURNED = "Not compared in a rotational sweep: measure each mask in Segment capsule."

_FIELDS = (
    "frame",
    "dice",
    "hd95_mm",
    "assd_mm",
    "expert_mm2",
    "nonexpert_mm2",
    "disagreement_mm2",
    "signed_mean_mm",
)


class _ByValue(QSortFilterProxyModel):
    """Sorts by number; what has none comes last, whichever way."""

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """Return whether one comes before the other; Qt's name."""
        values = (index.data(_SORT_ROLE) for index in (left, right))
        one, two = (math.nan if v is None else float(v) for v in values)
        if math.isnan(one) or math.isnan(two):
            is_ascending = self.sortOrder() == Qt.SortOrder.AscendingOrder
            return math.isnan(two) if is_ascending else math.isnan(one)
        return one < two


class FramesTab(QWidget):
    """Table per frame, plot along frames, totals, and disagreement by place.

    Parameters
    ----------
    viewer : ViewerModel
        Its slider is followed and moved.
    """

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._comparison: LiveComparison | None = None
        self._worker: Worker | None = None
        self._waiting: set[int] = set()
        self.rows: dict[int, FrameAgreement] = {}
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._measure)
        self._make_table()
        self.plot = FramePlot()
        self.plot_box = combo(tr("What the plot shows along the frames."))
        self.totals_box = QGroupBox(tr("All frames"))
        self.totals = QFormLayout(self.totals_box)
        self.place_box = QGroupBox(tr("Where they differ"))
        self.places = QFormLayout(self.place_box)
        self.note = text()
        self._lay_out()
        self.table.clicked.connect(self._on_click)
        self.plot.jumped.connect(self._jump)
        self.plot_box.currentIndexChanged.connect(self._draw_plot)
        self.save_button.clicked.connect(self._ask_to_save)
        viewer.dims.events.current_step.connect(self._on_frame)
        self.setEnabled(False)

    def _make_table(self) -> None:
        self.model = QStandardItemModel(0, len(_FIELDS), self)
        self.sorted = _ByValue(self)
        self.sorted.setSourceModel(self.model)
        self.sorted.setSortRole(_SORT_ROLE)
        self.table = QTableView()
        self.table.setModel(self.sorted)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.verticalHeader().hide()
        self.table.setMinimumHeight(180)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.setToolTip(
            tr(
                "Click a row to go to its frame, a heading to sort. Mean offset: "
                "positive where the second annotator draws larger."
            )
        )

    def _lay_out(self) -> None:
        self.save_button = push_button(tr("Save table…"), tr("Write the table as CSV."))
        row = QHBoxLayout()
        row.addWidget(QLabel(tr("Plot")))
        row.addWidget(self.plot_box, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.table, 1)
        column.addWidget(self.save_button)
        column.addWidget(self.note)
        column.addLayout(row)
        column.addWidget(self.plot)
        column.addWidget(self.totals_box)
        column.addWidget(self.place_box)

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Measure another comparison, or none."""
        if self._worker is not None:
            self._worker.forget()
            self._worker = None
        self._comparison = comparison
        self._waiting = set()
        self.rows = {}
        self.model.setRowCount(0)
        self.setEnabled(comparison is not None)
        if comparison is None:
            return
        comparison.changed.connect(self._on_changed)
        self.show_naming()
        self.model.setRowCount(comparison.frames)
        for frame in range(comparison.frames):
            self._show_row(_empty(frame))
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self._on_frame()

    def show_naming(self) -> None:
        """Use the comparison's names and units."""
        if self._comparison is None:
            return
        naming, unit = self._comparison.naming, length_unit(self._comparison.grid)
        names = [
            tr("Frame"),
            tr("Dice"),
            f"HD95 ({unit})",
            f"ASSD ({unit})",
            f"{naming.expert} ({unit}²)",
            f"{naming.nonexpert} ({unit}²)",
            f"Disputed ({unit}²)",
            f"Mean offset ({unit})",
        ]
        self.model.setHorizontalHeaderLabels(names)
        header = self.table.horizontalHeader()
        if naming.is_swapped != (header.visualIndex(4) > header.visualIndex(5)):
            header.moveSection(4, 5)
        self.table.setColumnHidden(7, naming.is_blind)
        # The file's headings are the roles.
        self.save_button.setEnabled(not naming.is_blind)
        chosen = self.plot_box.currentIndex()
        self.plot_box.blockSignals(True)
        self.plot_box.clear()
        for column in (6, 1, 2, 3, 7):
            if not (column == 7 and naming.is_blind):
                self.plot_box.addItem(names[column], column)
        self.plot_box.setCurrentIndex(max(0, chosen))
        self.plot_box.blockSignals(False)
        if self.totals.rowCount():
            self._show_totals()

    @property
    def is_measuring(self) -> bool:
        """True while distances are being computed."""
        return self._worker is not None or bool(self._waiting)

    def save(self, path: str, *, overwrite: bool = False) -> None:
        """Write the table as CSV."""
        from napari_microus.core.compare.report import write_frames_csv

        rows = [self.rows[frame] for frame in sorted(self.rows)]
        write_frames_csv(rows, path, overwrite=overwrite)

    # --- measuring

    def _on_changed(self, frames: set[int]) -> None:
        self._waiting |= frames
        self._pause.start()

    def _measure(self) -> None:
        comparison = self._comparison
        if comparison is None or self._worker is not None or not self._waiting:
            return
        if comparison.is_busy:
            self._pause.start()
            return
        shown = comparison.shown_frame()
        frames = sorted(self._waiting, key=lambda frame: abs(frame - shown))
        for frame in frames if len(frames) < 5 else ():
            self._show_row(self._counted(frame))
        self._waiting = set()
        pair = comparison.pair
        self.note.setText(tr("Measuring distances …") if len(frames) > 3 else "")
        self._worker = start_worker(
            _measured,
            _stack(pair.expert.data),
            _stack(pair.nonexpert.data),
            comparison.grid.spacing_mm,
            (pair.expert_value, pair.nonexpert_value),
            frames,
            comparison.live.codes.copy(),
            comparison.grid.patient_affine,
            yielded=self._on_row,
            returned=self._on_places,
            errored=self._on_error,
            finished=self._on_finished,
        )

    def _on_row(self, row: FrameAgreement) -> None:
        self._show_row(row)

    def _on_places(self, places: list[PlaceShare]) -> None:
        _clear(self.places)
        for place in places:
            if math.isnan(place.share):
                continue
            self.places.addRow(
                place.place,
                text(
                    f"{100 * place.share:.0f} % of the difference; "
                    f"{100 * place.disputed_of_drawn:.0f} % of what is drawn here"
                ),
            )

    def _on_error(self, error: Exception) -> None:
        self.note.setText(plain_words(error))

    def _on_finished(self) -> None:
        self._worker = None
        if self.note.text() == tr("Measuring distances …"):
            self.note.clear()
        self._show_totals()
        self._draw_plot()
        if self._waiting:
            self._pause.start()

    # --- showing

    def _counted(self, frame: int) -> FrameAgreement:
        """Return the frame's row with its areas now and its distances to come."""
        assert self._comparison is not None  # asked while one is shown
        per_frame = self._comparison.live.per_frame[frame]
        _, y, x = self._comparison.grid.spacing_mm
        pixel = y * x
        both, expert, nonexpert = per_frame[[BOTH, EXPERT_ONLY, NONEXPERT_ONLY]]
        return replace(
            _empty(frame),
            dice=counts(per_frame).dice,
            expert_mm2=float(both + expert) * pixel,
            nonexpert_mm2=float(both + nonexpert) * pixel,
            disagreement_mm2=float(expert + nonexpert) * pixel,
        )

    def _show_row(self, row: FrameAgreement) -> None:
        if row.frame >= self.model.rowCount():
            return
        self.rows[row.frame] = row
        for column, name in enumerate(_FIELDS):
            value = getattr(row, name)
            item = self.model.item(row.frame, column)
            if item is None:
                item = QStandardItem()
                item.setTextAlignment(
                    Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                )
                self.model.setItem(row.frame, column, item)
            if column == 0:
                item.setText(str(value))
                item.setData(float(value), _SORT_ROLE)
                continue
            digits = 3 if name == "dice" else 2
            item.setText(number(value, digits) if column != 7 else _signed(value))
            item.setData(float(value), _SORT_ROLE)

    def _show_totals(self) -> None:
        comparison = self._comparison
        if comparison is None or len(self.rows) < comparison.frames:
            return
        rows = [self.rows[frame] for frame in sorted(self.rows)]
        total = summarise(
            rows,
            comparison.counts,
            comparison.grid.spacing_mm,
            knows_frame_distance=comparison.grid.knows_frame_distance,
        )
        unit = length_unit(comparison.grid)
        naming = comparison.naming
        _clear(self.totals)
        lines = [
            (
                tr("Dice"),
                f"{number(total.dice, 3)}, mean of frames "
                f"{number(total.mean_frame_dice, 3)}",
            ),
            (
                "HD95",
                f"{number(total.mean_hd95_mm)} {unit}, worst frame "
                f"{number(total.worst_hd95_mm)}",
            ),
            (tr("ASSD"), f"{number(total.mean_assd_mm)} {unit}"),
            (
                tr("Surface Dice"),
                f"{number(total.mean_surface_dice, 3)} within "
                f"{total.tolerance_mm:g} {unit}",
            ),
            (tr("Cohen's kappa"), number(total.cohen_kappa, 3)),
            (
                tr("Frames"),
                f"{total.frames_both_drew} drawn by both, "
                f"{total.frames_one_drew} by one only",
            ),
        ]
        if not naming.is_blind:
            lines.insert(4, (tr("Mean offset"), _larger(total.mean_signed_mm, unit)))
        if comparison.grid.has_geometry and comparison.layer.ndim == 3:
            sizes = [
                (naming.expert, total.expert_ml),
                (naming.nonexpert, total.nonexpert_ml),
            ]
            if naming.is_swapped:
                sizes.reverse()
            words = ", ".join(f"{name} {ml:.1f} mL" for name, ml in sizes)
            if not comparison.grid.knows_frame_distance:
                is_turned = sweep_of(comparison.grid.metadata).kind == "rotational"
                words = _TURNED if is_turned else NO_SWEEP
            lines.append((tr("Volume"), words))
        for name, value in lines:
            self.totals.addRow(name, text(value))

    def _draw_plot(self, _: int = 0) -> None:
        if self._comparison is None or not self.rows:
            return
        field = _FIELDS[self.plot_box.currentData() or 6]
        values = [getattr(self.rows[frame], field) for frame in sorted(self.rows)]
        self.plot.show_values(values, self.plot_box.currentText())

    def _on_frame(self, event: Any = None) -> None:
        comparison = self._comparison
        if comparison is None or not comparison.is_open:
            return
        frame = comparison.shown_frame()
        self.plot.mark(frame)
        index = self.sorted.mapFromSource(self.model.index(frame, 0))
        self.table.selectRow(index.row())

    def _on_click(self, index: QModelIndex) -> None:
        self._jump(self.sorted.mapToSource(index).row())

    def _jump(self, frame: int) -> None:
        comparison = self._comparison
        if comparison is not None and comparison.is_open:
            comparison.go_to(min(max(frame, 0), comparison.frames - 1))

    def _ask_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, tr("Save the table"), "frames.csv")
        if not path:
            return
        from napari_microus.core.errors import MicroUSError

        try:
            self.save(path, overwrite=True)  # the dialog has asked
        except MicroUSError as error:
            self.note.setText(plain_words(error))
        else:
            self.note.setText(f"Saved {path}.")


def _measured(
    expert: Any,
    nonexpert: Any,
    spacing_mm: tuple[float, float, float],
    values: tuple[int, int],
    frames: list[int],
    codes: Any,
    affine: Any,
) -> Generator[FrameAgreement | Event, None, list[PlaceShare]]:
    for frame in frames:
        work = compare_frames(
            expert,
            nonexpert,
            spacing_mm,
            expert_value=values[0],
            nonexpert_value=values[1],
            frames=[frame],
        )
        [row] = drain(work)
        yield row
    return disagreement_by_place(_stack(codes), affine)


def _stack(array: Any) -> Any:
    return array[None] if array.ndim == 2 else array


def _empty(frame: int) -> FrameAgreement:
    return FrameAgreement(frame, *[math.nan] * (len(_FIELDS) - 1))


def _signed(value: float) -> str:
    return f"{value:+.2f}" if math.isfinite(value) else "–"


def _larger(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "–"
    if abs(value) < 0.005:
        return "no size bias"
    how = "larger" if value > 0 else "smaller"
    return f"the second annotator draws {abs(value):.2f} {unit} {how}"


def _clear(form: QFormLayout) -> None:
    while form.rowCount():
        form.removeRow(0)
