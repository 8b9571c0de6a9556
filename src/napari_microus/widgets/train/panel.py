"""Watch a run: its state, curves and prediction, with the buttons that steer it."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.runs.folder import ENDED, read_status, request
from napari_microus.core.runs.history import RunHistory
from napari_microus.core.runs.texts import (
    duration,
    ending,
    figures,
    phase,
)
from napari_microus.widgets._shared.controls import push_button, text
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.train.curves import CurvesView
from napari_microus.widgets.train.estimate import in_words
from napari_microus.widgets.train.follow import RunFollower
from napari_microus.widgets.train.model import (
    library_model,
    roll_back,
    was_withheld,
)
from napari_microus.widgets.train.watched import WatchedFrame

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel

    from napari_microus.core.events import Event
    from napari_microus.core.runs.folder import RunStatus
    from napari_microus.core.runs.process import TrainingProcess

_REDRAW_MS = 400
# A stop comes between two layers of the network; this late, offer to end at once.
_PATIENCE_S = 4.0


class RunPanel(QWidget):
    """What one run does, live.

    Parameters
    ----------
    viewer : ViewerModel
        Takes the watched frame as layers, when asked for.
    """

    ended = Signal(object)
    model_ready = Signal(str)
    model_removed = Signal()
    model_wanted = Signal(str)
    resume_wanted = Signal(object)
    left = Signal()
    too_long = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run: Path | None = None
        self.history = RunHistory()
        self.state = ""
        self._follower: RunFollower | None = None
        self._asked_at: float | None = None
        self._is_new = False
        self._model = ""
        self.title = text()
        self.message = text()
        self.figures = text()
        self.epoch_bar = _bar()
        self.batch_bar = _bar()
        self.back_button = push_button(
            tr("New run…"), tr("Back to the choices; the run continues.")
        )
        self.pause_button = push_button(
            tr("Pause"), tr("Stop after the step under way, and wait.")
        )
        self.cancel_button = push_button(
            tr("Cancel"),
            tr("End the run. The best model so far is kept, and it can be resumed."),
        )
        self.kill_button = push_button(
            tr("End at once"),
            tr("End the process without waiting for the step under way."),
        )
        self.resume_button = push_button(
            tr("Resume"), tr("Continue exactly where the run ended.")
        )
        self.use_button = push_button(
            tr("Use in Segment capsule"),
            tr("Choose the finished model for segmenting."),
        )
        self.library_button = push_button(tr("Roll back"), "")
        self.folder_button = push_button(
            tr("Open folder"), tr("Settings, checkpoints, curves and log of the run.")
        )
        self.curves = CurvesView()
        self.watched = WatchedFrame(viewer)
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(_REDRAW_MS)
        self._redraw.timeout.connect(self._draw)
        self._lay_out()
        self._connect()
        self._show_buttons()

    def _lay_out(self) -> None:
        self.title.setTextFormat(Qt.TextFormat.RichText)
        first, second = QHBoxLayout(), QHBoxLayout()
        for row, buttons in (
            (first, (self.pause_button, self.cancel_button, self.kill_button)),
            (first, (self.resume_button, self.use_button, self.library_button)),
            (second, (self.folder_button, self.back_button)),
        ):
            row.setContentsMargins(0, 0, 0, 0)
            for button in buttons:
                row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for item in (self.title, self.epoch_bar, self.batch_bar, self.figures):
            column.addWidget(item)
        column.addLayout(first)
        column.addWidget(self.message)
        column.addWidget(self.curves, 1)
        column.addWidget(self.watched)
        column.addLayout(second)

    def _connect(self) -> None:
        self.pause_button.clicked.connect(self.pause_or_go_on)
        self.cancel_button.clicked.connect(self.cancel)
        self.kill_button.clicked.connect(self.kill)
        self.resume_button.clicked.connect(self._on_resume)
        self.use_button.clicked.connect(self._on_use)
        self.library_button.clicked.connect(self.promote_or_roll_back)
        self.folder_button.clicked.connect(self.open_folder)
        self.back_button.clicked.connect(self.left)

    @property
    def is_active(self) -> bool:
        """Whether the run that is watched still runs."""
        return self._follower is not None and self._follower.is_active

    @property
    def process(self) -> TrainingProcess | None:
        """The process of the run, where it was started here."""
        return None if self._follower is None else self._follower.process

    def watch(
        self,
        run: Path,
        process: TrainingProcess | None = None,
        *,
        is_new: bool = False,
    ) -> None:
        """Show a run from its beginning and on.

        Parameters
        ----------
        run : Path
            Run folder.
        process : TrainingProcess, optional
            Its process, where this application started it.
        is_new : bool
            Whether the run has only now been made: cancelled before its first step
            it leaves nothing behind.
        """
        self.leave()
        self.run, self._is_new = run, is_new
        self.history, self._asked_at, self._model = RunHistory(), None, ""
        self.state = "starting" if process is not None else ""
        self._follower = RunFollower(run, process, self)
        self._follower.restarted.connect(self._on_restarted)
        self._follower.reported.connect(self._on_events)
        self._follower.ended.connect(self._on_ended)
        self.watched.watch(run)
        self.say("")
        self._draw()
        self._follower.start()

    def leave(self) -> None:
        """Look no more; the run continues."""
        if self._follower is not None:
            self._follower.leave()
            self._follower.deleteLater()
            self._follower = None

    # --- steering

    def pause_or_go_on(self) -> None:
        """Ask the run to wait, or to continue."""
        if self.run is None:
            return
        is_waiting = self.state in ("paused", "pausing")
        self._request("pause", on=not is_waiting)
        if is_waiting:
            self.state = "running" if self.state == "pausing" else "continuing"
        else:
            self.state = "pausing"
        self._draw()

    def cancel(self) -> None:
        """Ask the run to end; before its first step it is ended at once."""
        if self.run is None:
            return
        self._asked_at = time.monotonic()
        self.state = "stopping"
        self._request("stop", on=True)
        if self.process is not None and not self._has_begun():
            self.process.kill()  # it does not look for the flag yet
        QTimer.singleShot(int(_PATIENCE_S * 1000) + 50, self._show_buttons)
        self._draw()

    def _has_begun(self) -> bool:
        """Return whether the process of the run has reached its first step."""
        assert self.run is not None  # the caller has looked
        assert self.process is not None  # the caller has looked
        try:
            status = read_status(self.run)
        except MicroUSError:
            return False
        # A resumed run's status is the old process's for a while.
        is_own = self.process.has_written(status)
        return is_own and status.state in ("running", "paused")

    def kill(self) -> None:
        """End the process at once."""
        if self.process is not None:
            self.process.kill()

    def _request(self, flag: str, *, on: bool) -> None:
        assert self.run is not None  # the callers have looked
        try:
            request(self.run, flag, on=on)
        except OSError as error:
            self.say(
                f"Cannot write into the run's folder {self.run} ({error.strerror}). "
                "Choose another run."
            )

    def open_folder(self) -> None:
        """Show the run's folder in the system's file manager."""
        if self.run is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.run)))

    def _on_resume(self) -> None:
        self.resume_wanted.emit(self.run)

    def _on_use(self) -> None:
        self.model_wanted.emit(self._model)

    def promote_or_roll_back(self) -> None:
        """Put the run's model into the library, or take it out again."""
        if self.run is None:
            return
        try:
            if self._model:
                roll_back(self.run, self._model)
                self.say(
                    tr("'{model}' is out of the library, and in the run.").format(
                        model=self._model
                    )
                )
                self._model = ""
                self.model_removed.emit()
            else:
                self._model = _promote(self.run)
                self.say(
                    tr("The model is in the library as '{model}'.").format(
                        model=self._model
                    )
                )
                self.model_ready.emit(self._model)
        except MicroUSError as error:
            self.say(plain_words(error))
        self._show_buttons()

    # --- what comes in

    def _on_restarted(self) -> None:
        self.history = RunHistory()

    def _on_events(self, events: list[Event]) -> None:
        notices, preview = len(self.history.notices), self.history.preview
        stated = self.history.estimate
        for event in events:
            self.history.take(event)
        state = self.history.state
        # A resumed run first reports how it ended before; the end is `_on_ended`.
        is_news = state != "" and state not in ENDED
        if is_news and self.state not in ("stopping", "pausing"):
            self.state = state
        if self.state == "pausing" and self.history.state == "paused":
            self.state = "paused"
        if self.history.estimate is not None and self.history.estimate is not stated:
            self.say(in_words(self.history.estimate))
        if len(self.history.notices) > notices:
            self.say(self.history.notices[-1])
        # By identity: a new look at the same frame is an equal event.
        if self.history.preview is not None and self.history.preview is not preview:
            self.watched.show_preview(self.history.preview)
        if not self._redraw.isActive():
            self._redraw.start()

    def _on_ended(self, status: RunStatus) -> None:
        was_asked = self._asked_at is not None
        found = self.history.estimate
        if found is not None and found.advice and self.history.started is None:
            self._delete_unstarted_run()
            self.state = "cancelled"
            self._draw()
            self.ended.emit(self.run)
            self.too_long.emit(f"{in_words(found)} {found.advice}")
            return
        if self._is_new and was_asked and self.history.started is None:
            self._delete_unstarted_run()
            self.state = "cancelled"
            self.say(tr("Cancelled before the first step; nothing was kept."))
        else:
            self.state = status.state
            # An end asked for, but too late for the process to say so itself.
            if was_asked and status.state in ("interrupted", "failed"):
                self.state = "stopped"
            self._model = library_model(self.history.result)
            words = ending(self.state, status, self.history, self._model)
            if was_withheld(self.history.result) and not self._model:
                words += tr(
                    " It is worse than its start, so it was not added to the library."
                )
            self.say(" ".join([words, *_comparison(self.history.notices)]))
        if self.history.preview is not None:
            self.watched.show_preview(self.history.preview)
        self._draw()
        self.ended.emit(self.run)
        if self._model:
            self.model_ready.emit(self._model)

    def _delete_unstarted_run(self) -> None:
        """Remove the folder of a run that never began."""
        assert self.run is not None  # it has just ended
        if not (self.run / "checkpoints" / "last.ckpt").exists():
            with contextlib.suppress(OSError):
                shutil.rmtree(self.run)

    # --- showing

    def say(self, words: str) -> None:
        """Show a sentence."""
        self.message.setText(words)
        self.message.setVisible(bool(words))

    def _draw(self) -> None:
        history, run = self.history, self.run
        name = "" if run is None else run.name
        self.title.setText(f"<b>{name}</b> · {phase(self.state, history)}")
        started, batch, progress = history.started, history.batch, history.progress
        if started is not None:
            done = len(history.epochs)
            self.epoch_bar.setRange(0, 1000)
            self.epoch_bar.setValue(round(1000 * history.done_fraction))
            left = None if batch is None else batch.remaining_s
            is_running = self.state == "running" and left is not None
            words = f", {duration(left or 0)} left" if is_running else ""
            self.epoch_bar.setFormat(f"{done} of {started.epochs} epochs{words}")
        else:
            self.epoch_bar.setRange(0, 0 if self.is_active else 1)
            self.epoch_bar.setFormat("")
        if progress is not None:
            self.batch_bar.setRange(0, max(progress.total, 1))
            self.batch_bar.setValue(progress.done)
            count = f"{progress.done} of {progress.total} {progress.unit}"
            self.batch_bar.setFormat(f"{progress.message}: {count}".lstrip(": "))
        elif batch is not None:
            self.batch_bar.setRange(0, max(batch.batches, 1))
            self.batch_bar.setValue(batch.batch)
            is_full = batch.batch == batch.batches and self.state == "running"
            words = f"{batch.batch} of {batch.batches} batches"
            is_validating = is_full and len(history.epochs) <= batch.epoch
            self.batch_bar.setFormat(tr("validating …") if is_validating else words)
        self.batch_bar.setVisible(progress is not None or batch is not None)
        self.figures.setText(figures(history))
        self.curves.show_history(history)
        self._show_buttons()

    def _show_buttons(self) -> None:
        is_active, state = self.is_active, self.state
        is_stopping = state == "stopping"
        self.pause_button.setVisible(is_active and not is_stopping)
        self.pause_button.setEnabled(self.history.started is not None)
        is_waiting = state in ("paused", "pausing")
        self.pause_button.setText(tr("Continue") if is_waiting else tr("Pause"))
        self.cancel_button.setVisible(is_active)
        self.cancel_button.setEnabled(not is_stopping)
        late = self._asked_at is not None and (
            time.monotonic() - self._asked_at > _PATIENCE_S
        )
        self.kill_button.setVisible(is_active and late and self.process is not None)
        can_resume = not is_active and self.run is not None and _can_resume(self.run)
        self.resume_button.setVisible(can_resume)
        self.use_button.setVisible(not is_active and bool(self._model))
        has_model = self.run is not None and (self.run / "model").is_dir()
        self.library_button.setVisible(not is_active and has_model)
        self.library_button.setText(
            tr("Roll back") if self._model else tr("Put into library")
        )
        self.library_button.setToolTip(
            tr("Take the model out of the library; it stays in the run's folder.")
            if self._model
            else tr("Copy the run's model into the library, whatever it is worth.")
        )


def _promote(run: Path) -> str:
    """Put a run's model into the library and return its name there."""
    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.train.promote import promote

    return promote(run, TrainConfig.from_yaml(run / "config.yaml").name).name


def _can_resume(run: Path) -> bool:
    """Return whether a run ended before its time and has a checkpoint."""
    try:
        status = read_status(run)
    except MicroUSError:
        return False
    has_checkpoint = (run / "checkpoints" / "last.ckpt").exists()
    return status.state in ENDED and status.state != "finished" and has_checkpoint


def _comparison(notices: list[str]) -> list[str]:
    """Return the sentence on the held-out patients before and after, if there is."""
    return [words for words in notices if "DSC went from" in words][-1:]


def _bar() -> QProgressBar:
    bar = QProgressBar()
    bar.setTextVisible(True)
    return bar
