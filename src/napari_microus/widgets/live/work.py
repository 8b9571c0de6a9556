"""What happens in the thread between *Connect* and the end of a stream."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

from napari_microus.core.preload import import_torch
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_microus.core.events import Event
    from napari_microus.core.library import ModelInfo
    from napari_microus.core.live import LiveFrame, Recording


class LiveWork:
    """Follows one source; the window takes the newest answer whenever it can.

    Only what the window must hear of is yielded. Frames are left in ``newest``, so
    that a window that is busy has none to catch up with.

    Parameters
    ----------
    address : str
        ``host:port``, a folder or a video, see `core.live.source_of`.
    model : ModelInfo
        From `core.library.list_models`.
    settings : dict
        Of `core.predict.predict`.
    """

    def __init__(self, address: str, model: ModelInfo, **settings: Any) -> None:
        self._address = address
        self._model, self._settings = model, settings
        self._wanted: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._recording: Recording | None = None
        #: The last frame that was answered.
        self.newest: LiveFrame | None = None
        #: Who draws the capsules, once the model is loaded.
        self.provenance: dict[str, Any] | None = None
        #: Frames that the recording holds.
        self.recorded = 0
        #: Whether a recording was asked for and has not ended.
        self.is_recording = False

    def record(self, path: Path | None) -> None:
        """Ask for a recording from here on, or for its end."""
        self.is_recording = path is not None
        self._wanted.put(path)

    def __call__(self) -> Generator[Event, None, None]:
        """Follow until closed; a recording that runs is saved then."""
        import_torch()
        from napari_microus.core.events import Notice
        from napari_microus.core.library import load_model
        from napari_microus.core.live import LiveFrame, follow, source_of
        from napari_microus.core.provenance import segmentation_provenance

        source = source_of(self._address)
        yield Notice(tr("Loading the model …"))
        device = self._settings.get("device", "auto")
        model = load_model(self._model.path, device)
        self.provenance = segmentation_provenance(
            [model], image="", frames=None, device=device, settings=self._settings
        )
        work = follow(model, source, **self._settings)
        try:
            for event in work:
                yield from self._start_or_end_recording()
                if not isinstance(event, LiveFrame):
                    yield event
                    continue
                self.newest = event
                yield from self._keep(event)
        finally:
            work.close()
            self._save()

    def _keep(self, event: LiveFrame) -> Generator[Event, None, None]:
        from napari_microus.core.errors import MicroUSError
        from napari_microus.core.events import Notice, Progress

        if self._recording is not None:
            try:
                self._recording.add(event)
                self.recorded = self._recording.count
            except MicroUSError as error:
                saved = self._save()
                self.is_recording = False
                yield Notice(f"{error.plain} {saved}")
        # A beat for the worker, which looks then whether it is to end.
        yield Progress(event.number, 0)

    def _start_or_end_recording(self) -> Generator[Event, None, None]:
        from napari_microus.core.errors import MicroUSError
        from napari_microus.core.events import Notice
        from napari_microus.core.live import Recording

        while not self._wanted.empty():
            path = self._wanted.get()
            if self._recording is not None:
                yield Notice(self._save())
            if path is None:
                continue
            try:
                # The dialog has asked about an existing file.
                self._recording = Recording(path, overwrite=True)
                self._recording.provenance = self.provenance
                self.recorded = 0
            except MicroUSError as error:
                self.is_recording = False
                yield Notice(error.plain)

    def _save(self) -> str:
        """Save what was recorded, and return the sentence about it."""
        from napari_microus.core.errors import MicroUSError

        recording, self._recording = self._recording, None
        if recording is None:
            return ""
        try:
            files = recording.save()
        except MicroUSError as error:
            return error.plain
        if not files:
            return tr("Nothing was recorded.")
        return f"{recording.count} frames saved: {files[0].name}, {files[1].name}."
