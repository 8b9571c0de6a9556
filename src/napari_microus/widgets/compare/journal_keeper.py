"""Write an adjudication into its journal soon after each change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_microus.core.compare.adjudication.journal import Journal
    from napari_microus.core.events import Event
    from napari_microus.widgets._shared.worker import Worker

# Decisions and strokes of one second go into the journal together.
_PAUSE_MS = 1000


class JournalKeeper(QObject):
    """Keeps unsaved decisions through a crash; ``failed(text)`` where it cannot.

    Parameters
    ----------
    journal : Journal
        Held for this window.
    document : callable
        Returns the adjudication as JSON-ready data.

    Attributes
    ----------
    is_kept : bool
        Whether the journal holds all that was decided, or is about to.
    """

    failed = Signal(str)

    def __init__(
        self, journal: Journal, document: Callable[[], dict[str, Any]], parent: QObject
    ) -> None:
        super().__init__(parent)
        self.journal = journal
        self._document = document
        self.is_kept = True
        self._worker: Worker | None = None
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self.write)

    def write_soon(self) -> None:
        """Write the journal after a short while, changes until then included."""
        self.is_kept = False
        self._pause.start()

    def write(self) -> None:
        """Write the journal in a thread."""
        if self._worker is not None:
            self._pause.start()
            return
        self.is_kept = True
        self._worker = start_worker(
            _write,
            self._document(),
            self.journal,
            errored=self._on_error,
            finished=self._on_finished,
        )

    def close(self) -> None:
        """Write what is not yet kept, and let other windows have the journal."""
        if self._pause.isActive() or not self.is_kept:
            self._pause.stop()
            self._write_now()
        self.journal.unlock()

    def _write_now(self) -> None:
        try:
            self.journal.write(self._document())
            self.is_kept = True
        except MicroUSError as error:
            self.is_kept = False
            self.failed.emit(
                tr("Unsaved decisions cannot be kept. {why}").format(why=error.plain)
            )

    def _on_error(self, error: Exception) -> None:
        self.is_kept = False
        self.failed.emit(
            tr("Unsaved decisions cannot be kept: save them. {why}").format(
                why=plain_words(error)
            )
        )

    def _on_finished(self) -> None:
        self._worker = None


def _write(document: dict[str, Any], journal: Journal) -> Generator[Event, None, None]:
    yield from ()
    journal.write(document)
