"""What the window asks of the thread that segments, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_microus.core.events import Event

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_microus.core.library import LoadedModel, ModelInfo


@dataclass(frozen=True)
class Request:
    """Everything the thread needs, read from the window beforehand.

    ``data`` and ``attributes`` are those of the image layer; ``frames`` is None for
    all. ``maps`` names what is wanted beside the mask. ``shown`` is the frame in
    view, which is drawn first. ``channels`` holds data and attributes of each channel
    for a model of volumes, the image being the first of them.
    """

    data: Any
    attributes: Mapping[str, Any]
    model: ModelInfo
    device: str
    frames: tuple[int, ...] | None
    settings: Mapping[str, Any]
    maps: tuple[str, ...] = ()
    shown: int | None = None
    channels: Mapping[str, tuple[Any, Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PartialMask(Event):
    """The first of all frames is drawn in ``mask`` (Z, Y, X); the others follow.

    The thread waits a while for ``is_shown``: the window needs the processor.
    """

    mask: NDArray[np.uint8]
    is_shown: threading.Event


@dataclass(frozen=True)
class Segmented:
    """The mask of a request, (Z, Y, X), with wanted maps and what made it.

    ``confidence`` is for a provenance file, see `core.predict.confidence`;
    ``checksums`` are those of its frames, see `widgets._shared.drawn`.
    """

    mask: NDArray[Any]
    maps: Mapping[str, NDArray[Any]]
    model: LoadedModel
    seconds: float
    notices: tuple[str, ...]
    is_empty: bool
    confidence: Mapping[str, Any] = field(default_factory=dict)
    checksums: Mapping[int, int] = field(default_factory=dict)
