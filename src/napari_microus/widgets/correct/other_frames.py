"""Lets the frames that nobody drew follow from those that somebody did."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QInputDialog

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.events import Notice, Progress
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.widgets._shared.layers import volume_from_layer
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.correct.jobs import (
    Frames,
    carry_frames,
    interpolate_frames,
    learn_and_draw,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.edit.teach import Taught
    from napari_microus.core.events import Event
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.correct.dock import CorrectWidget

_log = logging.getLogger(__name__)


class OtherFrames(QObject):
    """Interpolates, carries and learns for the dock's capsule, in a thread.

    Parameters
    ----------
    dock : CorrectWidget
        Whose capsule is corrected; it shows the progress.
    """

    def __init__(self, dock: CorrectWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self._worker: Worker | None = None
        self._notices: list[str] = []
        self._taught: Taught | None = None
        self.ask_name: Callable[[str], str] = _ask_name

    def connect_buttons(self) -> None:
        """Let the dock's buttons do what they say."""
        dock = self._dock
        dock.interpolate_button.clicked.connect(self.interpolate)
        dock.back_button.clicked.connect(lambda: self.carry(-1))
        dock.on_button.clicked.connect(lambda: self.carry(1))
        dock.learn_button.clicked.connect(self.learn)
        dock.keep_button.clicked.connect(self.keep_model)
        dock.cancel_button.clicked.connect(self.cancel)

    @property
    def is_running(self) -> bool:
        """True while frames are being computed."""
        return self._worker is not None

    def interpolate(self) -> None:
        """Fill the frames between those that a person drew or approved."""
        if self._dock.capsule is None or self.is_running:
            return
        self._dock.handle_button.setChecked(False)
        self._start(
            interpolate_frames,
            volume_from_layer(self._dock.capsule.scan),
            self._dock.capsule.masks() == 1,
            frozenset(self._dock.capsule.review.protected),
            self._dock.capsule.model_name(),
        )

    def carry(self, direction: int) -> None:
        """Carry the outline in view through the frames before or after."""
        if self._dock.capsule is None or self.is_running:
            return
        self._dock.handle_button.setChecked(False)
        start = self._dock.frame
        last = self._dock.capsule.count - 1
        end = int(np.clip(start + direction * self._dock.carry_count.value(), 0, last))
        # Up to the next frame that a person drew.
        way = range(start + direction, end + direction, direction)
        for frame in way:
            if frame in self._dock.capsule.review.protected:
                end = frame - direction
                break
        mask = self._dock.capsule.mask(start)
        self._start(carry_frames, self._dock.capsule.images(), mask, start, end)

    def learn(self) -> None:
        """Adapt the model to the corrected frames, and draw the others again."""
        if self._dock.capsule is None or self.is_running:
            return
        self._dock.handle_button.setChecked(False)
        review = self._dock.capsule.review
        untouched = set(range(self._dock.capsule.count)) - review.protected
        sure = untouched - set(review.doubtful)
        masks = np.where(self._dock.capsule.masks() == IGNORE_VALUE, IGNORE_VALUE, 0)
        masks[self._dock.capsule.masks() == 1] = 1
        self._start(
            learn_and_draw,
            volume_from_layer(self._dock.capsule.scan),
            masks.astype(np.uint8),
            frozenset(review.protected),
            frozenset(sure),
            self._dock.capsule.model_name(),
            "auto",
        )

    def _start(self, work: Callable[..., Any], *args: Any) -> None:
        self._dock.say("")
        self._notices.clear()
        self._dock.bar.setRange(0, 0)
        self._dock.bar.setVisible(True)
        self._dock.cancel_button.setVisible(True)
        self._dock.cancel_button.setEnabled(True)
        self._worker = start_worker(
            work,
            *args,
            yielded=self._on_event,
            returned=self._on_frames,
            errored=self._on_error,
            aborted=lambda: self._dock.say(tr("Cancelled; nothing was changed.")),
            finished=self._on_finished,
        )
        self._dock.refresh()

    def cancel(self) -> None:
        """Stop what is being computed."""
        if self._worker is not None:
            self._worker.quit()
            self._dock.cancel_button.setEnabled(False)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._dock.bar.setRange(0, event.total)
            self._dock.bar.setValue(event.done)
            self._dock.bar.setFormat(event.message)
        elif isinstance(event, Notice):
            self._notices.append(event.message)

    def _on_frames(self, result: Frames) -> None:
        if self._dock.capsule is None:
            self._dock.say(tr("The capsule is gone; nothing was changed."))
            return
        # What a person drew in the meantime stays.
        protected = self._dock.capsule.review.protected
        frames = {k: m for k, m in result.masks.items() if k not in protected}
        changed = self._dock.draw(frames, by_person=False)
        self._dock.capsule.provenance.setdefault("corrected", []).append(
            {"how": result.made_by, "frames": changed}
        )
        self._dock.after_change()
        if result.taught is not None:
            self._taught = result.taught
            self._dock.keep_button.setVisible(True)
        self._dock.say(" ".join([result.sentence, *self._notices]))

    def keep_model(self) -> None:
        """Ask for a name, and put the adapted model into the library."""
        if self._taught is None:
            return
        name = self.ask_name(f"{self._taught.model.name} taught")
        if not name:
            return
        from napari_microus.core.edit.teach import keep

        try:
            folder = keep(self._taught, name)
        except MicroUSError as error:
            self._dock.say(plain_words(error))
            return
        self._dock.keep_button.setVisible(False)
        self._dock.say(f"The model '{folder.name}' is in your library.")

    def _on_error(self, error: Exception) -> None:
        words = plain_words(error)
        if not isinstance(error, MicroUSError):
            words = f"Correcting failed: {words}"
            show_error(words)
        _log.error(words, exc_info=error)
        self._dock.say(words)

    def _on_finished(self) -> None:
        self._worker = None
        self._dock.bar.setVisible(False)
        self._dock.cancel_button.setVisible(False)
        self._dock.refresh()

    def forget_model(self) -> None:
        """Offer no adapted model any more."""
        self._taught = None
        self._dock.keep_button.setVisible(False)


def _ask_name(suggested: str) -> str:
    """Return the name that the user gives, "" where they change their mind."""
    name, is_given = QInputDialog.getText(
        None, tr("Keep the taught model"), tr("Name in your library:"), text=suggested
    )
    return str(name) if is_given else ""
