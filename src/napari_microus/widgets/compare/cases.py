"""The tab *Cases*: the cases of a study or folder, opened one after another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_microus.core.compare.remembered import Remembered, recall, remember
from napari_microus.core.compare.work_list import annotators, next_open
from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.events import Progress
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.compare.case_controls import CaseControls
from napari_microus.widgets.compare.case_layers import CaseLayers
from napari_microus.widgets.compare.case_reading import list_cases, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from qtpy.QtGui import QShowEvent

    from napari_microus.core.compare.naming import Naming
    from napari_microus.core.compare.work_list import ListedCase
    from napari_microus.core.events import Event
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.compare.case_reading import CaseRead

# How soon to ask again whether the case before can be left.
_PAUSE_MS = 50


class CasesPanel(CaseControls):
    """Lists cases with their state, opens one, and asks to save and continue.

    ``leaving()`` comes before the layers of the case before go, then
    ``opened(scan, expert, nonexpert, case)`` with the layers of the new one (the
    scan None where there is none); ``save_asked(case)`` asks the owner to save, who
    then calls `saved`.

    Parameters
    ----------
    viewer : ViewerModel
        Where the layers go.
    journals : Path, optional
        Where unsaved decisions are kept; the list is remembered beside that folder.

    Attributes
    ----------
    cases : list of ListedCase
        The list as it was last read.
    current : ListedCase or None
        The case that is open.
    has_unsaved : bool
        True where its journal holds decisions that its sidecar does not.
    goes_on : bool
        True where it was opened because the one before was saved.
    can_leave : callable
        Asked before another case is shown; the owner may set it.
    """

    opened = Signal(object, object, object, object)
    save_asked = Signal(object)
    leaving = Signal()

    def __init__(
        self,
        viewer: ViewerModel,
        journals: Path | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._journals = journals
        self._remembered = recall(journals)
        self._layers = CaseLayers(viewer)
        self._worker: Worker | None = None
        self._then: Callable[[], None] | None = None
        self._read: CaseRead | None = None
        self._is_blind = False
        self._was_shown = False
        self._is_cancelled = False
        self._what = ""
        self.cases: list[ListedCase] = []
        self.current: ListedCase | None = None
        self.has_unsaved = self.goes_on = False
        self.can_leave: Callable[[], bool] = _always
        self.folder_line.setText(self._remembered.folder)
        self._connect()
        self._show_cases()

    def _connect(self) -> None:
        self.folder_button.clicked.connect(self._ask_for_folder)
        self.folder_line.returnPressed.connect(self._on_typed)
        for box in (self.expert_box, self.nonexpert_box):
            box.activated.connect(self._on_role)
        self.state_box.currentIndexChanged.connect(self._show_cases)
        self.search_line.textChanged.connect(self._show_cases)
        self.table.currentItemChanged.connect(self._show_buttons)
        self.table.itemDoubleClicked.connect(self.open_chosen)
        self.open_button.clicked.connect(self.open_chosen)
        self.next_button.clicked.connect(self.open_next)
        self.save_button.clicked.connect(self._ask_to_save)
        self.cancel_button.clicked.connect(self.cancel)

    def showEvent(self, event: QShowEvent) -> None:
        """Read the list that was open last, once it is looked at; Qt's name."""
        super().showEvent(event)
        if not self._was_shown and self._remembered.folder and not self.cases:
            self.choose(Path(self._remembered.folder))
        self._was_shown = True

    # --- the list

    def choose(self, folder: Path) -> None:
        """List the cases of a folder or study, and remember it."""
        if self._is_free():
            self.folder_line.setText(str(folder))
            self.folder_line.setToolTip(str(folder))
            self._list(None)

    def say(self, words: str) -> None:
        """Show a sentence."""
        self.message.setText(words)

    def show_naming(self, naming: Naming) -> None:
        """Hide who the annotators are while one works blind, else show it."""
        self._is_blind = naming.is_blind
        self._layers.show_names(is_blind=naming.is_blind)
        self.roles.setVisible(not naming.is_blind)
        self._show_cases()

    def _list(self, then: Callable[[], None] | None) -> None:
        self._then = then
        folder = self.folder_line.text().strip()
        what = tr("Reading the list …")
        self._run(what, list_cases, folder, self._wanted, returned=self._on_listed)

    @property
    def _wanted(self) -> tuple[str, str]:
        """The two annotators that are chosen, else those that were remembered."""
        remembered = self._remembered.expert, self._remembered.nonexpert
        return self.pair if self.pair[1] else remembered

    def _on_listed(self, cases: list[ListedCase]) -> None:
        self.cases = cases
        self.fill_roles(annotators(cases), self._wanted)
        self._remember()
        self._show_cases()
        self.say(
            "" if cases else tr("The study has no cases. Add some in Train, Study.")
        )

    def _on_role(self, _: int = 0) -> None:
        expert, nonexpert = self.expert_box, self.nonexpert_box
        if expert.currentText() == nonexpert.currentText():
            other = nonexpert if self.sender() is expert else expert
            others = (n for n in annotators(self.cases) if n != other.currentText())
            other.setCurrentText(next(others, ""))
        self._remember()
        if len(annotators(self.cases)) > 2 and self._is_free():
            self._list(None)  # each two have their own adjudications

    def _remember(self) -> None:
        self._remembered = Remembered(
            str(Path(self.folder_line.text().strip()).absolute()), *self.pair
        )
        remember(self._remembered, self._journals)

    def _show_cases(self, _: Any = None) -> None:
        shown = self.matching(self.cases)
        self.table.fill(shown, self._current_name(), is_blind=self._is_blind)
        self.show_progress(self.cases, is_blind=self._is_blind)
        self._show_buttons()

    def _current_name(self) -> str | None:
        """Return the name of the open case, where it is one of this list."""
        if self.current is None:
            return None
        is_listed = any(case.result == self.current.result for case in self.cases)
        return self.current.case if is_listed else None

    def _is_free(self) -> bool:
        return self._worker is None and self._read is None

    def _show_buttons(self, *_: Any) -> None:
        is_free = self._is_free()
        self.folder_button.setEnabled(is_free)
        self.open_button.setEnabled(is_free and self.table.chosen() is not None)
        self.next_button.setEnabled(is_free and bool(self.cases))
        self.save_button.setEnabled(is_free and self.current is not None)
        self.roles.setEnabled(is_free)

    # --- opening

    def open_chosen(self, *_: Any) -> None:
        """Open the case of the selected line."""
        case = self.table.chosen()
        if case is not None and self._is_free():
            self.goes_on = False
            self.open(case)

    def open_next(self, *_: Any) -> None:
        """Read the list again, and open the next case that is not done."""
        if self._is_free():
            self.goes_on = False
            self._list(self._open_next)

    def open(self, case: ListedCase) -> None:
        """Read a case in a thread, then show it in place of the one before."""
        if not all(self.pair):
            self.say(
                tr(
                    "There are not two annotators in this list. Add masks of a "
                    "second one."
                )
            )
            return
        if self._is_blind and not set(self.pair) <= set(case.masks):
            self.say(
                f"Case '{case.case}' has not been drawn by both. Choose another case."
            )
            return
        self._then = self._show_read
        what = f"Reading case {case.case} …"
        self._run(what, read, case, self.pair, self._journals, returned=self._on_read)

    def saved(self) -> None:
        """Continue after the owner has saved the case: read the list, open the next."""
        if self._is_free():
            self.goes_on = True
            self._list(self._open_next)

    def _open_next(self) -> None:
        shown = self.matching(self.cases)
        both = {case.case for case in shown if set(self.pair) <= set(case.masks)}
        current = self._current_name()
        order = [c for c in self.cases if c.case in both or c.case == current]
        case = next_open(order, current)
        if case is not None and case.case != current:
            self.open(case)
            return
        other = "other case" if current is not None else "case"
        those = " that is shown" if len(shown) < len(self.cases) else ""
        self.say(f"No {other}{those} waits for decisions.")

    def _on_read(self, found: CaseRead) -> None:
        self._read = found

    def _show_read(self) -> None:
        found = self._read
        if found is None:
            return
        if not self.can_leave():
            self.say(tr("Waiting for the work on the case before …"))
            self.cancel_button.setVisible(True)
            QTimer.singleShot(_PAUSE_MS, self._show_read)
            return
        was_blind = self._is_blind
        self.leaving.emit()
        kept = self._layers.remove_unchanged()
        case = found.case
        self._read, self.current, self.has_unsaved = None, case, found.has_unsaved
        scan, masks = self._layers.add(case.case, found.volumes, found.masks)
        self.cancel_button.setVisible(False)
        self._show_cases()
        self.table.choose(case.case)
        said = [f"Case {case.case} is open.", *_kept_in_words(kept, was_blind)]
        self.say(" ".join(said))
        self.opened.emit(scan, *masks, case)

    def _ask_to_save(self) -> None:
        if self.current is not None:
            self.save_asked.emit(self.current)

    # --- work in a thread

    def cancel(self) -> None:
        """End the reading under way; the case before stays."""
        self._is_cancelled, self._then = True, None
        self.cancel_button.setEnabled(False)
        if self._worker is not None:
            self._worker.quit()
        elif self._read is not None:
            self._read = None
            self._on_aborted()
            self._on_finished()

    def close_down(self) -> None:
        """Let go of work in progress: the dock is going away."""
        self._then = self._read = None
        if self._worker is not None:
            self._worker.forget()
            self._worker = None

    def _run(
        self, what: str, work: Any, *args: Any, returned: Callable[[Any], None]
    ) -> None:
        self._what, self._is_cancelled = what, False
        self.say(what)
        self.cancel_button.setEnabled(True)
        self._worker = start_worker(
            work,
            *args,
            yielded=self._on_progress,
            returned=returned,
            errored=self._on_error,
            aborted=self._on_aborted,
            finished=self._on_finished,
        )
        self._show_buttons()

    def _on_progress(self, event: Event) -> None:
        if isinstance(event, Progress) and not self._is_cancelled:
            self.cancel_button.setVisible(True)
            of = f"file {event.done + 1} of {event.total}"
            self.say(f"{self._what} {of}")

    def _on_error(self, error: Exception) -> None:
        self._then = None
        is_known = isinstance(error, (MicroUSError, OSError))
        self.say(
            plain_words(error)
            if is_known
            else tr("This failed: {error}").format(error=error)
        )

    def _on_aborted(self) -> None:
        self.say(tr("Cancelled. Nothing was changed."))

    def _on_finished(self) -> None:
        self._worker = None
        if self._is_cancelled and self._read is not None:  # read all the same
            self._read = None
            self._on_aborted()
        self.cancel_button.setVisible(False)
        self._show_buttons()
        then, self._then = self._then, None
        if then is not None:
            then()

    # --- asking

    def _ask_for_folder(self) -> None:
        start = self.folder_line.text()
        name = QFileDialog.getExistingDirectory(
            self, tr("Choose folder or study"), start
        )
        if name:
            self.choose(Path(name))

    def _on_typed(self) -> None:
        if self.folder_line.text().strip():
            self.choose(Path(self.folder_line.text().strip()))


def _kept_in_words(names: list[str], is_blind: bool) -> list[str]:
    if not names:
        return []
    if is_blind:
        return [tr("An edited mask of the case before stays open. Save or remove it.")]
    listed = " and ".join(f"'{name}'" for name in names)
    verb = "was" if len(names) == 1 else "were"
    return [f"{listed} {verb} changed and stays open. Save or remove it yourself."]


def _always() -> bool:
    return True
