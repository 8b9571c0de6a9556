"""Dock widget that trains and fine-tunes models without ever blocking the window."""

from __future__ import annotations

import gc
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core import library
from napari_microus.core.errors import InputError, MicroUSError, plain_words
from napari_microus.core.runs.process import TrainingProcess, command
from napari_microus.core.runs.workspace import Workspace
from napari_microus.widgets._shared.accessible import describe_controls
from napari_microus.widgets._shared.belonging import remember_scans
from napari_microus.widgets._shared.controls import (
    beside,
    pages,
    push_button,
    scrolled,
    text,
)
from napari_microus.widgets._shared.dock import NARROWEST, Dock
from napari_microus.widgets._shared.empty_state import EmptyState
from napari_microus.widgets._shared.first_use import welcome_once
from napari_microus.widgets._shared.footer import Footer
from napari_microus.widgets._shared.opening import SEGMENT, open_dock
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.segment.form import SegmentForm
from napari_microus.widgets.train.form import RunForm
from napari_microus.widgets.train.panel import RunPanel
from napari_microus.widgets.train.process_registry import (
    ProcessRegistry,
    guard_training,
    process_registry,
)
from napari_microus.widgets.train.runs import RunsPage
from napari_microus.widgets.train.study import StudyPage
from napari_microus.widgets.train.variation import VariationPreview

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import napari
    from qtpy.QtGui import QShowEvent

    from napari_microus.core.library import ModelInfo
    from napari_microus.core.train import TrainConfig

TRAIN, STUDY, RUNS = 0, 1, 2


