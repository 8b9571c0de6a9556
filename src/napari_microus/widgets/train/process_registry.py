"""Keep the processes that train, and ask about them when napari closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QCoreApplication, QObject
from qtpy.QtWidgets import QMessageBox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari_microus.core.runs.process import TrainingProcess

QUESTION = (
    "Training goes on in {names}.\n\nLet it run on? You find it again under Train, "
    "Runs, Attach. If it is stopped the best model is kept and the run can be resumed."
)


class ProcessRegistry(QObject):
    """Holds running processes as long as the application lives.

    A dock may be closed, and a dock's own close event does not come when the viewer
    closes: the question is asked when the application is about to quit.

    Parameters
    ----------
    ask : callable
        Given the runs that go on, tells whether to let them.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Path]], bool] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._ask = ask_in_window if ask is None else ask
        self._processes: list[TrainingProcess] = []
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.close_down)

    @property
    def running(self) -> list[TrainingProcess]:
        """The processes that go on."""
        # One that tidies up after its run is kept, for the system's sake.
        self._processes = [p for p in self._processes if not p.has_exited]
        return [p for p in self._processes if p.is_alive]

    def add(self, process: TrainingProcess) -> None:
        """Look after a process."""
        self._processes.append(process)

    def find(self, run: Path) -> TrainingProcess | None:
        """Return the process that trains in a run, where it was started here."""
        return next((p for p in self.running if p.run == run), None)

    def close_down(self) -> None:
        """Ask whether the runs shall go on, and stop them if not."""
        running = self.running
        if running and not self._ask([process.run for process in running]):
            for process in running:
                process.stop()


_registries: list[ProcessRegistry] = []


def process_registry() -> ProcessRegistry:
    """Return the application's keeper."""
    if not _registries:
        _registries.append(ProcessRegistry())
    return _registries[0]


def ask_in_window(runs: Sequence[Path]) -> bool:
    """Ask the user whether runs shall go on when napari is closed."""
    box = QMessageBox()
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Training goes on")
    box.setText(QUESTION.format(names=", ".join(f"'{run.name}'" for run in runs)))
    run_on = box.addButton("Let it run on", QMessageBox.ButtonRole.AcceptRole)
    stop = box.addButton("Stop it", QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(run_on)
    box.setEscapeButton(run_on)
    box.exec()
    return box.clickedButton() is not stop
