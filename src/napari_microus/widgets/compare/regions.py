"""The tab in which disputed regions are adjudicated one by one."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.compare.adjudication.journal import journal_path
from napari_microus.core.compare.adjudication.session import Decision
from napari_microus.core.compare.naming import OPEN, Naming, naming_from_json
from napari_microus.core.io.writing import sidecar_of
from napari_microus.widgets._shared.controls import length_unit, text
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.compare.adjudicating import (
    Begun,
    Settling,
    begin,
    resume,
)
from napari_microus.widgets.compare.region_table import described
from napari_microus.widgets.compare.start import StartPanel
from napari_microus.widgets.compare.work_panel import KEYS, WorkPanel

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_microus.core.compare.adjudication.session import Adjudication
    from napari_microus.core.compare.adjudication.sidecar import Origin
    from napari_microus.core.compare.regions import DisputedRegion
    from napari_microus.core.events import Event
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.compare.live import LiveComparison


class RegionsTab(QWidget):
    """Find, walk through, decide, draw, save and resume.

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
        self._viewer = viewer
        self._journal_folder = journal_folder
        self._comparison: LiveComparison | None = None
        self._worker: Worker | None = None
        self._found: dict[str, Any] | None = None
        self.settling: Settling | None = None
        self.region: DisputedRegion | None = None
        self.start_panel = StartPanel()
        self.who = self.start_panel.who
        self._make_resume()
        self.work_panel = WorkPanel()
        self.message = text()
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setVisible(False)
        column = QVBoxLayout(self)
        column.addWidget(self.start_panel)
        column.addWidget(self.resume_panel)
        column.addWidget(self.message)
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

    # --- making

    def _make_resume(self) -> None:
        self.resume_panel = QWidget()
        row = QHBoxLayout(self.resume_panel)
        row.setContentsMargins(0, 0, 0, 0)
        self.resume_button = QPushButton("Resume them")
        self.again_button = QPushButton("Start over")
        row.addWidget(self.resume_button)
        row.addWidget(self.again_button)

    def _connect(self) -> None:
        self.start_panel.start_button.clicked.connect(self.start)
        self.start_panel.load_button.clicked.connect(self._ask_to_load)
        self.resume_button.clicked.connect(self._resume_found)
        self.again_button.clicked.connect(self._start_again)
        self.cancel_button.clicked.connect(self._cancel)
        panel = self.work_panel
        for act, do in self._acts().items():
            panel.buttons[act].clicked.connect(do)
        panel.table.chosen.connect(self._on_row)
        panel.limit.toggled.connect(self._on_limit)
        panel.margin.valueChanged.connect(self._on_limit)
        panel.draw_button.clicked.connect(self.draw)
        panel.provenance_check.toggled.connect(self._on_provenance)
        panel.save_button.clicked.connect(self._ask_to_save)
        panel.stop_button.clicked.connect(self.stop)

    def _acts(self) -> dict[str, Callable[..., None]]:
        return {
            "next": self.next_region,
            "previous": self.previous_region,
            "expert": self.accept_expert,
            "nonexpert": self.accept_nonexpert,
            "undecided": self.leave_undecided,
            "undo": self.undo,
        }

    # --- the comparison

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Adjudicate another comparison, or none; one in progress goes on."""
        self._comparison = comparison
        self.setEnabled(comparison is not None or self.settling is not None)
        self.start_panel.setEnabled(comparison is not None)
        if comparison is not None:
            self.show_naming()

    def show_naming(self) -> None:
        """Use the comparison's names and colours."""
        if self._comparison is None:
            return
        naming = self._comparison.naming
        if self.settling is not None:
            self.settling.show_naming(naming)
        self.work_panel.show_naming(naming)
        self._fill_table()

    # --- starting

    def start(self) -> None:
        """Find the regions in a thread."""
        comparison = self._comparison
        if comparison is None or self._worker is not None:
            return
        if comparison.is_busy:
            self.message.setText("Comparing the masks …")
            QTimer.singleShot(100, self.start)
            return
        comparison.look_again()
        self._found = None
        self._show_panels()
        self._run(
            "Finding disputed regions …",
            begin,
            comparison.live.codes,
            comparison.grid.spacing_mm,
            self.start_panel.choice(),
            self._journal_folder,
            returned=self._on_begun,
        )

    def _on_begun(self, begun: Begun) -> None:
        if begun.journal is not None:
            self._found = begun.journal
            self._fresh = begun.work
            done = sum(1 for r in begun.journal["regions"] if r["decision"])
            self.message.setText(
                f"There are unsaved decisions about these masks: {done} of "
                f"{len(begun.journal['regions'])} regions, {begun.journal['modified']}."
            )
            self._show_panels()
            return
        self._settle(begun.work, self.start_panel.choice().as_json())

    def _resume_found(self) -> None:
        assert self._found is not None  # the button is shown only then
        found, self._found = self._found, None
        self._resume(found, None)

    def _start_again(self) -> None:
        self._found = None
        self._settle(self._fresh, self.start_panel.choice().as_json())

    def load(self, path: Path) -> None:
        """Continue with the adjudication saved at ``path``, the mask or its sidecar."""
        is_sidecar = path.name.lower().endswith(".json")
        sidecar = path if is_sidecar else sidecar_of(path)
        mask = path if not is_sidecar else None
        if is_sidecar:
            endings = (".nii.gz", ".nii", ".nrrd", ".mha")
            beside = (path.with_name(path.name[:-5] + end) for end in endings)
            mask = next((p for p in beside if p.exists()), None)
        self._resume(sidecar, mask)

    def _resume(self, source: Path | dict[str, Any], mask: Path | None) -> None:
        comparison = self._comparison
        if comparison is None or self._worker is not None:
            return
        if comparison.is_busy:
            self.message.setText("Comparing the masks …")
            QTimer.singleShot(100, functools.partial(self._resume, source, mask))
            return
        comparison.look_again()
        self._run(
            "Loading …",
            resume,
            source,
            comparison.live.codes,
            mask,
            returned=self._on_resumed,
        )

    def _on_resumed(self, result: tuple[Adjudication, Origin, str | None]) -> None:
        work, origin, changed = result
        self.who.setText(self.who.text() or work.who)
        work.who = self.who.text()
        naming = naming_from_json(origin.settings.get("blind", {}))
        if naming.is_blind:
            self.naming_loaded.emit(naming)
        self._settle(work, origin.settings)
        if changed is not None:
            self.message.setText(changed)

    def _settle(self, work: Adjudication, settings: dict[str, Any]) -> None:
        comparison = self._comparison
        if comparison is None:
            return
        self._let_go()
        self.settling = Settling(
            comparison, work, self._journal(comparison, work), settings
        )
        self.settling.changed.connect(self._refresh)
        self.settling.said.connect(self.message.setText)
        self.settling.ended.connect(self._on_ended)
        self._on_limit()
        self._on_provenance()
        self._bind_keys(True)
        self.message.clear()
        if not work.regions:
            self.message.setText(
                "The masks are identical: there is nothing to adjudicate."
            )
        self.show_naming()
        self._show_panels()
        self._refresh()
        self.next_region()

    # --- walking

    def next_region(self, viewer: Any = None) -> None:
        """Go to the next region without a decision, else to the next one."""
        if self.settling is None:
            return
        number_now = self.region.number if self.region else 0
        region = self.settling.work.next_open(number_now)
        if region is None:
            self._step(+1)
        else:
            self.show_region(region)

    def previous_region(self, viewer: Any = None) -> None:
        """Go to the region before this one."""
        self._step(-1)

    def _step(self, by: int) -> None:
        if self.settling is None or not self.settling.work.regions:
            return
        regions = self.settling.work.regions
        index = self.region.number - 1 + by if self.region else 0
        self.show_region(regions[index % len(regions)])

    def show_region(self, region: DisputedRegion) -> None:
        """Bring a region into view and describe it."""
        if self.settling is None:
            return
        self.region = region
        self.settling.look_at(region)
        self._refresh()

    # --- deciding

    def accept_expert(self, viewer: Any = None) -> None:
        """Give the region to the annotator who comes first."""
        self._decide(Decision.expert, Decision.nonexpert)

    def accept_nonexpert(self, viewer: Any = None) -> None:
        """Give the region to the annotator who comes second."""
        self._decide(Decision.nonexpert, Decision.expert)

    def leave_undecided(self, viewer: Any = None) -> None:
        """Leave the region open; losses and metrics will ignore it."""
        self._decide(Decision.undecided, Decision.undecided)

    def _decide(self, decision: Decision, swapped: Decision) -> None:
        if self.settling is None or self.region is None or self._worker is not None:
            return
        self.settling.work.who = self.who.text().strip()
        is_swapped = self._comparison is not None and self._comparison.naming.is_swapped
        self.settling.decide(self.region, swapped if is_swapped else decision)
        if self.settling.work.next_open() is not None:
            self.next_region()

    def undo(self, viewer: Any = None) -> None:
        """Undo the last decision and go to its region."""
        if self.settling is None or self._worker is not None:
            return
        region = self.settling.undo()
        if region is None:
            self.message.setText("There is no decision to undo.")
        else:
            self.show_region(region)

    def draw(self) -> None:
        """Take the brush on the adjudicated layer."""
        if self.settling is None:
            return
        layer = self.settling.layer
        self._viewer.layers.selection.active = layer
        layer.selected_label = 1
        layer.mode = "paint"

    # --- saving

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write mask, provenance and sidecar in a thread."""
        if self.settling is None or self._worker is not None:
            return
        self.settling.work.who = self.who.text().strip()
        self.settling.layer.editable = False
        self._run(
            "Saving …", self.settling.save, path, overwrite, returned=self._on_saved
        )

    def _on_saved(self, paths: tuple[Path, Path, Path]) -> None:
        assert self.settling is not None  # saving needs one
        self.settling.is_saved = True
        names = ", ".join(path.name for path in paths)
        self.message.setText(f"Saved {names} in {paths[0].parent}.")
        self.saved.emit()

    def stop(self) -> None:
        """Stop adjudicating; the layers stay."""
        saved = self.settling is None or self.settling.is_saved
        self._let_go()
        self.message.setText(
            ""
            if saved
            else "Stopped. The decisions are kept: press Start to take them up again."
        )
        self._show_panels()

    def close_down(self) -> None:
        """Let go of the viewer: the dock is going away."""
        if self._worker is not None:
            self._worker.forget()
            self._worker = None
        self._let_go()

    # --- inside

    def _journal(self, comparison: LiveComparison, work: Adjudication) -> Path:
        return journal_path(
            work.digest,
            work.codes.shape,
            comparison.grid.spacing_mm,
            self._journal_folder,
        )

    def _let_go(self) -> None:
        if self.settling is not None:
            self.settling.close()
            self.settling = None
        self.region = None
        self._bind_keys(False)

    def _on_ended(self, reason: str) -> None:
        self._let_go()
        self.message.setText(reason)
        self._show_panels()

    def _bind_keys(self, bound: bool) -> None:
        acts = self._acts()
        for act, key in KEYS.items():
            self._viewer.bind_key(key, acts[act] if bound else None, overwrite=True)

    def _show_panels(self) -> None:
        self.start_panel.setVisible(self.settling is None and self._found is None)
        self.resume_panel.setVisible(self._found is not None)
        self.work_panel.setVisible(self.settling is not None)

    def _run(self, what: str, work: Any, *args: Any, returned: Any) -> None:
        self.message.setText(what)
        for panel in (self.start_panel, self.work_panel):
            panel.setEnabled(False)
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
        self.message.setText("Cancelled. Nothing was changed.")

    def _on_progress(self, event: Event) -> None:
        done, total = getattr(event, "done", 0), getattr(event, "total", 0)
        if total:
            self.cancel_button.setVisible(True)
            self.message.setText(f"Finding disputed regions … frame {done} of {total}")

    def _on_error(self, error: Exception) -> None:
        self.message.setText(str(error))
        self.failed.emit(str(error))

    def _on_finished(self) -> None:
        self._worker = None
        self.cancel_button.setVisible(False)
        if self.message.text().endswith("…") or "… frame" in self.message.text():
            self.message.clear()
        self.start_panel.setEnabled(self._comparison is not None)
        self.work_panel.setEnabled(True)
        if self.settling is not None:
            self.settling.layer.editable = True

    def _on_limit(self, _: Any = None) -> None:
        if self.settling is not None:
            self.settling.margin_px = self.work_panel.margin_px

    def _on_provenance(self, _: Any = None) -> None:
        if self.settling is not None:
            shown = self.work_panel.provenance_check.isChecked()
            self.settling.provenance_layer.visible = shown

    def _on_row(self, row: int) -> None:
        if self.settling is not None:
            self.show_region(self.settling.work.regions[row])

    # --- showing

    def _naming(self) -> Naming:
        return self._comparison.naming if self._comparison is not None else OPEN

    def _fill_table(self) -> None:
        if self.settling is not None:
            unit = length_unit(self.settling.grid)
            self.work_panel.table.fill(self.settling.work, self._naming(), unit)

    def _refresh(self) -> None:
        if self.settling is None:
            return
        work, panel = self.settling.work, self.work_panel
        panel.table.show_decisions(work, self._naming())
        panel.show_progress(work.settled, len(work.regions))
        if self.region is not None:
            panel.table.selectRow(self.region.number - 1)
            unit = length_unit(self.settling.grid)
            total = len(work.regions)
            panel.place.setText(described(self.region, total, self._naming(), unit))
        else:
            panel.place.clear()

    def _ask_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the adjudicated mask", "adjudicated.nii.gz", "NIfTI (*.nii.gz)"
        )
        if path.endswith((".nii.gz", ".nii")):
            self.save(Path(path), overwrite=True)  # the dialog has asked
        elif path:
            self.save(Path(f"{path}.nii.gz"))

    def _ask_to_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self,
            "Load an adjudication",
            filter="Adjudications (*.json *.nii.gz *.nii);;All files (*)",
        )
        if path:
            self.load(Path(path))
