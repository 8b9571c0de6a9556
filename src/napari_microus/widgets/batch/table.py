"""The scans of a batch, and what has become of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_microus.core.colors import FAILED
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.batch import Scan
    from napari_microus.core.events import ScanReport

SCAN, STATE, RESULT = range(3)
WAITING = "waiting"
_WORDS = {"skipped": "done before"}
_HEIGHT = 220
_NAME_WIDTH, _STATE_WIDTH = 110, 80


class ScanTable(QTreeWidget):
    """One line a scan.

    ``scan_wanted`` carries the scan of a line that is double-clicked, ``described`` all
    that is known of the selected one.
    """

    scan_wanted = Signal(object)
    described = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scans: list[Scan] = []
        self._items: dict[str, QTreeWidgetItem] = {}
        self.setHeaderLabels([tr("Scan"), tr("State"), tr("Result")])
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setMinimumHeight(_HEIGHT)
        self.setToolTip(tr("Double-click a scan to see it with its capsule."))
        header = self.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(False)
        header.setSectionResizeMode(RESULT, QHeaderView.ResizeMode.Stretch)
        self.setColumnWidth(SCAN, _NAME_WIDTH)
        self.setColumnWidth(STATE, _STATE_WIDTH)
        self.itemDoubleClicked.connect(self._on_double_click)
        self.itemSelectionChanged.connect(self._report)

    def show_scans(self, scans: Sequence[Scan]) -> None:
        """List scans, all of which wait."""
        self.clear()
        self.scans = list(scans)
        self._items = {}
        for scan in self.scans:
            item = QTreeWidgetItem([scan.label, WAITING, ""])
            item.setToolTip(SCAN, scan.label)
            self._items[scan.name] = item
        self.addTopLevelItems(list(self._items.values()))
        for column in (SCAN, STATE):
            self.resizeColumnToContents(column)
        # Long paths must not push the rest out of sight.
        self.setColumnWidth(SCAN, min(self.columnWidth(SCAN), _NAME_WIDTH))
        self.setColumnWidth(STATE, _STATE_WIDTH)

    def wait_again(self) -> None:
        """Show that no scan is being worked on any more."""
        for item in self._items.values():
            if item.text(STATE).startswith("running"):
                item.setText(STATE, WAITING)

    def show_report(self, report: ScanReport) -> None:
        """Show what has become of a scan."""
        item = self._items.get(report.name)
        if item is None:  # the folder has changed since it was listed
            item = QTreeWidgetItem([report.name, "", ""])
            self._items[report.name] = item
            self.addTopLevelItem(item)
        state = _WORDS.get(report.state, report.state)
        if report.state == "running" and report.frames:
            state = f"running {report.frames_done}/{report.frames}"
        item.setText(STATE, state)
        words = _result(report)
        item.setText(RESULT, words)
        item.setToolTip(RESULT, words)
        if report.state == "failed":
            item.setForeground(STATE, QColor(FAILED))
        self._report()

    def show_notice(self, words: str) -> None:
        """Show what is to be known of a scan beside its name; it begins the words."""
        for item in self._items.values():
            label = item.text(SCAN)
            if words.startswith(f"{label}: "):
                described = words.removeprefix(f"{label}: ")
                item.setToolTip(SCAN, f"{item.toolTip(SCAN)}\n{described}")

    def state(self, name: str) -> str:
        """Return what has become of a scan."""
        return self._items[name].text(STATE)

    def result(self, name: str) -> str:
        """Return what came of a scan, or why it failed."""
        return self._items[name].text(RESULT)

    def _report(self) -> None:
        items = self.selectedItems()
        if not items:
            self.described.emit("")
            return
        known = [items[0].toolTip(column) for column in (SCAN, RESULT)]
        self.described.emit("\n".join(words for words in known if words))

    def _on_double_click(self, item: QTreeWidgetItem) -> None:
        index = self.indexOfTopLevelItem(item)
        if index < len(self.scans):
            self.scan_wanted.emit(self.scans[index])


def _result(report: ScanReport) -> str:
    if report.state == "failed":
        return report.message
    if report.state == "running":
        return ""
    words = f"capsule in {report.frames_with_capsule} of {report.frames} frames"
    if report.volume_ml is None:
        return words
    return f"{report.volume_ml:.1f} mL, {words}"
