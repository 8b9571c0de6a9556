"""Predict which frames are hard, in a child process, and put those first."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MicroUSLib.process import Outcome, Runner
from MicroUSLib.scene.nodes import volume_from_node

if TYPE_CHECKING:
    from pathlib import Path
    from types import SimpleNamespace

    from MicroUSLib.process import RunnerMaker
    from napari_microus.core.events import Event

    from .work import Comparer, CompareWork

_NAME = "difficulty.csv"


class DifficultyPanel:
    """The button that predicts difficulty for the compared scan.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    work : CompareWork
        Shows errors and says what was done.
    comparer : Comparer
        Has the comparison whose frames and regions are put in order.
    make_runner : callable
        Makes the runner of one job.
    """

    def __init__(
        self,
        ui: SimpleNamespace,
        work: CompareWork,
        comparer: Comparer,
        make_runner: RunnerMaker = Runner,
    ) -> None:
        self._ui, self._work, self._comparer = ui, work, comparer
        self.make_runner = make_runner
        self._runner: Runner | None = None
        self._volume: slicer.vtkMRMLVolumeNode | None = None
        ui.difficultyButton.clicked.connect(self.predict)

    def refresh(self, is_free: bool) -> None:
        """Enable what can be pressed now."""
        is_running = self._runner is not None
        self._ui.difficultyButton.enabled = is_running or (
            is_free and self._comparer.found is not None
        )
        self._ui.difficultyButton.text = (
            _("Cancel the prediction")
            if is_running
            else _("Hardest frames first (predicted)")
        )

    def predict(self, *args: object) -> None:
        """Start the child, or stop the one that is at work."""
        if self._runner is not None:
            self._runner.cancel()
            return
        with self._work.doing(_("Difficulty was not predicted.")):
            self._comparer.ensure_packages()
            self._start()
        self.refresh(True)

    def _start(self) -> None:
        from napari_microus.core.io import write_volume

        parameters, found = self._comparer.parameters, self._comparer.found
        scan = volume_from_node(found.volume)
        runner = self.make_runner(self._on_event, self._on_outcome)
        write_volume(scan, runner.folder / "scan.nii")
        line = ["difficulty", str(runner.folder / "scan.nii")]
        line += ["--output", str(runner.folder / _NAME), "--progress", "json"]
        line += ["--device", parameters.device]
        if parameters.modelName:
            line += ["--model", parameters.modelName]
        runner.start(line)
        self._runner, self._volume = runner, found.volume
        self._work.say(_("Predicting difficulty …"))

    def release(self) -> None:
        """Stop the child without a word: scene or module are going away."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _on_event(self, event: Event) -> None:
        from napari_microus.core.events import Progress

        if isinstance(event, Progress):
            self._work.say(
                _("Predicting difficulty: {0} of {1} {2}").format(
                    event.done, event.total, event.unit
                )
            )

    def _on_outcome(self, outcome: Outcome) -> None:
        runner, self._runner = self._runner, None
        self.refresh(not self._work.is_busy)
        if outcome.state == "cancelled":
            self._work.say(_("Cancelled; the order is as it was."))
        elif outcome.state == "failed":
            self._work.say(outcome.message)
            slicer.util.errorDisplay(outcome.message, detailedText=outcome.log)
        else:
            self._show(_read(runner.folder / _NAME))

    def _show(self, per_frame: list[float]) -> None:
        found = self._comparer.found
        if found is None or found.volume is not self._volume:
            self._work.say(
                _("Another scan is compared now; its frames keep their order.")
            )
            return
        is_begun = self._comparer.order_by_difficulty(per_frame)
        self._work.say(
            _("The frames are in order of predicted difficulty, the regions too.")
            if not is_begun
            else _(
                "The frames are in order of predicted difficulty; the regions keep "
                "the order in which deciding was begun."
            )
        )


def _read(path: Path) -> list[float]:
    with path.open(newline="", encoding="utf-8") as file:
        return [float(row["difficulty_bits"]) for row in csv.DictReader(file)]
