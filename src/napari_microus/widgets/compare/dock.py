"""Dock widget in which two annotators' masks are compared and adjudicated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import (
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.compare.naming import OPEN, Naming
from napari_microus.widgets._shared.accessible import describe_controls
from napari_microus.widgets._shared.belonging import remember_scans
from napari_microus.widgets._shared.controls import pages, scrolled
from napari_microus.widgets._shared.dock import NARROWEST, Dock
from napari_microus.widgets._shared.empty_state import EmptyState
from napari_microus.widgets._shared.first_use import welcome_once
from napari_microus.widgets._shared.footer import Footer
from napari_microus.widgets._shared.opening import COMPARE, open_dock, open_sample
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.blind import BlindMode
from napari_microus.widgets.compare.difference import DifferenceTab
from napari_microus.widgets.compare.frames import FramesTab
from napari_microus.widgets.compare.live import LiveComparison
from napari_microus.widgets.compare.pair import candidate_masks
from napari_microus.widgets.compare.picker import PairPicker
from napari_microus.widgets.compare.queue import Queue
from napari_microus.widgets.compare.regions import RegionsTab
from napari_microus.widgets.compare.tools import ToolsTab

if TYPE_CHECKING:
    from pathlib import Path

    import napari.viewer
    from qtpy.QtGui import QShowEvent

    from napari_microus.widgets.compare.pair import Pair


class CompareWidget(Dock):
    """Compare two annotators' masks while they are edited, and adjudicate them.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer to read from and add to.
    journal_folder : Path, optional
        Where unsaved decisions are kept; None takes the user's state folder.
    parent : QWidget, optional
        Qt parent.

    Attributes
    ----------
    comparison : LiveComparison or None
        What is being compared.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        *,
        journal_folder: Path | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        # napari hands docks a proxy that makes new objects of the same layers at
        # each access; to recognise a layer takes the viewer itself.
        viewer = getattr(viewer, "__wrapped__", viewer)
        remember_scans(viewer)
        self._viewer = viewer
        self.comparison: LiveComparison | None = None
        self.blind: BlindMode | None = None
        self.picker = PairPicker(viewer)
        self.progress = QProgressBar()
        self.progress.setVisible(False)
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(6)
        self.difference = DifferenceTab(viewer)
        self.frames = FramesTab(viewer)
        self.regions = RegionsTab(viewer, journal_folder)
        self.tools = ToolsTab(viewer)
        self.tabs = pages()
        self.tabs.addTab(scrolled(self.difference), tr("Difference"))
        self.tabs.addTab(scrolled(self.frames), tr("Frames"))
        self.tabs.addTab(scrolled(self.regions), tr("Adjudicate"))
        self.tabs.addTab(scrolled(self.tools), tr("Tools"))
        self.queue = Queue(self, viewer, self._end_comparison, journal_folder)
        self.empty = EmptyState(
            tr("Two annotations of one scan are needed to compare.")
        )
        self.empty.add(
            tr("Open an annotation…"),
            tr("A mask file (NIfTI, NRRD, PNG …), once for each annotator."),
            self.picker.ask_for_file,
        )
        self.empty.add(
            tr("Try two outlines of real frames"),
            tr("Opens ten real frames of one patient with two outlines."),
            self._open_sample,
        )
        self.footer = Footer(viewer)
        self.footer.serve(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.empty)
        layout.addWidget(self.picker)
        layout.addWidget(self.progress)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.footer)
        self.setMinimumWidth(NARROWEST)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._connect()
        describe_controls(self)

    def _connect(self) -> None:
        self.picker.chosen.connect(self.compare)
        self.picker.counted.connect(self._show_empty)
        self._show_empty()
        self.picker.swapped.connect(self._on_swapped)
        self.regions.saved.connect(self.unblind)
        self.regions.naming_loaded.connect(self._on_naming_loaded)
        self.tools.blind_asked.connect(self.go_blind)
        self.tools.submitted.connect(self.submit)
        self.tools.unblinded.connect(self.unblind)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.close_down)

    def event(self, event: QEvent) -> bool:
        """Let go of the viewer when napari takes the dock away."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.close_down()
        return bool(super().event(event))

    def showEvent(self, event: QShowEvent) -> None:
        """Welcome a new user; Qt's name."""
        super().showEvent(event)
        welcome_once(self, self._viewer)

    def _open_sample(self) -> None:
        open_sample(self._viewer, with_outlines=True)

    def _show_empty(self) -> None:
        """Show what is missing until there are two masks; they may be hidden later."""
        is_short = len(candidate_masks(self._viewer)) < 2
        self.empty.setVisible(is_short and self.comparison is None)

    def compare(self, pair: Pair) -> None:
        """Show where two masks differ, and keep it true while they are edited."""
        if self.regions.shown is not None:
            work = self.regions.shown.work
            self.picker.message.setText(
                tr(
                    "An adjudication is in progress ({decided} of {count} regions "
                    "decided). Press Stop adjudicating first; its decisions are kept."
                ).format(decided=work.decided_count, count=len(work.regions))
            )
            self.tabs.setCurrentIndex(2)
            assert self.comparison is not None  # what is adjudicated
            running = self.comparison.pair
            self.picker.choose(running.expert, running.nonexpert)
            return
        self._end_comparison()
        comparison = LiveComparison(self._viewer, pair)
        self.comparison = comparison
        comparison.progressed.connect(self._on_progress)
        comparison.changed.connect(self._on_changed)
        comparison.ended.connect(self._on_ended)
        comparison.noticed.connect(self.picker.message.setText)
        for tab in self._tabs():
            tab.set_comparison(comparison)

    def _on_swapped(self) -> None:
        """Exchange the roles of what is being compared, too."""
        if self.comparison is not None:
            self.picker.submit()

    def go_blind(self, hide: bool = False, naming: Naming | None = None) -> None:
        """Shuffle names, colours and order; perhaps hide the expert's mask."""
        comparison = self.comparison
        if comparison is None or self.blind is not None:
            return
        pair = comparison.pair
        self.blind = BlindMode(
            self._viewer, pair, hide=pair.expert if hide else None, naming=naming
        )
        self.blind.ended.connect(self._on_unblinded)
        self.picker.setVisible(False)
        for index in range(3):
            self.tabs.setTabEnabled(index, not hide)
        if hide:
            self.tabs.setCurrentIndex(3)
            self._viewer.layers.selection.active = pair.nonexpert
        self._show_naming(self.blind.naming)
        self.tools.show_blind(is_blind=True, is_hidden=hide)

    def submit(self) -> None:
        """Show the mask that was hidden."""
        if self.blind is None:
            return
        self.blind.submit()
        for index in range(3):
            self.tabs.setTabEnabled(index, True)
        self.tools.show_blind(is_blind=True, is_hidden=False)

    def unblind(self) -> None:
        """Show who is who."""
        if self.blind is not None:
            self.submit()
            self.blind.end()

    def close_down(self) -> None:
        """Let go of the viewer: the dock or the application is going away."""
        self.unblind()
        self.queue.close_down()
        self.picker.close_down()
        self.regions.close_down()
        self.tools.close_down()
        self._end_comparison()

    def _on_unblinded(self) -> None:
        self.blind = None
        self.picker.setVisible(True)
        self._show_naming(OPEN)
        self.tools.show_blind(is_blind=False, is_hidden=False)

    def _on_naming_loaded(self, naming: Naming) -> None:
        self.go_blind(naming=naming)

    def _show_naming(self, naming: Naming) -> None:
        self.queue.panel.show_naming(naming)
        if self.comparison is None:
            return
        if self.comparison.layer in self._viewer.layers:
            self.comparison.show_naming(naming)
        else:
            self.comparison.naming = naming
        for tab in (self.difference, self.frames, self.regions):
            tab.show_naming()

    def _tabs(self) -> tuple[DifferenceTab, FramesTab, RegionsTab, ToolsTab]:
        return self.difference, self.frames, self.regions, self.tools

    def _on_progress(self, done: int, total: int) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setVisible(done < total)

    def _on_changed(self, frames: set[int]) -> None:
        comparison = self.comparison
        if comparison is not None and not comparison.is_busy:
            self.progress.setVisible(False)

    def _end_comparison(self) -> None:
        comparison, self.comparison = self.comparison, None
        if comparison is None:
            return
        self.unblind()
        self.regions.stop()
        comparison.widen(None)
        comparison.close()
        if comparison.layer in self._viewer.layers:
            self._viewer.layers.remove(comparison.layer)
        for tab in self._tabs():
            tab.set_comparison(None)

    def _on_ended(self, reason: str) -> None:
        if self.comparison is None:  # the dock itself has ended it
            return
        self.unblind()
        comparison, self.comparison = self.comparison, None
        self.progress.setVisible(False)
        for tab in self._tabs():
            tab.set_comparison(None)
        layer = comparison.layer
        if layer in self._viewer.layers:
            layer.name = f"{layer.name} (no longer live)"
        self.picker.message.setText(reason)


def open_adjudication(viewer: napari.viewer.Viewer) -> None:
    """Open the dock on the tab in which regions are adjudicated."""
    widget = open_dock(viewer, COMPARE)
    assert isinstance(widget, CompareWidget)
    widget.tabs.setCurrentIndex(2)
