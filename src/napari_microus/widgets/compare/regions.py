"""The tab in which disputed regions are adjudicated one by one."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.compare.adjudication.opening import (
    Begun,
    Resumed,
    begin,
    resume,
    unsaved_text,
)
from napari_microus.core.compare.adjudication.resuming import check_resumes
from napari_microus.core.compare.adjudication.votes import vote_map
from napari_microus.core.compare.naming import OPEN, Naming, naming_from_json
from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.mask import as_mask
from napari_microus.widgets._shared.controls import push_button, text
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.compare.acts import Acts
from napari_microus.widgets.compare.adjudicating import AdjudicationLayers, More
from napari_microus.widgets.compare.start import StartPanel
from napari_microus.widgets.compare.work_panel import WorkPanel

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_microus.core.compare.adjudication.journal import Journal
    from napari_microus.core.compare.adjudication.session import Adjudication
    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.compare.live import LiveComparison


class RegionsTab(QWidget):
    """Find regions, begin or continue, decide, save.

    Parameters
    ----------
    viewer : ViewerModel
        Where the keys work and the layers go.
    journal_folder : Path, optional
        Where journals lie; None takes the user's state folder.
    """

    saved = Signal()
    failed = Signal(str)
    naming_loaded = Signal(object)

    def __init__(
        self,
        viewer: ViewerModel,
        journal_folder: Path | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._journal_folder = journal_folder
        self._comparison: LiveComparison | None = None
        self._worker: Worker | None = None
        self._found: Begun | None = None
        self._left: tuple[AdjudicationLayers, str] | None = None
        self.shown: AdjudicationLayers | None = None
        self.start_panel = StartPanel(viewer)
        self.who = self.start_panel.who
        self._make_resume()
        self.work_panel = WorkPanel()
        self.acts = Acts(self.work_panel)
        self.acts.who = lambda: self.who.text().strip()
        self.message = text()
        self.cancel_button = push_button(
            tr("Cancel"), tr("End the search for regions; nothing is changed.")
        )
        self.cancel_button.setVisible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.start_panel)
        column.addWidget(self.message)
        column.addWidget(self.resume_panel)
        column.addWidget(self.cancel_button)
        column.addWidget(self.work_panel, 1)
        column.addStretch()
        self._connect()
        self._show_panels()
        self.setEnabled(False)

    @property
    def is_working(self) -> bool:
        """True while regions are found, loaded or saved."""
        return self._worker is not None

    def _make_resume(self) -> None:
        self.resume_panel = QWidget()
        row = QHBoxLayout(self.resume_panel)
        row.setContentsMargins(0, 0, 0, 0)
        self.resume_button = push_button(
            tr("Resume"), tr("Continue with the decisions of last time.")
        )
        self.again_button = push_button(
            tr("Start over"),
            tr("Begin without them. They are replaced with your first decision."),
        )
        row.addWidget(self.resume_button)
        row.addWidget(self.again_button)

    def _connect(self) -> None:
        self.start_panel.start_button.clicked.connect(self.start)
        self.start_panel.load_button.clicked.connect(self._ask_to_load)
        self.resume_button.clicked.connect(self._resume_found)
        self.again_button.clicked.connect(self._start_again)
        self.cancel_button.clicked.connect(self._cancel)
        self.acts.said.connect(self.message.setText)
        panel = self.work_panel
        panel.limit.toggled.connect(self._on_limit)
        panel.margin.valueChanged.connect(self._on_limit)
        panel.provenance_check.toggled.connect(self._on_provenance)
        panel.save_button.clicked.connect(self._ask_to_save)
        panel.stop_button.clicked.connect(self.stop)

    # --- the comparison

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Adjudicate another comparison, or none; one in progress continues.

        What is being found or loaded, or was found, belongs to the comparison before.
        """
        if self.shown is None:
            self._forget_work()
            self._found = None
            self._show_panels()
        self._comparison = comparison
        self.setEnabled(comparison is not None or self.shown is not None)
        self.start_panel.set_comparison(comparison)
        if comparison is not None:
            self.show_naming()

    def show_naming(self) -> None:
        """Use the comparison's names and colours."""
        if self._comparison is None:
            return
        naming = self._comparison.naming
        self.start_panel.refresh()
        if self.shown is not None:
            self.shown.show_naming(naming)
        self.acts.show_naming(naming)

    # --- starting

    def start(self) -> None:
        """Find the regions in a thread."""
        comparison = self._ready(self.start)
        if comparison is None:
            return
        self._found = None
        self._show_panels()
        more = self.start_panel.more()
        self._run(
            tr("Finding disputed regions …"),
            _begun,
            functools.partial(_codes_of, comparison, more),
            comparison.grid,
            self.start_panel.choice(),
            2 + len(more.layers),
            self._journal_folder,
            returned=self._on_begun,
        )

    def _forget_work(self) -> None:
        if self._worker is not None:
            self._worker.forget()
            self._on_finished()

    def _ready(self, again: Callable[[], None]) -> LiveComparison | None:
        """Return the comparison once it is up to date; else ask again soon."""
        comparison = self._comparison
        if comparison is None or self._worker is not None:
            return None
        if comparison.is_busy:
            self.message.setText(tr("Comparing the masks …"))
            QTimer.singleShot(100, again)
            return None
        comparison.look_again()
        return comparison

    def _on_begun(self, begun: Begun) -> None:
        if begun.unsaved is not None:
            self._found = begun
            self.message.setText(unsaved_text(begun.unsaved))
            self._show_panels()
            return
        self._adjudicate(begun.work, begun.journal, self.start_panel.choice().as_json())

    def _resume_found(self) -> None:
        assert self._found is not None  # the button is shown only then
        found, self._found = self._found, None
        assert found.unsaved is not None
        self._resume(found.unsaved)

    def _start_again(self) -> None:
        assert self._found is not None  # the button is shown only then
        found, self._found = self._found, None
        self._adjudicate(found.work, found.journal, self.start_panel.choice().as_json())

    def load(self, path: Path) -> None:
        """Continue with the adjudication saved at ``path``, the mask or its sidecar."""
        self._resume(path)

    def _resume(self, source: Path | dict[str, Any]) -> None:
        comparison = self._ready(functools.partial(self._resume, source))
        if comparison is None:
            return
        more = self.start_panel.more()
        self._run(
            tr("Loading …"),
            _resumed,
            source,
            functools.partial(_codes_of, comparison, more),
            comparison.grid,
            2 + len(more.layers),
            self._journal_folder,
            returned=self._on_resumed,
        )

    def _on_resumed(self, found: Resumed) -> None:
        self.who.setText(self.who.text() or found.work.who)
        found.work.who = self.who.text()
        naming = naming_from_json(found.origin.settings.get("blind", {}))
        if naming.is_blind:
            self.naming_loaded.emit(naming)
        self._adjudicate(found.work, found.journal, found.origin.settings)
        if found.notice:
            self.message.setText(found.notice)

    def _adjudicate(
        self, work: Adjudication, journal: Journal, settings: dict[str, Any]
    ) -> None:
        comparison = self._comparison
        if comparison is None:
            return
        self._release()
        try:
            journal.lock()
        except MicroUSError as error:
            self.message.setText(plain_words(error))
            self._show_panels()
            return
        self._take_away_left(comparison)
        self.shown = AdjudicationLayers(
            comparison, work, journal, settings, self.start_panel.more()
        )
        self.shown.said.connect(self.message.setText)
        self.shown.ended.connect(self._on_ended)
        self.acts.take(self.shown)
        self._on_limit()
        self._on_provenance()
        self.message.clear()
        if not work.regions:
            self.message.setText(
                tr("The masks are identical: there is nothing to adjudicate.")
            )
        self.show_naming()
        self._show_panels()
        self.acts.next_region()

    # --- saving

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write mask, provenance and sidecar in a thread."""
        if self.shown is None or self._worker is not None:
            return
        shown = self.shown
        shown.work.who = self.who.text().strip()
        try:
            check_resumes(shown.work, path, shown.names)
        except MicroUSError as error:
            self.message.setText(plain_words(error))
            return
        shown.layer.editable = False
        self._run(tr("Saving …"), shown.save, path, overwrite, returned=self._on_saved)

    def _on_saved(self, paths: Sequence[Path]) -> None:
        assert self.shown is not None  # saving needs one
        self.shown.is_saved = True
        self.saved.emit()
        names = ", ".join(path.name for path in paths)
        self.message.setText(f"Saved {names} in {paths[0].parent}.")

    def stop(self) -> None:
        """Stop adjudicating; the layers stay."""
        shown = self.shown
        self._release()
        if shown is not None and not shown.is_saved and shown.keeper.is_kept:
            self.message.setText(
                tr("Stopped. The decisions are kept: press Start to resume them.")
            )
        elif shown is None or shown.is_saved:
            self.message.clear()
        self._show_panels()

    def close_down(self) -> None:
        """Let go of the viewer: the dock is going away."""
        self._forget_work()
        self._release()

    # --- inside

    def _release(self) -> None:
        if self.shown is not None:
            self.acts.release()
            self.shown.close()
            if self.shown.is_saved or self.shown.keeper.is_kept:
                self._left = (self.shown, _state_of(self.shown))
            self.shown = None

    def _take_away_left(self, comparison: LiveComparison) -> None:
        """Remove layers of before, whose decisions are kept, where they are as left."""
        if self._left is not None:
            left, state = self._left
            is_same = left.masks[0] is comparison.pair.expert
            if is_same and _state_of(left) == state:
                left.remove_layers()
        self._left = None

    def _on_ended(self, reason: str) -> None:
        shown = self.shown
        self._release()
        kept = shown is None or shown.is_saved or shown.keeper.is_kept
        self._left = None
        more = tr(" Decisions are kept: press Start to resume them.") if kept else ""
        self.message.setText(f"{reason}{more}")
        self._show_panels()

    def _show_panels(self) -> None:
        self.start_panel.setVisible(self.shown is None and self._found is None)
        self.resume_panel.setVisible(self._found is not None)
        self.work_panel.setVisible(self.shown is not None)

    def _run(self, what: str, work: Any, *args: Any, returned: Any) -> None:
        self.message.setText(what)
        self._what = what
        for panel in (self.start_panel, self.work_panel):
            panel.setEnabled(False)
        self.acts.is_locked = True
        self._worker = start_worker(
            work,
            *args,
            yielded=self._on_progress,
            returned=returned,
            errored=self._on_error,
            aborted=self._on_aborted,
            finished=self._on_finished,
        )
        # Before the first yield there is nothing worth a button.
        self.cancel_button.setEnabled(True)

    def _cancel(self) -> None:
        if self._worker is not None:
            self.cancel_button.setEnabled(False)
            self._worker.quit()

    def _on_aborted(self) -> None:
        self.message.setText(tr("Cancelled. Nothing was changed."))

    def _on_progress(self, event: Event) -> None:
        done, total = getattr(event, "done", 0), getattr(event, "total", 0)
        if total:
            self.cancel_button.setVisible(self._what != "Saving …")
            said = getattr(event, "message", "") or self._what.removesuffix(" …")
            unit = getattr(event, "unit", "frames") or "frames"
            self.message.setText(f"{said} … {done} of {total} {unit}")

    def _on_error(self, error: Exception) -> None:
        self.message.setText(plain_words(error))
        self.failed.emit(plain_words(error))

    def _on_finished(self) -> None:
        self._worker = None
        self.cancel_button.setVisible(False)
        if "…" in self.message.text():
            self.message.clear()
        self.start_panel.setEnabled(self._comparison is not None)
        self.work_panel.setEnabled(True)
        self.acts.is_locked = False
        if self.shown is not None:
            self.shown.layer.editable = True

    def _on_limit(self, _: Any = None) -> None:
        if self.shown is not None:
            self.shown.margin_px = self.work_panel.margin_px

    def _on_provenance(self, _: Any = None) -> None:
        if self.shown is not None:
            is_shown = self.work_panel.provenance_check.isChecked()
            self.shown.provenance_layer.visible = is_shown

    def naming(self) -> Naming:
        """Return what the annotators are called now."""
        return self._comparison.naming if self._comparison is not None else OPEN

    def _ask_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self,
            tr("Save the adjudicated mask"),
            "adjudicated.nii.gz",
            "NIfTI (*.nii.gz)",
        )
        if path.endswith((".nii.gz", ".nii")):
            self.save(Path(path), overwrite=True)  # the dialog has asked
        elif path:
            self.save(Path(f"{path}.nii.gz"))

    def _ask_to_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self,
            tr("Load an adjudication"),
            filter=tr("Adjudications (*.json *.nii.gz *.nii);;All files (*)"),
        )
        if path:
            self.load(Path(path))


def _codes_of(comparison: LiveComparison, more: More) -> NDArray[np.uint8]:
    """Return the map to adjudicate, (Z, Y, X); run it in a thread."""
    codes = comparison.live.codes
    if more.layers:
        pair = comparison.pair
        layers = (pair.expert, pair.nonexpert, *more.layers)
        values: tuple[int | None, ...] = (pair.expert_value, pair.nonexpert_value)
        values += (None,) * len(more.layers)
        codes = vote_map(
            [
                as_mask(np.asarray(layer.data), value, name=f"'{layer.name}'")
                for layer, value in zip(layers, values, strict=True)
            ]
        )
    return codes if codes.ndim == 3 else codes[None]


def _begun(
    codes: Callable[[], NDArray[np.uint8]],
    grid: Volume,
    choice: Any,
    annotators: int,
    journals: Path | None,
) -> Generator[Event, None, Begun]:
    return (
        yield from begin(
            codes(), grid, choice, annotators=annotators, journals=journals
        )
    )


def _resumed(
    source: Path | dict[str, Any],
    codes: Callable[[], NDArray[np.uint8]],
    grid: Volume,
    annotators: int,
    journals: Path | None,
) -> Generator[Event, None, Resumed]:
    return (
        yield from resume(
            source, codes(), grid, annotators=annotators, journals=journals
        )
    )


def _state_of(shown: AdjudicationLayers) -> str:
    """Return what shows whether the adjudicated layer was changed since."""
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(shown.layer.data).data).hexdigest()
