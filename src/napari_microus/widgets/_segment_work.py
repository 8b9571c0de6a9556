"""What happens in the thread between *Run* and the new layer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_microus.core.events import Notice, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.core.library import LoadedModel, ModelInfo


@dataclass(frozen=True)
class Request:
    """Everything the thread needs, read from the window beforehand.

    ``data`` and ``attributes`` are those of the image layer; ``frames`` is None for
    all. ``maps`` names what is wanted beside the mask.
    """

    data: Any
    attributes: Mapping[str, Any]
    model: ModelInfo
    device: str
    frames: tuple[int, ...] | None
    settings: Mapping[str, Any]
    maps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segmented:
    """The mask of a request, (Z, Y, X), with wanted maps and what made it."""

    mask: NDArray[Any]
    maps: Mapping[str, NDArray[Any]]
    model: LoadedModel
    seconds: float
    notices: tuple[str, ...]


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

    def run(self, request: Request) -> Generator[Event, None, Segmented]:
        """Segment what the request holds; touches no layer."""
        from napari_microus.widgets._layers import volume_from_layer_data
        from napari_microus.widgets._segment_layers import warm_up

        started = time.perf_counter()
        yield Progress(0, 0, "frames", "Reading the image")
        warm_up()
        volume = volume_from_layer_data(request.data, request.attributes)
        notices = list(volume.metadata.get("notices", ()))
        yield Progress(0, 0, "frames", f"Loading {request.model.name}")
        model = self._model(request.model, request.device)
        work = self._predict(
            model,
            volume,
            device=request.device,
            frames=request.frames,
            **request.settings,
        )
        try:
            while True:
                try:
                    event = next(work)
                except StopIteration as stop:
                    prediction = stop.value
                    break
                if isinstance(event, Notice):
                    notices.append(event.message)
                yield event
        finally:
            work.close()
        maps = {name: getattr(prediction, name).array for name in request.maps}
        seconds = time.perf_counter() - started
        return Segmented(prediction.mask.array, maps, model, seconds, tuple(notices))

    def _model(self, info: ModelInfo, device: str) -> LoadedModel:
        """Return the model, from memory while its file and the device are the same."""
        weights = info.path / "model.safetensors"
        stamp = weights.stat().st_mtime_ns if weights.exists() else 0
        key = (info.path, device, stamp)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = None  # give the old one's memory back first
            self._loaded = (key, self._load_model(info.name, device=device))
        return self._loaded[1]


def predict_lazily(*args: Any, **settings: Any) -> Generator[Event, None, Any]:
    """`core.predict.predict`, imported (with PyTorch) when the first run begins."""
    from napari_microus.core.predict import predict

    return (yield from predict(*args, **settings))
