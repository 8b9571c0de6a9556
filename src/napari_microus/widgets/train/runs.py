"""The list of runs: their state, their curves side by side, and the way back in."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer, QUrl, Signal
from qtpy.QtGui import QDesktopServices, QIcon
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.runs.folder import read_status
from napari_microus.core.runs.history import read_curves
from napari_microus.widgets._shared.controls import push_button, swatch, text
from napari_microus.widgets._shared.empty_state import EmptyState
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.train.curves import CurvesView, other_color

if TYPE_CHECKING:
    from napari_microus.core.runs.folder import RunStatus
    from napari_microus.core.runs.workspace import Workspace

_EVERY_MS = 3000
_PATH = Qt.ItemDataRole.UserRole


class RunsPage(QWidget):
    """All runs of the studies known, the latest first.

    Parameters
    ----------
    workspace : Workspace
        Holds where runs lie.
    """

    attach_wanted = Signal(object)
    resume_wanted = Signal(object)

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._others: list[Path] = []
        self.statuses: list[RunStatus] = []
        self.table = QTreeWidget()
        self.table.setToolTip(
            tr("All runs; tick some to see their curves side by side.")
        )
        self.attach_button = push_button(
            tr("Attach"),
            tr("Watch the run: live where it still runs, else as it ended."),
        )
        self.resume_button = push_button(
            tr("Resume"), tr("Continue exactly where the run ended.")
        )
        self.folder_button = push_button(tr("Open folder"), tr("Show the run's files."))
        self.find_button = push_button(
            tr("Other run…"), tr("Add a run that lies elsewhere.")
        )
        self.message = text(tr("Tick runs to see their curves side by side."))
        self.empty = EmptyState(
            tr("No run yet. Runs appear here as soon as they are started.")
        )
        self.curves = CurvesView(is_comparison=True)
        self.curves.setVisible(False)
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.refresh)
        self._lay_out()
        self.attach_button.clicked.connect(self._on_attach)
        self.resume_button.clicked.connect(self._on_resume)
        self.folder_button.clicked.connect(self._on_folder)
        self.find_button.clicked.connect(self._ask_other)
        self.table.itemSelectionChanged.connect(self._check_buttons)
        self.table.itemChanged.connect(self._compare)
        self.table.itemDoubleClicked.connect(self._on_attach)
        self._check_buttons()

    def _lay_out(self) -> None:
        self.table.setHeaderLabels(
            [tr("Run"), tr("State"), tr("Epochs"), tr("DSC"), tr("Begun")]
        )
        self.table.setRootIsDecorated(False)
        self.table.setMinimumHeight(160)
        header = self.table.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        first, second = QHBoxLayout(), QHBoxLayout()
        for row, buttons in (
            (first, (self.attach_button, self.resume_button)),
            (second, (self.folder_button, self.find_button)),
        ):
            row.setContentsMargins(0, 0, 0, 0)
            for button in buttons:
                row.addWidget(button)
        column = QVBoxLayout(self)
        column.addWidget(self.empty)
        column.addWidget(self.table, 1)
        column.addLayout(first)
        column.addLayout(second)
        column.addWidget(self.message)
        column.addWidget(self.curves, 2)

    def showEvent(self, event: object) -> None:
        """Keep the list true while it is seen."""
        super().showEvent(event)
        self.refresh()
        self._timer.start()

    def hideEvent(self, event: object) -> None:
        """Ask no more."""
        super().hideEvent(event)
        self._timer.stop()

    def refresh(self) -> None:
        """Read the runs again, keeping ticks and selection."""
        ticked, selected = set(self.ticked), self.selected
        self.statuses = self._workspace.runs()
        known = {status.path for status in self.statuses}
        for path in self._others:
            try:
                if str(path) not in known:
                    self.statuses.append(read_status(path))
            except MicroUSError:
                continue  # removed since
        self.empty.setVisible(not self.statuses)
        self.table.blockSignals(True)
        self.table.clear()
        for status in self.statuses:
            dice = "–" if status.best_dice is None else f"{status.best_dice:.3f}"
            begun = _clock(status.started)
            epochs = f"{status.epoch}/{status.epochs}"
            words = [Path(status.path).name, status.state, epochs, dice, begun]
            item = QTreeWidgetItem(words)
            item.setData(0, _PATH, status.path)
            item.setToolTip(0, status.path)
            item.setToolTip(1, status.message)
            is_ticked = Path(status.path) in ticked
            state = Qt.CheckState.Checked if is_ticked else Qt.CheckState.Unchecked
            item.setCheckState(0, state)
            self.table.addTopLevelItem(item)
            if selected is not None and str(selected) == status.path:
                item.setSelected(True)
        self.table.blockSignals(False)
        self._compare()
        self._check_buttons()

    @property
    def selected(self) -> Path | None:
        """The run that is selected."""
        items = self.table.selectedItems()
        return Path(items[0].data(0, _PATH)) if items else None

    @property
    def ticked(self) -> list[Path]:
        """The runs to compare."""
        items = [
            self.table.topLevelItem(i) for i in range(self.table.topLevelItemCount())
        ]
        return [
            Path(item.data(0, _PATH))
            for item in items
            if item.checkState(0) == Qt.CheckState.Checked
        ]

    def _status(self, run: Path | None) -> RunStatus | None:
        return next((s for s in self.statuses if s.path == str(run)), None)

    def _check_buttons(self) -> None:
        status = self._status(self.selected)
        self.attach_button.setEnabled(status is not None)
        self.folder_button.setEnabled(status is not None)
        ended = status is not None and not status.is_alive
        self.resume_button.setEnabled(
            ended and status is not None and status.state != "finished"
        )

    def _compare(self, *_: object) -> None:
        """Draw the ticked runs, each in its colour."""
        ticked = self.ticked
        self.table.blockSignals(True)
        for index in range(self.table.topLevelItemCount()):
            item = self.table.topLevelItem(index)
            path = Path(item.data(0, _PATH))
            is_ticked = path in ticked
            color = other_color(ticked.index(path)) if is_ticked else ""
            item.setIcon(1, swatch(color) if is_ticked else QIcon())
        self.table.blockSignals(False)
        curves = {str(run): read_curves(run) for run in ticked}
        self.curves.show_others(curves)
        self.curves.setVisible(bool(ticked))
        lacking = [Path(run).name for run, lines in curves.items() if not lines]
        words = tr("Tick runs to see their curves side by side.")
        if ticked:
            words = tr("Dashed: validation. Dotted: training.")
        if lacking:
            words += f" Nothing yet from {', '.join(lacking)}."
        self.message.setText(words)

    def add_run(self, run: Path) -> None:
        """List a run that lies elsewhere."""
        try:
            read_status(run)
        except MicroUSError as error:
            self.message.setText(plain_words(error))
            return
        self._others.append(run)
        self.refresh()

    def _ask_other(self) -> None:
        name = QFileDialog.getExistingDirectory(self, tr("Open a run's folder"))
        if name:
            self.add_run(Path(name))

    def _on_attach(self, *_: object) -> None:
        if self.selected is not None:
            self.attach_wanted.emit(self.selected)

    def _on_resume(self) -> None:
        if self.selected is not None:
            self.resume_wanted.emit(self.selected)

    def _on_folder(self) -> None:
        if self.selected is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.selected)))


def _clock(started: float) -> str:
    if not started:
        return "–"
    begun = datetime.datetime.fromtimestamp(started).astimezone()
    is_today = begun.date() == datetime.datetime.now().astimezone().date()
    return begun.strftime("%H:%M" if is_today else "%d %b %H:%M")
