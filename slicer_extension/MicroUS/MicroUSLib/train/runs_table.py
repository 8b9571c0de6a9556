"""The list of a study's runs: their state, and the one that is chosen."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from napari_microus.core.runs.folder import RunStatus

_HEADINGS = (_("Run"), _("State"), _("Epochs"), _("DSC"), _("Begun"))


class RunsList:
    """Shows the runs below a study's folder, the latest first.

    Parameters
    ----------
    table : QTableWidget
        One row per run.
    """

    def __init__(self, table: qt.QTableWidget) -> None:
        self._table = table
        self._runs: list[RunStatus] = []
        table.columnCount = len(_HEADINGS)
        table.setHorizontalHeaderLabels(list(_HEADINGS))
        table.selectionBehavior = qt.QAbstractItemView.SelectRows
        table.selectionMode = qt.QAbstractItemView.SingleSelection

    @property
    def chosen(self) -> RunStatus | None:
        """The run of the current row, None if there is none."""
        row = self._table.currentRow()
        return self._runs[row] if 0 <= row < len(self._runs) else None

    @property
    def alive(self) -> str:
        """The name of a run that is being trained, "" if there is none."""
        return next((Path(run.path).name for run in self._runs if run.is_alive), "")

    def fill(self, study: str) -> None:
        """Read the runs of a study again, and keep the choice."""
        try:
            from napari_microus.core.runs.folder import list_runs
        except ImportError:
            return
        before = self.chosen
        self._runs = list_runs(Path(study) / "runs") if study else []
        table = self._table
        table.blockSignals(True)
        table.rowCount = len(self._runs)
        for line, run in enumerate(self._runs):
            dice = "–" if run.best_dice is None else f"{run.best_dice:.3f}"
            begun = datetime.fromtimestamp(run.started).astimezone()
            words = (
                Path(run.path).name,
                run.state,
                f"{run.epoch} of {run.epochs}",
                dice,
                begun.strftime("%d %b %H:%M") if run.started else "–",
            )
            for column, text in enumerate(words):
                item = qt.QTableWidgetItem(text)
                item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
                item.setToolTip(run.message or run.path)
                table.setItem(line, column, item)
            if before is not None and before.path == run.path:
                table.setCurrentCell(line, 0)
        table.resizeColumnsToContents()
        table.blockSignals(False)
