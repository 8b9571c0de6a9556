"""The controls of the tab *Cases*, and what they show of a work list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QLabel,
    QLineEdit,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.compare.case_progress import matching
from napari_microus.core.compare.work_list import CaseState
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import beside, push_button, text
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.case_table import (
    STATES,
    CaseTable,
    people_in_words,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.compare.work_list import ListedCase

_HINT = "Choose a study, or a folder with a subfolder of masks for each annotator."


class CaseControls(QWidget):
    """Folder, annotators, filter, table, progress and buttons."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make_controls()
        self._lay_out()

    def _make_controls(self) -> None:
        self.folder_line = QLineEdit()
        self.folder_line.setToolTip(_HINT)
        self.folder_button = push_button(tr("Choose folder or study…"), _HINT)
        self.expert_box = combo(
            tr("Whose mask the other is measured against."), least=6
        )
        self.nonexpert_box = combo(
            tr("The annotator who is compared with the first."), least=6
        )
        for box in (self.expert_box, self.nonexpert_box):  # side by side in a dock
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        roles = (
            QLabel(tr("Compare")),
            self.expert_box,
            QLabel(tr("with")),
            self.nonexpert_box,
        )
        self.roles = beside(*roles, stretch=(0, 1, 0, 1))
        self.state_box = combo(tr("Show the cases that are as far as this."), least=6)
        self.state_box.addItem(tr("all states"), None)
        for state, words in STATES.items():
            self.state_box.addItem(words, state)
        self.search_line = QLineEdit()
        self.search_line.setPlaceholderText(tr("case, or who decided it"))
        self.search_line.setToolTip(
            tr("Part of a case's name, or who decided a region.")
        )
        self.search_line.setClearButtonEnabled(True)
        self.table = CaseTable()
        self.progress = QProgressBar()
        self.people = text()
        self.open_button = push_button(
            tr("Open"), tr("Open the selected case: scan and both masks.")
        )
        self.next_button = push_button(
            tr("Next open case"), tr("Open the next case shown that is not done.")
        )
        self.save_button = push_button(
            tr("Save and next"),
            tr(
                "Save the adjudication in the list's folder 'adjudicated', and "
                "open the next case."
            ),
        )
        self.message = text(_HINT)
        self.cancel_button = push_button(
            tr("Cancel"), tr("End what is going on; nothing is changed.")
        )
        self.cancel_button.setVisible(False)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.addWidget(beside(self.folder_line, self.folder_button, stretch=(1,)))
        column.addWidget(self.roles)
        column.addWidget(beside(self.state_box, self.search_line, stretch=(1, 2)))
        column.addWidget(self.table, 1)
        column.addWidget(self.progress)
        column.addWidget(self.people)
        buttons = (self.open_button, self.next_button, self.save_button)
        column.addWidget(beside(*buttons, stretch=(1, 1, 1)))
        column.addWidget(self.message)
        column.addWidget(self.cancel_button)

    @property
    def pair(self) -> tuple[str, str]:
        """The two annotators that are compared; "" where there is none."""
        return self.expert_box.currentText(), self.nonexpert_box.currentText()

    def fill_roles(self, people: Sequence[str], wanted: tuple[str, str]) -> None:
        """Offer annotators, and choose the wanted two or else the first."""
        expert, nonexpert = wanted
        if expert == nonexpert or not {expert, nonexpert} <= set(people):
            expert, nonexpert = [*people, "", ""][:2]
        for box, name in ((self.expert_box, expert), (self.nonexpert_box, nonexpert)):
            box.clear()
            box.addItems(list(people))
            box.setCurrentIndex(box.findText(name) if name else -1)

    def matching(self, cases: Sequence[ListedCase]) -> list[ListedCase]:
        """Return the cases that the filter and the search line let through."""
        state = self.state_box.currentData()
        words = self.search_line.text().strip().casefold()
        found = matching(cases, state=CaseState(state) if state else None)
        named = {case.case for case in matching(found, name=words)}
        return [
            case
            for case in found
            if case.case in named
            or any(words in who.casefold() for who in case.decided_by)
        ]

    def show_progress(self, cases: Sequence[ListedCase], *, is_blind: bool) -> None:
        """Show how many cases are done, and who decided how much."""
        done = sum(case.state is CaseState.DONE for case in cases)
        self.progress.setRange(0, max(1, len(cases)))
        self.progress.setValue(done)
        self.progress.setFormat(f"{done} of {len(cases)} cases done")
        self.progress.setVisible(bool(cases))
        self.people.setText(people_in_words(cases, is_blind=is_blind))
        self.people.setVisible(bool(self.people.text()))
