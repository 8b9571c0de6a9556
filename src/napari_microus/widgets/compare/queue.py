"""Work through a list of cases: the tab *Cases* and what the dock does with it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_microus.core.compare.adjudication.resuming import check_resumes
from napari_microus.core.compare.work_list import CaseState
from napari_microus.core.errors import OutputError, plain_words
from napari_microus.widgets._shared.controls import scrolled
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.cases import CasesPanel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from napari_microus.core.compare.work_list import ListedCase
    from napari_microus.widgets.compare.dock import CompareWidget
    from napari_microus.widgets.compare.live import LiveComparison

_ADJUDICATE = 2
_PAUSE_MS = 50
_STATUS_MS = 300


class Queue(QObject):
    """Compares a case that was opened, resumes what was saved of it, and saves it.

    Parameters
    ----------
    dock : CompareWidget
        Compares and adjudicates; the tab is added to it.
    viewer : ViewerModel
        Where the layers are.
    end_comparison : callable
        Ends the dock's comparison and its adjudication.
    journals : Path, optional
        Where unsaved decisions are kept.

    Attributes
    ----------
    panel : CasesPanel
    """

    def __init__(
        self,
        dock: CompareWidget,
        viewer: ViewerModel,
        end_comparison: Callable[[], None],
        journals: Path | None,
    ) -> None:
        super().__init__(dock)
        self._dock, self._viewer = dock, viewer
        self._end_comparison = end_comparison
        self._masks: tuple[Labels, Labels] | None = None
        self._saving: ListedCase | None = None
        self._unsaved = ""
        self._blind = (False, False)
        self.panel = CasesPanel(viewer, journals)
        dock.tabs.addTab(scrolled(self.panel), tr("Cases"))
        self.panel.can_leave = self._can_leave
        self.panel.leaving.connect(self._leave)
        self.panel.opened.connect(self._compare)
        self.panel.save_asked.connect(self._save)
        dock.regions.saved.connect(self._on_saved)
        dock.regions.failed.connect(self._on_failed)

    def close_down(self) -> None:
        """Let go of work in progress: the dock is going away."""
        self._saving = None
        self.panel.close_down()

    # --- from one case to the next

    def _can_leave(self) -> bool:
        # What is found or loaded would else be shown over the next case.
        return not self._dock.regions.is_working

    def _leave(self) -> None:
        """End the comparison; an adjudication without unsaved decisions goes too."""
        shown = self._dock.regions.shown if self._is_compared() else None
        if not self.panel.goes_on:  # saving has shown who is who
            self._blind = self._blind_now()
        self._end_comparison()
        self._unsaved = ""
        if shown is None:
            return
        if not shown.is_saved:
            self._unsaved = tr(
                " The decisions about the case before were not saved. They "
                "are kept, and offered when it is opened again."
            )
            return
        for layer in (shown.layer, shown.provenance_layer):
            if layer in self._viewer.layers and not getattr(layer, "locked", False):
                self._viewer.layers.remove(layer)

    def _blind_now(self) -> tuple[bool, bool]:
        """Return whether one works blind, and without seeing the expert's mask."""
        blind = self._dock.blind
        return blind is not None, blind is not None and blind.hidden is not None

    def _compare(
        self, scan: Image | None, expert: Labels, nonexpert: Labels, case: ListedCase
    ) -> None:
        dock = self._dock
        self._masks = (expert, nonexpert)
        dock.picker.choose(expert, nonexpert)
        dock.picker.submit()
        comparison = dock.comparison
        if comparison is None:
            self.panel.say(dock.picker.message.text())
            return
        self.panel.say(self.panel.message.text() + self._unsaved)
        is_blind, is_hidden = self._blind
        if is_blind:
            dock.go_blind(hide=is_hidden)
            self._forget_names()
            # napari works out the status in a thread, perhaps with the names before.
            QTimer.singleShot(_STATUS_MS, self._forget_names)
        if not is_hidden:
            dock.tabs.setCurrentIndex(_ADJUDICATE)
            self._resume(comparison, case)

    def _forget_names(self) -> None:
        """Clear the status bar: it names the layer as it was before one works blind."""
        if self._dock.blind is not None:
            self._viewer.status = ""

    def _resume(self, comparison: LiveComparison, case: ListedCase) -> None:
        """Load what was saved of a case as soon as its masks are compared."""
        dock = self._dock
        if dock.comparison is not comparison:
            return
        if comparison.is_busy or dock.regions.is_working:
            again = functools.partial(self._resume, comparison, case)
            QTimer.singleShot(_PAUSE_MS, again)
            return
        is_saved = case.state in (CaseState.STARTED, CaseState.DONE)
        if self.panel.has_unsaved or (self.panel.goes_on and not is_saved):
            dock.regions.start()
        elif is_saved:
            dock.regions.load(case.result)

    # --- saving

    def _save(self, case: ListedCase) -> None:
        regions = self._dock.regions
        shown = regions.shown
        if shown is None or not self._is_compared():
            self.panel.say(
                f"Nothing of case {case.case} has been decided yet. Press Start "
                "adjudicating."
            )
            return
        if regions.is_working:
            self.panel.say(tr("Still at work. Wait for it to end, then save again."))
            return
        try:
            overwrite = check_resumes(shown.work, case.result, shown.names)
        except OutputError as error:
            self._refuse(case, plain_words(error))
            return
        self._saving = case
        self._blind = self._blind_now()
        self.panel.say(f"Saving case {case.case} …")
        regions.save(case.result, overwrite=overwrite)

    def _on_saved(self) -> None:
        case, self._saving = self._saving, None
        if case is not None:
            self.panel.saved()

    def _on_failed(self, why: str) -> None:
        case, self._saving = self._saving, None
        if case is not None:
            self._refuse(case, why)

    def _refuse(self, case: ListedCase, why: str) -> None:
        self.panel.say(f"Case {case.case} was not saved; nothing is lost. {why}")

    def _is_compared(self) -> bool:
        """Return whether the dock compares the two masks of the open case."""
        comparison = self._dock.comparison
        if comparison is None or self._masks is None:
            return False
        return (comparison.pair.expert, comparison.pair.nonexpert) == self._masks
