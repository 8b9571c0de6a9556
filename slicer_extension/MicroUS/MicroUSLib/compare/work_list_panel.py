"""The part *Work list*: the cases of a study or folder, opened one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from .case import open_case

if TYPE_CHECKING:
    from types import SimpleNamespace

    from napari_microus.core.compare.work_list import ListedCase

    from .panel import ComparePanel
    from .work import CompareWork


class WorkListPanel:
    """Lists cases with their state, opens the next open one, saves and continues.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    work : CompareWork
        Runs what takes long.
    comparer : ComparePanel
        Compares, adjudicates and saves.
    """

    def __init__(
        self, ui: SimpleNamespace, work: CompareWork, comparer: ComparePanel
    ) -> None:
        self._ui, self._work, self._comparer = ui, work, comparer
        self._cases: list[ListedCase] = []
        self._open: ListedCase | None = None
        ui.workListPathLineEdit.currentPathChanged.connect(self.list_cases)
        ui.workListSection.contentsCollapsed.connect(self.list_cases)
        ui.workListTable.itemSelectionChanged.connect(self._on_selection)
        ui.openCaseButton.clicked.connect(self.open_selected)
        ui.nextCaseButton.clicked.connect(self.open_next)
        ui.saveAndNextButton.clicked.connect(self.save_and_next)

    def refresh(self, is_free: bool) -> None:
        """Enable what can be pressed now."""
        ui = self._ui
        ui.openCaseButton.enabled = is_free and self._selected() is not None
        ui.nextCaseButton.enabled = is_free and bool(self._cases)
        ui.saveAndNextButton.enabled = (
            is_free and self._open is not None and self._comparer.adjudicating.is_begun
        )

    def forget(self) -> None:
        """Forget which case is open: its scene is going away."""
        self._open = None

    def list_cases(self, *args: object) -> None:
        """Read the states again, and show them."""
        folder = self._ui.workListPathLineEdit.currentPath
        self._cases = []
        self._ui.workListTable.rowCount = 0
        self._ui.workListLabel.text = ""
        if not folder:
            return
        try:
            from napari_microus.core.compare.work_list import annotators, work_list
            from napari_microus.core.errors import MicroUSError
        except ImportError:
            self._ui.workListLabel.text = _("The first Apply installs what is needed.")
            return
        try:
            self._cases = work_list(folder)
        except MicroUSError as error:
            self._ui.workListLabel.text = error.plain
        self._fill(annotators(self._cases))
        self.refresh(not self._work.is_busy)

    def _fill(self, people: list[str]) -> None:
        from napari_microus.core.compare.work_list import CaseState

        table = self._ui.workListTable
        table.columnCount = len(people) + 2
        table.setHorizontalHeaderLabels([_("Case"), *people, _("Adjudication")])
        table.rowCount = len(self._cases)
        for line, case in enumerate(self._cases):
            drawn = [_("drawn") if p in case.masks else _("not yet") for p in people]
            for column, words in enumerate((case.case, *drawn, _state_of(case))):
                item = qt.QTableWidgetItem(words)
                item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
                item.setToolTip(case.problem)
                table.setItem(line, column, item)
        table.resizeColumnsToContents()
        if self._cases:
            done = sum(case.state is CaseState.DONE for case in self._cases)
            self._ui.workListLabel.text = _("{0} of {1} cases are adjudicated.").format(
                done, len(self._cases)
            )

    def _on_selection(self) -> None:
        self.refresh(not self._work.is_busy)

    def _selected(self) -> ListedCase | None:
        line = self._ui.workListTable.currentRow()
        return self._cases[line] if 0 <= line < len(self._cases) else None

    def open_selected(self, *args: object) -> None:
        """Open the case of the chosen line."""
        case = self._selected()
        if case is not None:
            self._open_case(case)

    def open_next(self, *args: object) -> None:
        """Open the next case that waits for a decision."""
        from napari_microus.core.compare.work_list import next_open

        self.list_cases()
        case = next_open(self._cases, self._open.case if self._open else None)
        if case is None:
            self._work.say(_("No case of the list is open."))
            return
        self._open_case(case)

    def save_and_next(self, *args: object) -> None:
        """Save the adjudication where the list expects it, and open the next case."""
        if self._open is None:
            return
        self._open.result.parent.mkdir(exist_ok=True)
        if self._comparer.adjudicating.save_to(str(self._open.result)):
            self.open_next()

    def _open_case(self, case: ListedCase) -> None:
        with self._work.doing(_("The case was not opened.")) as on_event:
            self._comparer.ensure_packages()
            self._open = None
            scan, drawn = open_case(case, on_event)
            self._comparer.choose(scan, drawn)
            self._open = case
            self._show_line(case)
            if len(drawn) < 2:
                self._work.say(
                    _("Case {0} needs a second annotation: draw or load it.").format(
                        case.case
                    )
                )
                return
            self._comparer.compare()
            if case.result.exists():
                self._comparer.adjudicating.resume_from(str(case.result))

    def _show_line(self, case: ListedCase) -> None:
        names = [listed.case for listed in self._cases]
        if case.case in names:
            self._ui.workListTable.selectRow(names.index(case.case))


def _state_of(case: ListedCase) -> str:
    from napari_microus.core.compare.work_list import CaseState

    return {
        CaseState.WAITING: _("needs two annotations"),
        CaseState.OPEN: _("open"),
        CaseState.STARTED: _("{0} of {1} regions").format(case.decided, case.regions),
        CaseState.DONE: _("done"),
        CaseState.DAMAGED: _("sidecar damaged"),
    }[case.state]
