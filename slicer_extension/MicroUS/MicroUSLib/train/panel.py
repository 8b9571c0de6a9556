"""The part *Train*: a study goes in, a model for *Segment* comes out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from MicroUSLib.combo_boxes import chosen
from MicroUSLib.event_pump import EventPump, ignore
from MicroUSLib.failure import shown_plainly
from MicroUSLib.process import Outcome, Runner

from . import command, studies
from .run_watch import RunWatch, epochs_of
from .runs_table import RunsList

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    from MicroUSLib.parameters import MicroUSParameterNode
    from MicroUSLib.process import RunnerMaker
    from napari_microus.core.events import Event
    from napari_microus.core.runs.folder import RunStatus

# Beside the library's models; the keys go to `command.arguments`.
_FRESH = {
    "": _("random weights, the preset's network"),
    f"{command.NETWORK}small": _("random weights, small network"),
    f"{command.NETWORK}base": _("random weights, base network"),
}
_PRESET = "best"


class TrainPanel:
    """Ties the widgets of *Train* to the child process that trains.

    Training continues when the scene is closed: it reads the study's files, not the
    scene. Only its curves end with their scene.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    ensure_packages : callable
        Installs what is missing, or raises.
    annotated_case : callable
        Gives scan, expert and non-expert (or None) as volumes of the core; given
        what to call between two steps.
    make_runner : callable
        Makes the runner of one run.
    """

    def __init__(
        self,
        ui: SimpleNamespace,
        ensure_packages: Callable[[], Any],
        annotated_case: Callable[[Callable[[Event], None]], Any],
        make_runner: RunnerMaker = Runner,
    ) -> None:
        self._ui = ui
        self._ensure_packages = ensure_packages
        self._annotated_case = annotated_case
        self._make_runner = make_runner
        self._runner: Runner | None = None
        self._watch: RunWatch | None = None
        self._adding: Runner | None = None
        self._added = ""
        self._run: Path | None = None
        self._is_pausing = False
        self._runs = RunsList(ui.runsTable)
        self._curves: command.Curves | None = None
        self._model_trained: Callable[[str], None] = _ignore
        self.parameters: MicroUSParameterNode | None = None
        ui.trainButton.clicked.connect(self.start)
        ui.stopButton.clicked.connect(self.stop)
        ui.pauseButton.clicked.connect(self.pause_or_go_on)
        ui.watchRunButton.clicked.connect(self.watch)
        ui.resumeRunButton.clicked.connect(self.resume)
        ui.runsTable.itemSelectionChanged.connect(self._refresh_buttons)
        ui.addCaseButton.clicked.connect(self.add_case)
        ui.studyPathLineEdit.currentPathChanged.connect(self.refresh)
        ui.trainSection.contentsCollapsed.connect(self._fill)

    @property
    def is_running(self) -> bool:
        """Whether a run is followed: one of our child, or one that is watched."""
        return self._runner is not None or self._watch is not None

    def call_when_trained(self, model_trained: Callable[[str], None]) -> None:
        """Call ``model_trained`` with the name of each finished model."""
        self._model_trained = model_trained

    def use(self, parameters: MicroUSParameterNode | None) -> None:
        """Work on these choices from now on; None while the module is not shown."""
        self.parameters = parameters
        self._fill()
        self.refresh()

    def _fill(self, *args: object) -> None:
        """List presets and models, once the packages are there."""
        try:
            from napari_microus.core.config.presets import preset_names
            from napari_microus.core.library import list_models
        except ImportError:
            return
        presets, starts = self._ui.presetComboBox, self._ui.startComboBox
        if presets.count == 0:
            presets.addItems(preset_names())
            presets.currentText = _PRESET
        chosen = starts.currentText
        starts.clear()
        for key, words in _FRESH.items():
            starts.addItem(words, key)
        for model in list_models():
            if not model.problem:
                starts.addItem(model.name, model.name)
        starts.currentIndex = max(0, starts.findText(chosen))

    def refresh(self, *args: object) -> None:
        """Show what is in the study, list its runs, and enable what can be pressed."""
        path = self._ui.studyPathLineEdit.currentPath
        self._ui.studyLabel.text = studies.describe(path) if path else ""
        self._runs.fill(path)
        if self._runs.alive and not self.is_running:
            self._say(
                _(
                    "'{0}' is being trained. Choose it in the list and press "
                    "Watch to see its curves."
                ).format(self._runs.alive)
            )
        self._refresh_buttons()

    def _refresh_buttons(self) -> None:
        ui, is_free, run = self._ui, not self.is_running, self._runs.chosen
        ui.trainButton.enabled = is_free
        ui.addCaseButton.enabled = self._adding is None
        ui.stopButton.enabled = not is_free
        ui.pauseButton.enabled = not is_free
        ui.pauseButton.text = _("Continue") if self._is_pausing else _("Pause")
        ui.trainProgressBar.visible = not is_free
        ui.watchRunButton.enabled = is_free and run is not None
        ui.resumeRunButton.enabled = (
            is_free and run is not None and not run.is_alive and run.state != "finished"
        )

    def add_case(self, *args: object) -> None:
        """Copy the scan and the chosen annotations into the study."""
        with shown_plainly(_("The case was not added.")):
            self._ensure_packages()
            study = self._study()
            turns = EventPump(lambda *_: None)
            adding = self._make_runner(ignore, self._on_added)
            self._adding = adding
            self._refresh_buttons()
            try:
                scan, expert, nonexpert = self._annotated_case(turns)
                volumes = {"image": scan, "expert": expert, "nonexpert": nonexpert}
                patient = self._ui.patientLineEdit.text.strip()
                self._added, line = studies.addition(
                    study, volumes, patient, adding.folder, turns
                )
                adding.start(line)
            except BaseException:
                self._adding = None
                self._refresh_buttons()
                raise
            self._say(_("Adding '{0}' …").format(self._added))

    def _on_added(self, outcome: Outcome) -> None:
        self._adding = None
        self.refresh()
        if outcome.state == "done":
            self._say(_("Added '{0}'.").format(self._added))
        else:
            self._say(outcome.message)
            slicer.util.errorDisplay(outcome.message, detailedText=outcome.log)

    def start(self, *args: object) -> None:
        """Check the choices and start the child."""
        with shown_plainly(_("The training was not started.")):
            self._ensure_packages()
            self._fill()
            study = self._study()
            studies.check(study)
            name = self._ui.modelNameLineEdit.text.strip() or "model"
            now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
            run = study / "runs" / f"{name}-{now}"
            runner = self._make_runner(self._on_event, self._on_outcome)
            runner.start(
                command.arguments(
                    study=study,
                    run=run,
                    preset=self._ui.presetComboBox.currentText,
                    start=chosen(self._ui.startComboBox),
                    name=name,
                    device=self.parameters.trainDevice,
                    epochs=self.parameters.epochs,
                    micro_batch=self.parameters.microBatch,
                )
            )
            self._follow(runner, run)
            self._say(_("Preparing the frames …"))

    def resume(self, *args: object) -> None:
        """Continue with the chosen run, exactly where it ended."""
        with shown_plainly(_("The run was not resumed.")):
            self._ensure_packages()
            run = Path(self._runs.chosen.path)
            runner = self._make_runner(self._on_event, self._on_outcome)
            runner.start(["resume", str(run), "--progress", "json"])
            self._follow(runner, run)
            self._draw(epochs_of(run))
            self._say(_("Continuing with '{0}' …").format(run.name))

    def watch(self, *args: object) -> None:
        """Show the chosen run's curves, and follow it where it still runs."""
        with shown_plainly(_("The run cannot be shown.")):
            self._ensure_packages()
            run = Path(self._runs.chosen.path)
            watch = RunWatch(run, self._on_event, self._on_end)
            watch.start()
            self._follow(None, run)
            self._watch = watch
            self.refresh()

    def _follow(self, runner: Runner | None, run: Path) -> None:
        self._runner, self._run, self._curves = runner, run, None
        self._is_pausing = False
        self._ui.trainProgressBar.maximum = 0
        self.refresh()

    def pause_or_go_on(self, *args: object) -> None:
        """Ask the run to wait after the step under way, or to continue."""
        if not self.is_running or not self._run.is_dir():
            return
        from napari_microus.core.runs.folder import request

        self._is_pausing = not self._is_pausing
        request(self._run, "pause", on=self._is_pausing)
        self._say(_("Pausing …") if self._is_pausing else _("Continuing …"))
        self._refresh_buttons()

    def stop(self, *args: object) -> None:
        """Ask the run to stop; the best model so far is kept."""
        if not self.is_running:
            return
        from napari_microus.core.runs.folder import request

        if self._run.is_dir():
            self._say(_("Stopping; the best model so far is kept …"))
            request(self._run, "stop")
        elif self._runner is not None:  # nothing was trained yet
            self._runner.cancel()

    def forget_curves(self) -> None:
        """Draw no more: the scene that holds the curves is going away."""
        self._curves = None

    def release(self) -> None:
        """Ask whether the run shall stay when the module is going away."""
        if self._runner is not None and not slicer.util.confirmYesNoDisplay(
            _(
                "'{0}' is still being trained. Let it continue without Slicer? "
                "It is found again in the list of runs; No stops it and "
                "keeps its best model."
            ).format(self._run.name),
            _("MicroUS: training"),
        ):
            self.stop()
        self._runner = None
        if self._adding is not None:
            self._adding.abandon()
            self._adding = None
        if self._watch is not None:
            self._watch.leave()
            self._watch = None

    def _study(self) -> Path:
        from napari_microus.core.errors import InputError

        path = self._ui.studyPathLineEdit.currentPath
        if not path:
            raise InputError(
                "A study's folder must be chosen; got none. "
                "Choose one, or a new folder for a new study.",
                plain=(
                    "No study's folder is chosen. Choose one, or a new folder for "
                    "a new study."
                ),
            )
        return Path(path)

    def _on_event(self, event: Event) -> None:
        from napari_microus.core import events

        bar = self._ui.trainProgressBar
        if isinstance(event, (events.RunStarted, events.EpochReport)):
            self._draw([event])
        if isinstance(event, events.RunStarted):
            self._say(
                _("Training on {0}, {1} epochs.").format(event.device, event.epochs)
            )
        elif isinstance(event, events.BatchReport):
            bar.maximum, bar.value = event.batches, event.batch
            self._say(_batch_words(event))
        elif isinstance(event, events.EpochReport):
            self._say(_epoch_words(event))
            self._runs.fill(self._ui.studyPathLineEdit.currentPath)
        elif isinstance(event, events.Progress):
            bar.maximum, bar.value = event.total, event.done
            self._say(
                event.message
                or _("{0} of {1} {2}").format(event.done, event.total, event.unit)
            )
        elif isinstance(event, events.StateChanged):
            self._is_pausing = event.state == "paused"
            self._say(event.message or _("The run is {0}.").format(event.state))
            self._refresh_buttons()
        elif isinstance(event, events.Notice):
            self._say(event.message)

    def _draw(self, reports: list[Event]) -> None:
        """Add to the run's curves, which begin where it reports that it has started."""
        from napari_microus.core.events import RunStarted

        for report in reports:
            if not isinstance(report, RunStarted):
                if self._curves is not None:
                    self._curves.add(report)
            elif self._curves is None:
                self._curves = command.Curves(self._run.name, report.human_dice)
                command.show_charts(self._curves.charts)

    def _on_end(self, status: RunStatus) -> None:
        """Show how a run ended that was watched."""
        self._watch = None
        self.refresh()
        dice = (
            ""
            if status.best_dice is None
            else _(", best DSC {0:.3f}").format(status.best_dice)
        )
        self._say(status.message or _("The run is {0}{1}.").format(status.state, dice))
        if status.state == "finished":
            self._fill()
            self._model_trained(status.name)

    def _on_outcome(self, outcome: Outcome) -> None:
        run, self._runner = self._run, None
        self.refresh()
        if outcome.state == "failed":
            self._say(outcome.message)
            slicer.util.errorDisplay(outcome.message, detailedText=outcome.log)
        elif outcome.state == "cancelled":
            self._say(_("Stopped before anything was trained."))
        else:
            self._fill()
            self._on_model(outcome.result, run)

    def _on_model(self, result: dict[str, Any], run: Path) -> None:
        model = result.get("model")
        if not model:
            self._say(_("Stopped without a model; the run is in {0}.").format(run))
            return
        name = Path(model).name
        dice = result.get("dice")
        self._model_trained(name)
        quality = (
            ""
            if dice is None
            else _(" (DSC {0:.3f} on its validation set)").format(dice)
        )
        self._say(
            _("'{0}' can be chosen in Segment{1}. The run is in {2}.").format(
                name, quality, run
            )
        )

    def _say(self, words: str) -> None:
        self._ui.trainStatusLabel.text = words


def _batch_words(event: Any) -> str:
    words = _("Epoch {0}, batch {1} of {2}: loss {3:.4f}").format(
        event.epoch + 1, event.batch, event.batches, event.loss
    )
    if event.remaining_s is not None:
        words += _(", {0:.0f} min left").format(event.remaining_s / 60)
    if event.gamma is not None:
        words += _(", gamma {0:.2f}").format(event.gamma)
    return words


def _epoch_words(event: Any) -> str:
    words = _("Epoch {0} of {1}: loss {2:.4f}").format(
        event.epoch + 1, event.epochs, event.train_loss
    )
    if event.val_dice is not None:
        words += _(", DSC {0:.3f}").format(event.val_dice)
    if event.val_hd95_mm is not None:
        words += _(", HD95 {0:.1f} mm").format(event.val_hd95_mm)
    return words + (", the best so far" if event.is_best else "")


def _ignore(_: str) -> None:
    """Take a model's name and do nothing."""