class TrainWidget(Dock):
    """Collect cases, start a run, watch it, and use what it learnt.

    Training is a child process; this widget reads what it reports.

    Parameters
    ----------
    viewer : Viewer or ViewerModel
        Viewer whose layers can be added as cases.
    list_models : callable
        `core.library.list_models`.
    make_command : callable
        Turns words after ``napari-microus`` into a command line.
    workspace : Workspace, optional
        Where studies and runs lie; None takes the user's folders.
    registry : ProcessRegistry, optional
        Holds the processes; None takes the application's.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        *,
        list_models: Callable[[], list[ModelInfo]] = library.list_models,
        make_command: Callable[[Sequence[str]], list[str]] = command,
        workspace: Workspace | None = None,
        registry: ProcessRegistry | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        # napari hands docks a proxy; see `SegmentWidget`.
        viewer = getattr(viewer, "__wrapped__", viewer)
        remember_scans(viewer)
        self._viewer = viewer
        self._was_shown = False
        self._make_command = make_command
        self._workspace = Workspace() if workspace is None else workspace
        self._registry = process_registry() if registry is None else registry
        self.form = RunForm(list_models, self._workspace)
        self.variations = VariationPreview(viewer, self._preview_config)
        self.form.advanced.add_below("Augmentation", self.variations)
        self.study_page = StudyPage(viewer, self._workspace, list_models)
        self.runs_page = RunsPage(self._workspace)
        self.panel = RunPanel(viewer)
        self.start_button = push_button(
            tr("Train"),
            tr(
                "Start the run in a process of its own; while one runs, the next waits."
            ),
        )
        self.copy_button = push_button(
            tr("Copy command"),
            tr("Copy the command line of this run, for a terminal or a cluster."),
        )
        self.small_button = push_button(
            tr("Use the small network"),
            tr("Hours become minutes; a little less exact."),
        )
        self.anyway_button = push_button(
            tr("Start anyway"), tr("Start the run, however long it takes.")
        )
        self.message = text()
        self.queue_label = text()
        self.queue_button = push_button(
            tr("Take out the last"), tr("The last run that waits is not started.")
        )
        self.watch_button = push_button(
            "", tr("Show the curves of the run that goes on.")
        )
        self.watch_button = push_button(
            "", tr("Show the curves of the run in progress.")
        )
        self._lay_out()
        self.runs_page.empty.add(
            tr("Train"), tr("Choose what to learn from, and start."), self._go_to_train
        )
        self._connect()
        self._find_running()
        self._show_empty()
        self._show_queue()
        describe_controls(self)

    def showEvent(self, event: QShowEvent) -> None:
        """Search for garbage while the dock opens; Qt's name.

        Python's next search of everything would otherwise fall into the run, where
        it holds up the window for longer than all that the dock does.
        """
        super().showEvent(event)
        self.form.take_kernel()
        if not self._was_shown:
            self._was_shown = True
            gc.collect()
            guard_training(self, self._registry)
            welcome_once(self, self._viewer)

    def _lay_out(self) -> None:
        buttons = beside(self.start_button, self.copy_button, stretch=(1,))
        self.queue_row = beside(self.queue_label, self.queue_button, stretch=(1,))
        offers = QHBoxLayout()
        offers.setContentsMargins(0, 0, 0, 0)
        offers.addWidget(self.small_button)
        offers.addWidget(self.anyway_button)
        choices = QWidget()
        column = QVBoxLayout(choices)
        column.setContentsMargins(0, 0, 0, 0)
        self.empty = EmptyState(
            tr(
                "No study yet: a study is a folder of annotated scans to learn from. "
                "Or train with phantoms, made by the computer, to try things out."
            )
        )
        self.empty.add(
            tr("Make a study…"),
            tr("Name a folder for your scans and their annotations."),
            self._make_study,
        )
        column.addWidget(self.empty)
        column.addWidget(self.form)
        column.addWidget(buttons)
        column.addWidget(self.message)
        column.addLayout(offers)
        column.addWidget(self.queue_row)
        column.addWidget(self.watch_button)
        column.addStretch()
        for button in (self.watch_button, self.small_button, self.anyway_button):
            button.setVisible(False)
        # No stack: it is as high as its highest page, seen or not.
        self.choices = choices
        holder = QWidget()
        inside = QVBoxLayout(holder)
        inside.setContentsMargins(4, 4, 4, 4)
        for page in (choices, self.panel):
            inside.addWidget(page)
        self.tabs = pages()
        self.tabs.addTab(scrolled(holder), tr("Train"))
        self.tabs.addTab(scrolled(self.study_page), tr("Study"))
        self.tabs.addTab(scrolled(self.runs_page), tr("Runs"))
        self.footer = Footer(self._viewer)
        self.footer.serve(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.footer)
        self.setMinimumSize(NARROWEST, 320)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._show_choices(True)

    def _connect(self) -> None:
        self.start_button.clicked.connect(self.start_or_queue)
        self.anyway_button.clicked.connect(self.start_anyway)
        self.queue_button.clicked.connect(self.take_from_queue)
        self._registry.begun.connect(self._on_begun)
        self._registry.refused.connect(self._on_refused)
        self.panel.too_long.connect(self._on_too_long)
        self.panel.ended.connect(self._on_run_ended)
        self.small_button.clicked.connect(self._on_small)
        self.copy_button.clicked.connect(self.copy_command)
        self.watch_button.clicked.connect(self._on_watch)
        self.form.changed.connect(self._on_choice)
        self.study_page.chosen.connect(self._on_study)
        self.runs_page.attach_wanted.connect(self.attach)
        self.runs_page.resume_wanted.connect(self.resume)
        self.panel.resume_wanted.connect(self.resume)
        self.panel.left.connect(self.show_choices)
        self.panel.model_ready.connect(self._offer_model)
        self.panel.model_wanted.connect(self.use_model)
        self.panel.model_removed.connect(self._forget_model)

    # --- what it will take

    def _on_too_long(self, words: str) -> None:
        """Ask about a run that would take hours; it has ended before its first step."""
        self.show_choices()
        self._say(words)
        self._offer(True)

    def _on_small(self) -> None:
        self.form.choose_small()
        self.start_or_queue()

    def _offer(self, is_on: bool) -> None:
        """Show what to do about a run that would take hours."""
        self.small_button.setVisible(is_on and not self.form.takes_volumes)
        self.anyway_button.setVisible(is_on)

    def _preview_config(self) -> TrainConfig:
        return self.form.config(self._new_run())

    def _new_run(self) -> Path:
        return self._workspace.new_run(self.form.study, self.form.model_name)

    # --- runs

    def start_or_queue(self) -> None:
        """Start a run, or put it behind those that run; a long one asks first."""
        self.start(stop_if_long=True)

    def start_anyway(self) -> None:
        """Start a run, however long it takes."""
        self.start(stop_if_long=False)

    def start(self, *, stop_if_long: bool = False) -> None:
        """Start a run with what is chosen, or queue it."""
        run = self._new_run()
        try:
            self.form.config(run)
            self._check_study()
            arguments = self.form.arguments(run)
            is_free = not self._registry.running
            # One that waits begins when perhaps nobody is there to be asked.
            asks = ["--stop-if-long"] if stop_if_long and is_free else []
            words = self._make_command([*arguments, *asks])
            if not is_free:
                self._registry.enqueue(words, run)
                self._show_queue()
                self._say(tr("'{run}' waits for its turn.").format(run=run.name))
                return
            process = TrainingProcess(words, run)
        except MicroUSError as error:
            self._say(plain_words(error))
            return
        self._say("")
        self._offer(False)
        self._registry.add(process)
        self.panel.watch(run, process, is_new=True)
        self._show_choices(False)

    def resume(self, run: Path) -> None:
        """Continue with a run that was ended, or queue it."""
        try:
            words = self._make_command(["resume", str(run)])
            if self._registry.running:
                self._registry.enqueue(words, run)
                self._show_queue()
                said = f"'{run.name}' waits for its turn to continue."
                self._say(said)
                self.panel.say(said)
                self.runs_page.message.setText(said)
                return
            process = TrainingProcess(words, run)
        except MicroUSError as error:
            self._say(plain_words(error))
            self.panel.say(plain_words(error))
            self.runs_page.message.setText(plain_words(error))
            return
        self._registry.add(process)
        self.panel.watch(run, process)
        self._show_choices(False)

    def _on_begun(self, process: TrainingProcess) -> None:
        """Watch the run whose turn it is, unless another one is looked at."""
        self._show_queue()
        if not self.panel.is_active and not self.panel.isHidden():
            self.panel.watch(process.run, process, is_new=True)
        else:
            self.watch_button.setText(
                f"A run is in progress: attach to '{process.run.name}'"
            )
            self.watch_button.setProperty("run", str(process.run))
            self.watch_button.setVisible(True)

    def _on_run_ended(self, run: Path) -> None:
        self._show_queue()

    def _on_refused(self, words: str) -> None:
        self._show_queue()
        self._say(words)

    def _show_queue(self) -> None:
        """Name the runs that wait, and what *Train* does now."""
        waiting = [run.name for run in self._registry.waiting]
        self.queue_row.setVisible(bool(waiting))
        self.queue_label.setText(tr("Waiting: {runs}").format(runs=", ".join(waiting)))
        is_free = not self._registry.running
        self.start_button.setText(tr("Train") if is_free else tr("Add to the queue"))

    def take_from_queue(self) -> None:
        """Take the last run that waits out of the queue."""
        run = self._registry.drop_last()
        if run is not None:
            self._say(tr("'{run}' was taken out of the queue.").format(run=run.name))
        self._show_queue()

    def attach(self, run: Path) -> None:
        """Watch a run, whoever started it."""
        self.panel.watch(run, self._registry.find(run))
        self._show_choices(False)

    def _check_study(self) -> None:
        """Say at once what the run would say after a while."""
        from napari_microus.core.study import Study
        from napari_microus.core.study.kind import NO_STUDY, check_kind
        from napari_microus.core.study.split import training_cases

        if self.form.study is None:
            if self.form.takes_volumes:
                raise InputError(NO_STUDY)
            return
        fold = self.form.changes().get("data.fold")
        train, _, _ = training_cases(Study.open(self.form.study), fold)
        check_kind(train, self.form.channels)

    def copy_command(self) -> None:
        """Put the run's command line on the clipboard."""
        run = self._new_run()
        try:
            words = ["napari-microus", *self.form.arguments(run)]
        except MicroUSError as error:
            self._say(plain_words(error))
            return
        QApplication.clipboard().setText(shlex.join(words))
        self._say(tr("The command is on the clipboard."))

    def _find_running(self) -> None:
        """Show the run that was started here before, or offer one in progress."""
        if self._registry.running:
            process = self._registry.running[0]
            self.panel.watch(process.run, process)
            self._show_choices(False)
            return
        alive = [status for status in self._workspace.runs() if status.is_alive]
        self.watch_button.setVisible(bool(alive))
        if alive:
            name = Path(alive[0].path).name
            self.watch_button.setText(f"A run is in progress: attach to '{name}'")
            self.watch_button.setProperty("run", alive[0].path)

    def _on_watch(self) -> None:
        self.watch_button.setVisible(False)
        self.attach(Path(str(self.watch_button.property("run"))))

    # --- the finished model

    def _offer_model(self, name: str) -> None:
        """Choose a new model wherever *Segment capsule* is open."""
        self.form.refresh_models()
        for form in self.window().findChildren(SegmentForm):
            form.refresh_models(select=name)

    def _forget_model(self) -> None:
        """Drop a model that left the library wherever *Segment capsule* is open."""
        self.form.refresh_models()
        for form in self.window().findChildren(SegmentForm):
            form.refresh_models()

    def use_model(self, name: str) -> None:
        """Open *Segment capsule* with a model chosen."""
        open_dock(self._viewer, SEGMENT)
        self._offer_model(name)

    # --- showing

    def _make_study(self) -> None:
        self.tabs.setCurrentIndex(STUDY)
        self.study_page.ask_new()

    def _go_to_train(self) -> None:
        self.tabs.setCurrentIndex(TRAIN)

    def _show_empty(self) -> None:
        self.empty.setVisible(not self._workspace.studies)

    def show_choices(self) -> None:
        """Go back to the choices; a run that is watched runs on."""
        self.form.refresh_models()
        self.form.refresh_studies()
        self._find_alive_again()
        self._show_queue()
        self._show_choices(True)

    def _find_alive_again(self) -> None:
        run = self.panel.run
        self.watch_button.setVisible(self.panel.is_active)
        if run is not None:
            self.watch_button.setText(tr("Back to '{run}'").format(run=run.name))
            self.watch_button.setProperty("run", str(run))

    def _show_choices(self, is_on: bool) -> None:
        self.choices.setVisible(is_on)
        self.panel.setVisible(not is_on)
        self.tabs.setCurrentIndex(TRAIN)
        self._soon(self._to_top)  # when the other page has its place

    def _to_top(self) -> None:
        """Show where the page begins: the one before may have been scrolled down."""
        area = self.tabs.widget(TRAIN)
        if isinstance(area, QScrollArea):
            area.verticalScrollBar().setValue(0)

    def _on_study(self, folder: Path | None) -> None:
        self.form.refresh_studies(folder)
        self._show_empty()

    def _on_choice(self, *_: Any) -> None:
        self.variations.setVisible(not self.form.takes_volumes)
        self._say("")
        self._offer(False)

    def _say(self, words: str) -> None:
        self.message.setText(words)
        self.message.setVisible(bool(words))
