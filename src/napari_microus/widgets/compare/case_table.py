"""The table of cases: how far each is, and who has drawn it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from napari_microus.core.compare.case_progress import adjudicators, drawn_by
from napari_microus.core.compare.work_list import CaseState
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.compare.work_list import ListedCase

#: States in the words of the dock.
STATES = {
    CaseState.OPEN: "open",
    CaseState.STARTED: "begun",
    CaseState.DONE: "done",
    CaseState.WAITING: "needs two masks",
    CaseState.DAMAGED: "damaged sidecar",
}
_CASE = Qt.ItemDataRole.UserRole


class CaseTable(QTreeWidget):
    """A row per case, in the order of the list."""

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels([tr("Case"), tr("State"), tr("Regions"), tr("Annotators")])
        tips = (
            tr("Name of the case."),
            tr("How far its adjudication is."),
            tr("Regions with a decision, of all."),
            tr("Who has drawn it."),
        )
        for column, tip in enumerate(tips):
            self.headerItem().setToolTip(column, tip)
        self.setToolTip(tr("The cases of the folder; a double click opens one."))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setMinimumHeight(110)
        header = self.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def fill(
        self, cases: Sequence[ListedCase], current: str | None, *, is_blind: bool
    ) -> None:
        """List cases; the one that is open is bold."""
        chosen = self.chosen()
        self.clear()
        for case in cases:
            item = QTreeWidgetItem(_words(case, is_blind))
            item.setData(0, _CASE, case)
            item.setToolTip(1, case.problem)
            if case.case == current:
                font = item.font(0)
                font.setBold(True)
                item.setFont(0, font)
            self.addTopLevelItem(item)
        self.choose(chosen.case if chosen is not None else current)

    def choose(self, name: str | None) -> None:
        """Select a case by its name, if it is listed."""
        for row in range(self.topLevelItemCount()):
            item = self.topLevelItem(row)
            if item is not None and item.data(0, _CASE).case == name:
                self.setCurrentItem(item)

    def chosen(self) -> ListedCase | None:
        """Return the selected case."""
        item = self.currentItem()
        case: ListedCase | None = item.data(0, _CASE) if item is not None else None
        return case


def people_in_words(cases: Sequence[ListedCase], *, is_blind: bool) -> str:
    """Return who decided how much and, unless one works blind, who has drawn what."""
    lines = []
    if shares := adjudicators(cases):
        stated = [
            f"{share.who or 'no name'} {_count(share.regions, 'region')} in "
            f"{_count(share.cases, 'case')}"
            for share in shares
        ]
        lines.append(f"Decided: {', '.join(stated)}.")
    if cases and not is_blind:
        drawn = [f"{name} {count}" for name, count in drawn_by(cases).items()]
        lines.append(f"Drawn: {', '.join(drawn)} of {_count(len(cases), 'case')}.")
    return "\n".join(lines)


def _words(case: ListedCase, is_blind: bool) -> list[str]:
    regions = f"{case.decided} of {case.regions}" if case.regions else "–"
    names = list(case.masks)
    if is_blind:  # how many they are, and not who
        names = [chr(ord("A") + number) for number in range(len(names))]
    return [case.case, STATES[case.state], regions, ", ".join(names) or "none"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
