"""Keep corrections that nobody has saved yet, and offer them after a crash."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer

from napari_microus.core.edit.autosave import (
    Autosaved,
    autosave,
    find_autosave,
    fingerprint,
    remove_autosave,
)
from napari_microus.core.errors import OutputError, plain_words
from napari_microus.widgets._shared.drawn import is_saved
from napari_microus.widgets._shared.layers import volume_from_layer
from napari_microus.widgets._shared.preferences import preferred
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.correct.capsule import Capsule
    from napari_microus.widgets.correct.dock import CorrectWidget

_log = logging.getLogger(__name__)

#: At most so many changes, or seconds, are at risk.
CHANGES, SECONDS = 20, 30


class _Unsaved:
    """What is not yet kept of a capsule; no QObject, so that it outlives the window."""

    def __init__(self) -> None:
        self.capsule: Capsule | None = None
        self.key: str | None = None
        self.changes = 0
        self.has_written = False  # what is kept of this scan is of this capsule

    def take(self) -> tuple[str, NDArray[np.uint8], dict[str, Any]] | None:
        """Return what must be written, and count it as written; None if nothing."""
        if self.capsule is None or self.key is None or not self.changes:
            return None
        self.changes = 0
        self.has_written = True
        mask = np.array(self.capsule.masks(), dtype=np.uint8)
        return self.key, mask, dict(self.capsule.provenance)

    def flush(self, *args: object) -> None:
        """Write it here and now: the window is going away.

        Where the capsule was saved as it is, nothing of it is kept to be offered
        again; what a crash left and nobody has brought back stays.
        """
        is_ours = self.has_written or self.changes
        if self.capsule and self.key and is_ours and is_saved(self.capsule.layer):
            self.changes = 0
            if self.has_written:
                remove_autosave(self.key)
        parts = self.take()
        if parts is None:
            return
        try:
            autosave(*parts)
        except (OSError, OutputError):
            _log.exception(tr("Corrections could not be kept"))


class Autosaving(QObject):
    """Writes the capsule of a dock when it was changed; see `core.edit.autosave`."""

    def __init__(self, dock: CorrectWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self._unsaved = _Unsaved()
        dock.destroyed.connect(self._unsaved.flush)
        self._worker: Worker | None = None
        #: What was found of this scan when it was chosen.
        self.found: Autosaved | None = None
        self._timer = QTimer(self)
        seconds = preferred("autosave_s", float(SECONDS), "general")
        self._timer.setInterval(round(1000 * seconds))
        self._timer.timeout.connect(self.write)

    @property
    def is_writing(self) -> bool:
        """Whether a thread is at work; one that was asked to forget is not."""
        return self._worker is not None and self._worker.is_running

    def begin(self, capsule: Capsule) -> None:
        """Look for what was kept of this capsule's scan, and keep it from now on."""
        self.end()
        self._unsaved.capsule = capsule
        self._start(_look, volume_from_layer(capsule.scan), returned=self._on_found)

    def end(self) -> None:
        """Write what is not yet kept, and stop."""
        self.write()
        self._unsaved.flush()  # what a writer at work could not take
        self._timer.stop()
        self._unsaved.capsule, self._unsaved.key, self.found = None, None, None
        self._unsaved.changes, self._unsaved.has_written = 0, False

    def changed(self) -> None:
        """Note a change."""
        self._unsaved.changes += 1
        if self._unsaved.changes >= CHANGES:
            self.write()
        elif not self._timer.isActive():
            self._timer.start()

    def write(self) -> None:
        """Keep the capsule as it is now."""
        if self.is_writing:
            return
        parts = self._unsaved.take()
        if parts is not None:
            self._timer.stop()
            self._start(_write, *parts)

    def saved(self) -> None:
        """Forget what was kept: the user has saved the capsule."""
        self._unsaved.changes, self._unsaved.has_written = 0, False
        self._timer.stop()
        if self._unsaved.key is not None:
            remove_autosave(self._unsaved.key)
        self.found = None

    def _start(self, work: Any, *args: Any, **slots: Any) -> None:
        self._worker = start_worker(
            work, *args, errored=self._on_error, finished=self._on_finished, **slots
        )
        self._dock.destroyed.connect(self._worker.forget)

    def _on_found(self, result: tuple[str, Autosaved | None]) -> None:
        capsule = self._unsaved.capsule
        if capsule is None:
            return
        self._unsaved.key, found = result
        if found is None or found.mask.shape != capsule.masks().shape:
            return
        frames = int((found.mask != capsule.masks()).any((1, 2)).sum())
        if frames:
            self.found = found
            what = "1 frame" if frames == 1 else f"{frames} frames"
            self._dock.offer(f"Bring back {what}\nfrom {found.saved:%d %b, %H:%M}")

    def _on_error(self, error: Exception) -> None:
        _log.error(tr("Corrections could not be kept"), exc_info=error)
        self._dock.say(
            tr(
                "Unsaved corrections are not kept against a crash. {why} Save often."
            ).format(why=plain_words(error))
        )

    def _on_finished(self) -> None:
        self._worker = None


def _look(scan: Volume) -> Generator[None, None, tuple[str, Autosaved | None]]:
    yield
    key = fingerprint(scan)
    return key, find_autosave(key)


def _write(
    key: str, mask: NDArray[np.uint8], made: dict[str, Any]
) -> Generator[None, None, None]:
    yield
    autosave(key, mask, made)
