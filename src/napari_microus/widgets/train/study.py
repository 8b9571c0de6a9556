"""The study's page: add open layers as cases, import a folder, check, split."""

from __future__ import annotations

from os.path import exists
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.events import Event, Progress
from napari_microus.core.study import (
    LabelChoiceError,
    Study,
    split_in_folds,
    split_study,
)
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import beside, push_button, text
from napari_microus.widgets._shared.empty_state import EmptyState
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.train.case_form import CaseForm
from napari_microus.widgets.train.cases import (
    LayerData,
    add_layers,
    check_cases,
    import_cases,
)
from napari_microus.widgets.train.label_picker import ask_labels
from napari_microus.widgets.train.next_case import NextCases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.components import ViewerModel

    from napari_microus.core.library import ModelInfo
    from napari_microus.core.runs.workspace import Workspace
    from napari_microus.core.study import StudyCase
    from napari_microus.widgets._shared.worker import Worker


_SPLITS = {
    tr("A fifth to validate on"): None,
    tr("3 folds"): 3,
    tr("5 folds"): 5,
    tr("10 folds"): 10,
}


class StudyPage(QWidget):
    """Collect cases in a study.

    Parameters
    ----------
    viewer : ViewerModel
        Its layers can be added as a case.
    workspace : Workspace
        Keeps the studies.
    list_models : callable
        `core.library.list_models`: one of them ranks the scans without annotation.
    """

    chosen = Signal(object)

    def __init__(
        self,
        viewer: ViewerModel,
        workspace: Workspace,
        list_models: Callable[[], list[ModelInfo]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._workspace = workspace
        self._worker: Worker | None = None
        self.study: Study | None = None
        self.study_box = combo(tr("The study to work on. Studies are remembered."))
        self.new_button = push_button(
            tr("New…"), tr("Make an empty study in a folder.")
        )
        self.open_button = push_button(
            tr("Open…"), tr("Open a folder that holds a study.")
        )
        self.form = CaseForm(viewer)
        self.import_button = push_button(
            tr("Import folder…"),
            tr(
                "List scans and masks where they are: the public micro-ultrasound "
                "dataset, nnU-Net's imagesTr and labelsTr, images and masks, or "
                "volumes as PI-CAI and BraTS have them."
            ),
        )
        self.check_button = push_button(
            tr("Check"),
            tr("Look for what would spoil a run: grids, empty masks, duplicates."),
        )
        self.split_box = combo(
            tr(
                "A fifth of the patients to validate on, or folds: each is held "
                "out once, by a run of its own (Advanced, Held-out fold)."
            )
        )
        for label, folds in _SPLITS.items():
            self.split_box.addItem(label, folds)
        self.split_button = push_button(
            tr("Split"),
            tr(
                "Share the patients as chosen. Never splits a patient; those in "
                "the test set stay there."
            ),
        )
        self.ignore_button = push_button(
            tr("Ignore"),
            tr("Leave this scan out of training and measuring; nothing is lost."),
        )
        self.test_button = push_button(
            tr("To the test set"),
            tr(
                "All scans of this patient are kept for the last measurement, "
                "and no run sees them."
            ),
        )
        self.remove_button = push_button(
            tr("Remove"),
            tr("Take this scan off the list; its files stay where they are."),
        )
        self.undo_button = push_button(tr("Undo"), tr("List the removed scan again."))
        self.undo_button.setVisible(False)
        self._removed: tuple[StudyCase, int] | None = None
        # What was imported last, and the labels from which to choose for that.
        self._imported: tuple[Path, str | None] | None = None
        self._labels: tuple[str, ...] = ()
        self.empty = EmptyState(
            tr("No study yet: a study is a folder of annotated scans to learn from.")
        )
        self.empty.add(
            tr("Make a study…"),
            tr("Name a folder for your scans and their annotations."),
            self.ask_new,
        )
        self.table = QTreeWidget()
        self.table.setToolTip(
            tr("The scans of the study, whose they are, and what they are for.")
        )
        self.message = text()
        self.next = NextCases(viewer, list_models)
        self._lay_out()
        self._connect()
        self.refresh_studies()

    def _lay_out(self) -> None:
        top = beside(self.study_box, self.new_button, self.open_button, stretch=(1,))
        self.table.setHeaderLabels(
            [tr("Case"), tr("Patient"), tr("Masks"), tr("Split")]
        )
        self.table.setRootIsDecorated(False)
        self.table.setMinimumHeight(140)
        header = self.table.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        column = QVBoxLayout(self)
        column.addWidget(self.empty)
        column.addWidget(top)
        column.addWidget(self.form)
        column.addWidget(beside(self.import_button, self.check_button))
        column.addWidget(beside(self.split_box, self.split_button, stretch=(1,)))
        column.addWidget(self.message)
        column.addWidget(self.table, 1)
        of_case = (self.ignore_button, self.test_button)
        column.addWidget(beside(*of_case, self.remove_button, self.undo_button))
        column.addWidget(self.next)

    def _connect(self) -> None:
        self.study_box.currentIndexChanged.connect(self._on_study)
        self.new_button.clicked.connect(self.ask_new)
        self.open_button.clicked.connect(self._ask_open)
        self.form.add_wanted.connect(self.add_case)
        self.import_button.clicked.connect(self._ask_import)
        self.check_button.clicked.connect(self.check)
        self.split_button.clicked.connect(self.split)
        self.next.opened.connect(self.form.choose)
        self.table.itemSelectionChanged.connect(self._check_case_buttons)
        self.ignore_button.clicked.connect(self.ignore_or_use)
        self.test_button.clicked.connect(self.move_to_test_or_back)
        self.remove_button.clicked.connect(self.remove)
        self.undo_button.clicked.connect(self.put_back)

    # --- the study

    def refresh_studies(self, select: Path | None = None) -> None:
        """List the studies known and open the chosen one."""
        studies = self._workspace.studies
        current = select or (self.study.folder if self.study else None)
        self.study_box.blockSignals(True)
        self.study_box.clear()
        for study in studies:
            self.study_box.addItem(study.name, study)
        index = studies.index(current) if current in studies else 0
        self.study_box.setCurrentIndex(index if studies else -1)
        self.study_box.blockSignals(False)
        self._on_study()

    def open_study(self, folder: Path) -> None:
        """Open a study and remember it."""
        try:
            Study.open(folder)
            self._workspace.remember(folder)
        except MicroUSError as error:
            self.say(plain_words(error))
            return
        self.refresh_studies(folder.absolute())

    def create_study(self, folder: Path) -> None:
        """Make a study in a folder, or open the one that is there."""
        try:
            if not exists(folder / "manifest.csv"):
                Study.create(folder)
        except MicroUSError as error:
            self.say(plain_words(error))
            return
        self.open_study(folder)

    def ask_new(self) -> None:
        """Ask for the folder of a new study, and make it."""
        name = QFileDialog.getSaveFileName(
            self, tr("New study: name a folder"), "study", options=_folders_only()
        )[0]
        if name:
            self.create_study(Path(name))

    def _ask_open(self) -> None:
        name = QFileDialog.getExistingDirectory(self, tr("Open a study's folder"))
        if name:
            self.open_study(Path(name))

    def _ask_import(self) -> None:
        name = QFileDialog.getExistingDirectory(
            self, tr("Folder with images and masks")
        )
        if name:
            self.import_from(Path(name))

    def _on_study(self) -> None:
        folder = self.study_box.currentData()
        if self.study is None or self.study.folder != folder:
            self._removed = None  # it was one of another study
        self.study = None
        if isinstance(folder, Path):
            try:
                self.study = Study.open(folder)
                self.say(_test_use_in_words(self.study))
            except MicroUSError as error:
                self.say(plain_words(error))
        else:
            self.say("")
        self.empty.setVisible(self.study is None)
        self._show_cases()
        self.chosen.emit(folder if self.study is not None else None)

    # --- one case

    @property
    def selected(self) -> StudyCase | None:
        """The case that is selected in the list."""
        items, study = self.table.selectedItems(), self.study
        name = items[0].text(0) if items else ""
        cases = [] if study is None else study.cases
        return next((case for case in cases if case.case == name), None)

    def ignore_or_use(self) -> None:
        """Leave the selected case out, or use it again."""
        case, study = self.selected, self.study
        if case is not None and study is not None:
            self._change(
                lambda: study.set_ignored(case.case, not case.ignore),
                tr("'{case}' is used again.").format(case=case.case)
                if case.ignore
                else tr("'{case}' is left out.").format(case=case.case),
            )

    def move_to_test_or_back(self) -> None:
        """Move the selected case's patient into the test set, or out of it."""
        case, study = self.selected, self.study
        if case is None or study is None:
            return
        is_test = case.split == "test"
        count = sum(other.patient == case.patient for other in study.cases)
        scans = "1 scan" if count == 1 else f"{count} scans"
        words = (
            f"{scans} of patient {case.patient} can be learnt from again."
            if is_test
            else f"{scans} of patient {case.patient} are in the test set."
        )
        if is_test and study.test_uses():
            words += tr(
                " The test set was opened before: figures on it no longer agree."
            )
        to = "train" if is_test else "test"
        self._change(lambda: study.move_patient(case.patient, to), words)

    def remove(self) -> None:
        """Take the selected case off the list, keeping its files."""
        case, study = self.selected, self.study
        if case is None or study is None:
            return

        def take_off() -> None:
            self._removed = study.remove(case.case)

        self._change(
            take_off,
            tr("'{case}' is off the list; its files stay. Undo brings it back.").format(
                case=case.case
            ),
        )

    def put_back(self) -> None:
        """List the case again that was removed last."""
        removed, study = self._removed, self.study
        if removed is None or study is None:
            return
        self._change(
            lambda: study.put_back(*removed),
            tr("'{case}' is back.").format(case=removed[0].case),
        )
        self._removed = None
        self._check_case_buttons()

    def _change(self, do: Callable[[], object], words: str) -> None:
        try:
            do()
        except MicroUSError as error:
            self.say(plain_words(error))
            return
        selected = self.selected
        self._show_cases()
        if selected is not None:
            found = self.table.findItems(selected.case, Qt.MatchFlag.MatchExactly, 0)
            self.table.setCurrentItem(found[0] if found else None)
        self.say(words)
        self.chosen.emit(self.study.folder if self.study is not None else None)

    def _check_case_buttons(self) -> None:
        case, is_free = self.selected, self._worker is None
        for button in (self.ignore_button, self.test_button, self.remove_button):
            button.setEnabled(case is not None and is_free)
        is_test = case is not None and case.split == "test"
        is_out = case is not None and case.ignore
        self.ignore_button.setText(tr("Use again") if is_out else tr("Ignore"))
        self.test_button.setText(
            tr("Out of the test set") if is_test else tr("To the test set")
        )
        self.undo_button.setVisible(self._removed is not None and is_free)

    def _show_cases(self) -> None:
        self.table.clear()
        self._check_case_buttons()
        study = self.study
        for button in (self.import_button, self.check_button, self.split_button):
            button.setEnabled(study is not None and self._worker is None)
        self.form.show_study(study, is_ready=self._worker is None)
        self.next.show_study(study)
        if study is None:
            return
        for case in study.cases:
            masks = [name for name in ("expert", "nonexpert") if getattr(case, name)]
            masks += list(case.annotators)
            split = "ignored" if case.ignore else case.split or "–"
            words = [case.case, case.patient, ", ".join(masks) or "none", split]
            self.table.addTopLevelItem(QTreeWidgetItem(words))

    # --- open layers

    def add_case(self) -> None:
        """Write the chosen layers into the study."""
        form, image = self.form, self.form.image
        if self.study is None or image is None:
            return
        if form.nonexpert is not None and form.nonexpert is form.expert:
            self.say(
                tr(
                    "Expert and non-expert are the same layer. Choose another "
                    "one or none."
                )
            )
            return
        if form.expert is None and (form.nonexpert is not None or form.waiting):
            self.say(
                tr(
                    "Choose the layer that the expert drew: without one there is "
                    "nothing to learn from."
                )
            )
            return
        masks = [m for m in (form.expert, form.nonexpert) if m is not None]
        self.say(tr("Writing {case} …").format(case=form.case))
        self._work(
            add_layers,
            self.study,
            form.case,
            form.patient,
            [LayerData.of(layer) for layer in (image, *masks)],
            form.pixel_mm,
        )

    def import_from(
        self, folder: Path, pattern: str | None = None, labels: Sequence[str] = ()
    ) -> None:
        """List the scans of a folder in the study; ask for a label where need be."""
        if self.study is not None:
            self.say(tr("Reading {name} …").format(name=folder.name))
            self._imported = folder, pattern
            self._work(import_cases, self.study, folder, pattern, labels)

    def _choose_labels(self) -> None:
        """Ask which of several labels is learnt, and import again."""
        labels, self._labels = self._labels, ()
        chosen = ask_labels(labels, self) if labels else []
        if chosen and self._imported is not None:
            self.import_from(*self._imported, chosen)

    def check(self) -> None:
        """Read every case and report what is wrong."""
        if self.study is not None:
            self._work(check_cases, self.study)

    def split(self) -> None:
        """Share the patients between training and validation, or among folds."""
        if self.study is None:
            return
        folds = self.split_box.currentData()
        try:
            if folds is None:
                split_study(self.study, val=0.2)
            else:
                split_in_folds(self.study, folds)
        except MicroUSError as error:
            self.say(plain_words(error))
            return
        self._show_cases()
        self.say(_split_in_words(self.study))
        self.chosen.emit(self.study.folder)

    # --- work in a thread

    def _work(self, work: Any, *args: Any) -> None:
        self._worker = start_worker(
            work,
            *args,
            yielded=self._on_event,
            returned=self._on_done,
            errored=self._on_error,
            finished=self._on_finished,
        )
        self.destroyed.connect(self._worker.forget)
        self._show_cases()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.say(f"{event.message}: {event.done} of {event.total} {event.unit}")

    def _on_done(self, words: str) -> None:
        self.say(words)
        # Each case is another scan of, as a rule, another patient.
        self.form.patient_edit.clear()

    def _on_error(self, error: Exception) -> None:
        if isinstance(error, LabelChoiceError):
            self._labels = error.labels
        is_known = isinstance(error, (MicroUSError, OSError))
        self.say(
            plain_words(error)
            if is_known
            else tr("This failed: {error}").format(error=error)
        )

    def _on_finished(self) -> None:
        self._worker = None
        self._show_cases()
        self.form.suggest()
        self.chosen.emit(self.study.folder if self.study else None)
        self._choose_labels()

    def say(self, words: str) -> None:
        """Show a sentence."""
        self.message.setText(words)
        self.message.setVisible(bool(words))


def _test_use_in_words(study: Study) -> str:
    uses = study.test_uses()
    if not uses:
        return ""
    times = "once" if len(uses) == 1 else f"{len(uses)} times"
    last = uses[-1]
    return (
        f"The test set was opened {times}, last on {str(last['time'])[:10]} for: "
        f"{last['purpose']}."
    )


def _split_in_words(study: Study) -> str:
    shared: dict[str, set[str]] = {}
    for case in study.used:
        shared.setdefault(case.split, set()).add(case.patient)
    folds = sorted((name, len(who)) for name, who in shared.items() if "fold" in name)
    if folds:
        sizes = ", ".join(str(count) for _, count in folds)
        return (
            f"{len(folds)} folds of {sizes} patients. Under Train, Advanced, Held-out "
            f"fold say which one a run validates on: 0 to {len(folds) - 1}."
        )
    held = len(shared.get("val", ()))
    return f"{held} of {len(study.patients)} patients are held out to validate on."


def _folders_only() -> Any:
    return QFileDialog.Option.ShowDirsOnly
