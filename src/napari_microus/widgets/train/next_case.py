"""Which scan to annotate next: those that wait, ranked by what a model doubts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QGroupBox,
    QHeaderView,
    QProgressBar,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
)

from napari_microus.core import colors
from napari_microus.core.errors import ConfigError, MicroUSError, plain_words
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import beside, push_button, text
from napari_microus.widgets._shared.layers import layer_arguments, tint
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.components import ViewerModel
    from qtpy.QtWidgets import QWidget

    from napari_microus.core.library import ModelInfo
    from napari_microus.core.next_case import RankedCase
    from napari_microus.core.study import Study, StudyCase
    from napari_microus.core.volume import Volume
    from napari_microus.widgets._shared.worker import Worker

_FOUND = Qt.ItemDataRole.UserRole
_HINT = "Double-click a scan to open it at its most doubtful frame and draw."


class NextCases(QGroupBox):
    """The scans of a study without annotation, the most instructive one first.

    Parameters
    ----------
    viewer : ViewerModel
        Opens a scan with an empty annotation.
    list_models : callable
        `core.library.list_models`.
    """

    opened = Signal(object, object)

    def __init__(
        self,
        viewer: ViewerModel,
        list_models: Callable[[], list[ModelInfo]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(tr("Next to annotate"), parent)
        self._viewer = viewer
        self._list_models = list_models
        self._study: Study | None = None
        self._worker: Worker | None = None
        self._left_out: list[str] = []
        self._has_reported = False  # something that stays until the next ranking
        self.ranked: list[RankedCase] = []
        self.model_box = combo(tr("The model whose doubts decide."))
        self.rank_button = push_button(
            tr("Rank"),
            tr(
                "Look at the scans without an annotation and list them by how "
                "much the model is uncertain and two annotators would differ. "
                "The test set is left alone."
            ),
        )
        self.bar = QProgressBar()
        self.table = QTreeWidget()
        self.table.setToolTip(tr("Scans that wait, the most useful to annotate first."))
        self.message = text()
        self._lay_out()
        self.rank_button.clicked.connect(self.rank_or_cancel)
        self.table.itemDoubleClicked.connect(self._on_double_click)
        self._refresh()

    def _lay_out(self) -> None:
        self.bar.setVisible(False)
        self.table.setVisible(False)
        self.table.setHeaderLabels(
            [tr("Case"), tr("Uncertainty"), tr("Differ by"), tr("Frame")]
        )
        tips = (
            tr("Name of the scan."),
            tr(
                "Mean entropy along the boundary the model draws, in bits: 1 is "
                "a coin flip."
            ),
            tr("Share of the capsule on which two annotators are expected to differ."),
            tr("The most uncertain frame."),
        )
        for column, tip in enumerate(tips):
            self.table.headerItem().setToolTip(column, tip)
        self.table.setRootIsDecorated(False)
        self.table.setMinimumHeight(110)
        header = self.table.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        layout = QVBoxLayout(self)
        layout.addWidget(beside(self.model_box, self.rank_button, stretch=(1,)))
        layout.addWidget(self.bar)
        layout.addWidget(self.message)
        layout.addWidget(self.table)

    # --- what there is to rank

    def show_study(self, study: Study | None) -> None:
        """Rank the scans of another study, or of one that has changed."""
        if study is None or self._study is None or study.folder != self._study.folder:
            self._show_ranking([])
            self._has_reported = False
        self._study = study
        still = {case.case for case in self._waiting()}
        if any(found.case.case not in still for found in self.ranked):
            self._show_ranking([f for f in self.ranked if f.case.case in still])
        self._refresh()

    def _waiting(self) -> list[StudyCase]:
        cases = [] if self._study is None else self._study.used
        return [case for case in cases if not case.expert and case.split != "test"]

    def _refresh(self) -> None:
        self._fill_models()
        count = len(self._waiting())
        is_busy = self._worker is not None
        can_rank = count > 0 and self.model_box.count() > 0
        self.rank_button.setEnabled(is_busy or can_rank)
        self.rank_button.setText(tr("Cancel") if is_busy else tr("Rank"))
        if is_busy or self.ranked or self._has_reported:
            return
        if self._study is None or not self._study.cases:
            self.say("")
        elif not count:
            self.say(
                tr(
                    "Every scan is annotated. Import further ones, or add an "
                    "open scan without an annotation."
                )
            )
        else:
            waits = "1 scan waits" if count == 1 else f"{count} scans wait"
            self.say(f"{waits} to be annotated.")

    def _fill_models(self) -> None:
        chosen = self.model_box.currentText()
        self.model_box.clear()
        names = [model.name for model in self._list_models() if not model.problem]
        self.model_box.addItems(names)
        if chosen in names:
            self.model_box.setCurrentText(chosen)

    # --- ranking

    def rank_or_cancel(self) -> None:
        """Rank the scans that wait; a second click cancels."""
        if self._worker is not None:
            self._worker.quit()
            self.rank_button.setEnabled(False)
            return
        if self._study is None:
            return
        self._left_out, self._has_reported = [], False
        self.bar.setRange(0, 0)
        self.bar.setFormat(tr("Loading the model"))
        self.bar.setVisible(True)
        self.say("")
        self._start(
            _rank, self._study, self.model_box.currentText(), returned=self._on_ranked
        )

    def _start(self, work: Any, *args: Any, returned: Callable[[Any], None]) -> None:
        self._worker = start_worker(
            work,
            *args,
            yielded=self._on_event,
            returned=returned,
            errored=self._on_error,
            aborted=self._on_aborted,
            finished=self._on_finished,
        )
        self.destroyed.connect(self._worker.forget)
        self._refresh()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._left_out.append(event.message)
        elif isinstance(event, Progress) and event.unit == "cases":
            self.bar.setRange(0, event.total)
            self.bar.setValue(event.done)
            self.bar.setFormat(f"{event.done} of {event.total} scans")

    def _on_ranked(self, ranked: list[RankedCase]) -> None:
        self._show_ranking(ranked)
        self.say("\n".join([_HINT, *self._left_out]))

    def _show_ranking(self, ranked: list[RankedCase]) -> None:
        self.ranked = ranked
        self.table.clear()
        for found in ranked:
            words = [
                found.case.case,
                f"{found.uncertainty:.2f}",
                f"{found.disagreement:.0%}",
                str(found.frame),
            ]
            item = QTreeWidgetItem(words)
            item.setData(0, _FOUND, found)
            self.table.addTopLevelItem(item)
        self.table.setVisible(bool(ranked))

    def _on_error(self, error: Exception) -> None:
        is_known = isinstance(error, (MicroUSError, OSError))
        self.say(
            plain_words(error)
            if is_known
            else tr("This failed: {error}").format(error=error)
        )
        self._has_reported = True

    def _on_aborted(self) -> None:
        self.say(tr("Cancelled."))
        self._has_reported = True

    def _on_finished(self) -> None:
        self._worker = None
        self.bar.setVisible(False)
        self._refresh()

    # --- opening

    def _on_double_click(self, item: QTreeWidgetItem, _: int = 0) -> None:
        found: RankedCase = item.data(0, _FOUND)
        self.open_scan(found)

    def open_scan(self, found: RankedCase) -> None:
        """Open a scan with an empty annotation, at its most doubtful frame."""
        if self._worker is None and self._study is not None:
            self.say(tr("Opening {name} …").format(name=found.case.case))
            self._start(_read, self._study, found, returned=self._on_read)

    def _on_read(self, read: tuple[RankedCase, Volume]) -> None:
        found, scan = read
        name = found.case.case
        place = layer_arguments(scan)
        image = self._viewer.add_image(scan.array, name=name, **place)
        empty = np.zeros(scan.shape, np.uint8)
        look = tint(colors.EXPERT)
        drawn = self._viewer.add_labels(empty, name=f"{name} expert", **look, **place)
        drawn.selected_label = 1
        self._viewer.layers.selection = {drawn}
        self._viewer.reset_view()  # it may lie elsewhere than what was shown
        where = image.data_to_world((found.frame,) + (0,) * (image.ndim - 1))[0]
        self._viewer.dims.set_point(self._viewer.dims.ndim - image.ndim, where)
        self.say(
            f"Draw the capsule in '{drawn.name}', then save the annotation above. "
            f"The model doubts frame {found.frame} most."
        )
        self.opened.emit(image, drawn)

    def say(self, words: str) -> None:
        """Show a sentence."""
        self.message.setText(words)
        self.message.setVisible(bool(words))


def _rank(study: Study, name: str) -> Generator[Event, None, list[RankedCase]]:
    from napari_microus.core.library import load_model
    from napari_microus.core.next_case import next_cases
    from napari_microus.core.preload import import_torch

    if not name:
        raise ConfigError(
            "A model must rank the scans; got none. Train one, or import one.",
            plain=(
                "There is no model to rank the scans with. Train one, or import one."
            ),
        )
    import_torch()
    return (yield from next_cases(study, load_model(name)))


def _read(
    study: Study, found: RankedCase
) -> Generator[Event, None, tuple[RankedCase, Volume]]:
    yield Progress(0, 1, "files", tr("Opening"))
    return found, study.read_scan(found.case)
