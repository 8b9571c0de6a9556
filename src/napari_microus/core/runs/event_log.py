"""Read what a run reports while it is still being written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core.events import Event, from_json

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

# Parsing this much takes a few milliseconds.
_BYTES_PER_LOOK = 200_000
_ANCHOR_BYTES = 200


class EventLog:
    """The growing file of a run's events, from which lines are taken bit by bit.

    A resumed run drops what it had reported after its last checkpoint; `read` then
    signals that everything comes again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._anchor = b""

    def read(self) -> tuple[list[Event], bool]:
        """Return events that were added, and whether they begin from the start."""
        try:
            with self._path.open("rb") as file:
                starts_over = not self._is_same(file)
                if starts_over:
                    self._position, self._anchor = 0, b""
                file.seek(self._position)
                chunk = file.read(_BYTES_PER_LOOK)
        except OSError:
            starts_over, chunk = self._position > 0, b""
            if starts_over:
                self._position, self._anchor = 0, b""
        whole = chunk[: chunk.rfind(b"\n") + 1]
        self._position += len(whole)
        self._anchor = (self._anchor + whole)[-_ANCHOR_BYTES:]
        lines = whole.decode("utf-8", "replace").splitlines()
        events = [event for line in lines if (event := from_json(line)) is not None]
        return events, starts_over

    def _is_same(self, file: IO[bytes]) -> bool:
        """Return whether the file still holds what was read, judged by its end."""
        file.seek(self._position - len(self._anchor))
        return file.read(len(self._anchor)) == self._anchor
