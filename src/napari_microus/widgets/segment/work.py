"""What happens in the thread between *Run* and the new layer."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.events import Event, Notice, Progress, relay
from napari_microus.core.volume import Volume
from napari_microus.widgets.segment.request import PartialMask, Request, Segmented

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from napari_microus.core.library import LoadedModel, ModelInfo


# A run that will take longer shows the capsule frame by frame. Making a layer holds up
# the window for a moment, which a shorter run can spare its user.
LONG_S = 0.8
# A frame asked alone takes so many times as long as one of a batch, at most.
_ALONE = 10
_PATIENCE_S = 1.0


class Segmenter:
    """Loads a model once and predicts with it as often as asked.

    Parameters
    ----------
    load_model, predict : callable
        ``core.library.load_model`` and ``core.predict.predict``, or stand-ins.
    """

    def __init__(
        self,
        load_model: Callable[..., LoadedModel],
        predict: Callable[..., Generator[Event, None, Any]],
    ) -> None:
        self._load_model = load_model
        self._predict = predict
        self._loaded: tuple[Any, LoadedModel] | None = None
        self._loading = threading.Lock()
        self._can_draw = False
        self._was_asked = False
        self._keeps = True

    def forget(self) -> None:
        """Give the model's memory back; the next run loads it again."""
        self._keeps = False
        self._loaded = None

    def warm_up(self, model: ModelInfo, device: str) -> Generator[None, None, None]:
        """Do beforehand what the first run would have to wait for.

        Imports PyTorch, loads the model, asks it once, and has napari compile what
        draws a mask; a run that begins meanwhile waits for the step it needs.
        """
        loaded = self._model(model, device)
        yield
        if (
            self._was_asked or model.channels
        ):  # the run does the rest itself, and needs the processor
            return
        noise = np.random.default_rng(0).integers(0, 255, (1, 64, 64), np.uint8)
        for _ in self._predict(loaded, Volume(noise), device=device):
            yield
        self._prepare_drawing()

    def run(self, request: Request) -> Generator[Event, None, Segmented]:
        """Segment what the request holds; touches no layer."""
        from napari_microus.widgets._shared.layers import volume_from_layer_data

        started = time.perf_counter()
        self._was_asked = self._keeps = True
        yield Progress(0, 0, "frames", "Reading the image")
        volume = volume_from_layer_data(request.data, request.attributes)
        notices = list(volume.metadata.get("notices", ()))
        yield Progress(0, 0, "frames", f"Loading {request.model.name}")
        model = self._model(request.model, request.device)
        if request.channels:
            return (yield from self._run_volume(request, model, started))
        mask = np.zeros(volume.shape, np.uint8)
        work = self._predict(
            model,
            volume,
            device=request.device,
            frames=request.frames,
            first=request.shown,
            out=mask,
            **request.settings,
        )
        is_partial = request.frames is not None
        asked = time.perf_counter()
        try:
            while True:
                try:
                    event = next(work)
                except StopIteration as stop:
                    prediction = stop.value
                    break
                if isinstance(event, Notice):
                    notices.append(event.message)
                if isinstance(event, Progress) and event.done == 0:
                    asked = time.perf_counter()
                elif isinstance(event, Progress) and not is_partial:
                    is_partial = _is_long(time.perf_counter() - asked, event)
                    if is_partial:
                        self._prepare_drawing()
                        partial = PartialMask(mask, threading.Event())
                        yield partial
                        partial.is_shown.wait(_PATIENCE_S)
                yield event
        finally:
            work.close()
        # Here, where it holds nobody up: the first Labels layer imports pandas.
        self._prepare_drawing()
        maps = {name: getattr(prediction, name).array for name in request.maps}
        drawn = prediction.mask.array
        from napari_microus.widgets._shared.drawn import checksums

        return Segmented(
            drawn,
            maps,
            model,
            time.perf_counter() - started,
            tuple(notices),
            is_empty=not any(frame.any() for frame in drawn),
            confidence=_confidence(prediction),
            checksums=checksums(drawn),
        )

    def _run_volume(
        self, request: Request, model: LoadedModel, started: float
    ) -> Generator[Event, None, Segmented]:
        """Segment a volume of several channels."""
        from napari_microus.core.predict.volumes import predict_volume
        from napari_microus.widgets._shared.drawn import checksums
        from napari_microus.widgets._shared.layers import volume_from_layer_data

        channels = {
            name: volume_from_layer_data(data, attributes)
            for name, (data, attributes) in request.channels.items()
        }
        notices = [
            f"{name}: {notice}"
            for name, channel in channels.items()
            for notice in channel.metadata.get("notices", ())
        ]

        def note(event: Event) -> None:
            if isinstance(event, Notice):
                notices.append(event.message)

        work = predict_volume(
            model, channels, device=request.device, **request.settings
        )
        prediction = yield from relay(work, note)
        self._prepare_drawing()
        drawn = prediction.mask.array
        return Segmented(
            drawn,
            {name: getattr(prediction, name).array for name in request.maps},
            model,
            time.perf_counter() - started,
            tuple(notices),
            is_empty=not drawn.any(),
            checksums=checksums(drawn),
        )

    def _model(self, info: ModelInfo, device: str) -> LoadedModel:
        """Return the model, from memory while its file and the device are the same."""
        weights = info.path / "model.safetensors"
        stamp = weights.stat().st_mtime_ns if weights.exists() else 0
        key = (info.path, device, stamp)
        with self._loading:
            held = self._loaded
            if held is None or held[0] != key:
                held = self._loaded = None  # give the old one's memory back first
                held = (key, self._load_model(info.name, device=device))
                self._loaded = held if self._keeps else None
            return held[1]

    def _prepare_drawing(self) -> None:
        from napari_microus.widgets.segment.layers import warm_up

        if not self._can_draw:
            warm_up()
        self._can_draw = True


def _confidence(prediction: Any) -> Mapping[str, Any]:
    from napari_microus.core.predict import Prediction
    from napari_microus.core.predict.confidence import to_provenance

    return to_provenance(prediction) if isinstance(prediction, Prediction) else {}


def _is_long(seconds: float, progress: Progress) -> bool:
    """Return whether the rest will take long, judged by what has been done."""
    left = seconds / progress.done * (progress.total - progress.done)
    return left > LONG_S * (_ALONE if progress.done == 1 else 1)


def load_lazily(name: str, device: str) -> LoadedModel:
    """`core.library.load_model`, importing PyTorch without holding up the window."""
    from napari_microus.core.library import load_model
    from napari_microus.core.preload import import_torch

    import_torch()
    return load_model(name, device=device)


def predict_lazily(*args: Any, **settings: Any) -> Generator[Event, None, Any]:
    """`core.predict.predict`, imported (with PyTorch) when the first run begins."""
    from napari_microus.core.predict import predict

    return (yield from predict(*args, **settings))
