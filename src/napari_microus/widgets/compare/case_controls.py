"""The controls of the tab *Cases*, and what they show of a work list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.compare.case_progress import matching
from napari_microus.core.compare.work_list import CaseState
from napari_microus.widgets._shared.controls import text
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
        self.folder_button = QPushButton("Choose folder or study…")
        self.folder_button.setToolTip(_HINT)
        self.expert_box = _choice("Whose mask the other is measured against.")
        self.nonexpert_box = _choice("The annotator who is compared with the first.")
        self.roles = QWidget()
        self.state_box = _choice("Show the cases that are as far as this.")
        self.state_box.addItem("all states", None)
        for state, words in STATES.items():
            self.state_box.addItem(words, state)
        self.search_line = QLineEdit()
        self.search_line.setPlaceholderText("case, or who decided it")
        self.search_line.setToolTip("Part of a case's name, or who decided a region.")
        self.search_line.setClearButtonEnabled(True)
        self.table = CaseTable()
        self.progress = QProgressBar()
        self.people = text()
        self.open_button = QPushButton("Open")
        self.open_button.setToolTip("Open the selected case: scan and both masks.")
        self.next_button = QPushButton("Next open case")
        self.next_button.setToolTip("Open the next case shown that is not done.")
        self.save_button = QPushButton("Save and next")
        self.save_button.setToolTip(
            "Save the adjudication in the list's folder 'adjudicated', and open the "
            "next case."
        )
        self.message = text(_HINT)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("End what is going on; nothing is changed.")
        self.cancel_button.setVisible(False)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.addLayout(_row((self.folder_line, 1), (self.folder_button, 0)))
        roles = _row(
            (QLabel("Compare"), 0),
            (self.expert_box, 1),
            (QLabel("with"), 0),
            (self.nonexpert_box, 1),
        )
        self.roles.setLayout(roles)
        column.addWidget(self.roles)
        column.addLayout(_row((self.state_box, 1), (self.search_line, 2)))
        column.addWidget(self.table, 1)
        column.addWidget(self.progress)
        column.addWidget(self.people)
        column.addLayout(
            _row((self.open_button, 1), (self.next_button, 1), (self.save_button, 1))
        )
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
        """Tell how many cases are done, and who decided how much."""
        done = sum(case.state is CaseState.DONE for case in cases)
        self.progress.setRange(0, max(1, len(cases)))
        self.progress.setValue(done)
        self.progress.setFormat(f"{done} of {len(cases)} cases done")
        self.progress.setVisible(bool(cases))
        self.people.setText(people_in_words(cases, is_blind=is_blind))
        self.people.setVisible(bool(self.people.text()))


def _choice(tip: str) -> QComboBox:
    box = QComboBox()
    box.setToolTip(tip)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    box.setMinimumContentsLength(6)
    return box


def _row(*parts: tuple[QWidget, int]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget, stretch in parts:
        row.addWidget(widget, stretch)
    return row
