"""Keep the processes that train and the runs that wait, and ask before they go."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

from qtpy.QtCore import QCoreApplication, QEvent, QObject, QTimer, Signal
from qtpy.QtWidgets import QApplication, QMainWindow, QMessageBox, QWidget

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.runs.process import TrainingProcess, make_folder
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Answer = Literal["run on", "stop", "back"]

_LOOK_EVERY_MS = 500


class ProcessRegistry(QObject):
    """Holds running processes as long as the application runs, and a queue of runs.

    ``begun(process)`` is emitted when the turn of a run has come, ``refused(words)``
    where it cannot be started.

    Parameters
    ----------
    ask : callable
        Given the runs in progress and how many wait, returns whether they run on, are
        stopped, or the window stays.
    """

    begun = Signal(object)
    refused = Signal(str)

    def __init__(
        self,
        ask: Callable[[Sequence[Path], int], Answer] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._ask = ask_in_window if ask is None else ask
        self._processes: list[TrainingProcess] = []
        self._queue: list[tuple[list[str], Path]] = []
        self._answer: Answer | None = None
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_EVERY_MS)
        self._look.timeout.connect(self.start_next)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.close_down)

    @property
    def running(self) -> list[TrainingProcess]:
        """The processes that still run."""
        # One that tidies up after its run is kept, for the system's sake.
        self._processes = [p for p in self._processes if not p.has_exited]
        return [p for p in self._processes if p.is_alive]

    def add(self, process: TrainingProcess) -> None:
        """Look after a process."""
        self._processes.append(process)

    def find(self, run: Path) -> TrainingProcess | None:
        """Return the process that trains in a run, where it was started here."""
        return next((p for p in self.running if p.run == run), None)

    # --- the queue

    @property
    def waiting(self) -> list[Path]:
        """The runs that wait, in their order."""
        return [run for _, run in self._queue]

    def enqueue(self, words: Sequence[str], run: Path) -> None:
        """Start this command in ``run`` when no process runs any more.

        The run's folder is made now, so that its name is taken.

        Raises
        ------
        OutputError
            If the folder cannot be made.
        """
        make_folder(run)
        self._queue.append((list(words), run))
        self._look.start()

    def drop_last(self) -> Path | None:
        """Take the run that would come last out of the queue."""
        if not self._queue:
            return None
        _, run = self._queue.pop()
        with contextlib.suppress(OSError):  # that of a run to be resumed is not empty
            run.rmdir()
        return run

    def start_next(self) -> None:
        """Start the run whose turn it is."""
        if not self._queue:
            self._look.stop()
        elif not self.running:
            words, run = self._queue.pop(0)
            try:
                process = TrainingProcess(words, run)
            except MicroUSError as error:
                self.refused.emit(plain_words(error))
                return
            self.add(process)
            self.begun.emit(process)

    # --- the end

    def may_close(self) -> bool:
        """Ask before the last window closes; the answer is kept for `close_down`."""
        running = self.running
        self._answer = None
        if running or self._queue:
            runs = [process.run for process in running]
            self._answer = self._ask(runs, len(self._queue))
        return self._answer != "back"

    def close_down(self) -> None:
        """Do what was answered; ask now where no window could be asked."""
        if self._answer is None:
            self.may_close()
        self._look.stop()
        while self._queue:
            self.drop_last()
        if self._answer == "stop":
            for process in self.running:
                process.stop()


class TrainingGuard(QObject):
    """Asks about training before napari's window closes; a child of the window."""

    def __init__(self, window: QMainWindow, registry: ProcessRegistry) -> None:
        super().__init__(window)
        self._registry = registry
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the window open where the user goes back; Qt's name."""
        if event.type() != QEvent.Type.Close or watched is not self.parent():
            return False
        others = [
            one
            for one in QApplication.topLevelWidgets()
            if isinstance(one, QMainWindow) and one.isVisible() and one is not watched
        ]
        if others or self._registry.may_close():
            return False
        event.ignore()
        return True


def guard_training(widget: QWidget, registry: ProcessRegistry) -> None:
    """Guard the window that a dock is in; asking again changes nothing."""
    window = widget.window()
    if isinstance(window, QMainWindow) and not window.findChild(TrainingGuard):
        TrainingGuard(window, registry)


_registries: list[ProcessRegistry] = []


def process_registry() -> ProcessRegistry:
    """Return the application's keeper."""
    if not _registries:
        _registries.append(ProcessRegistry())
    return _registries[0]


def ask_in_window(runs: Sequence[Path], waiting: int) -> Answer:
    """Ask the user whether runs shall run on when napari is closed."""
    box = QMessageBox(QApplication.activeWindow())
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(tr("Training is still running"))
    several = tr("{count} more wait; they will not be started.")
    behind = several.format(count=waiting)
    if waiting == 1:
        behind = tr("One more waits; it will not be started.")
    names = ", ".join(f"'{run.name}'" for run in runs)
    question = tr(
        "Training is still running in {names}.{waiting}\n\nLet it run on? You find it "
        "again under Train, Runs, Attach. If it is stopped the best model is kept and "
        "the run can be resumed."
    )
    box.setText(question.format(names=names, waiting=f" {behind}" if waiting else ""))
    roles = QMessageBox.ButtonRole
    run_on = box.addButton(tr("Let it run on"), roles.AcceptRole)
    stop = box.addButton(tr("Stop it"), roles.DestructiveRole)
    back = box.addButton(tr("Go back"), roles.RejectRole)
    box.setDefaultButton(run_on)
    box.setEscapeButton(back)
    box.exec()
    answers: dict[object, Answer] = {run_on: "run on", stop: "stop"}
    return answers.get(box.clickedButton(), "back")
