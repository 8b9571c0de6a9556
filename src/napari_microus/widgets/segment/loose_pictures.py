"""Pictures that were opened one by one, and how they become the frames of one scan.

napari hands a reader the pictures that are dropped together one after the other, so
that the reader cannot know that they belong together; the user does.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_microus.core.errors import plain_words
from napari_microus.core.io import read_volume
from napari_microus.core.io.frames import FRAME_SUFFIXES, natural_key
from napari_microus.widgets._shared.belonging import lies_over
from napari_microus.widgets._shared.controls import push_button, text
from napari_microus.widgets._shared.layers import METADATA_KEY, layer_arguments
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_microus.core.volume import Volume
    from napari_microus.widgets._shared.worker import Worker


def loose_pictures(layers: Iterable[Layer]) -> list[Image]:
    """Return the most pictures of one folder and size that lie open one by one.

    Pictures over which somebody has drawn are left alone. Fewer than two are none.
    """
    layers = list(layers)
    drawn = [layer for layer in layers if isinstance(layer, Labels)]
    groups: dict[Any, list[Image]] = defaultdict(list)
    for layer in layers:
        source = _source(layer)
        if source is None or any(lies_over(mask, layer) for mask in drawn):
            continue
        groups[source.parent, tuple(layer.data.shape), layer.rgb].append(layer)
    most = max(groups.values(), key=len, default=[])
    if len(most) < 2:
        return []
    return sorted(most, key=lambda layer: natural_key(Path(_source(layer) or "")))


def _source(layer: Layer) -> Path | None:
    """Return the picture's file of a layer of one frame, None for any other layer."""
    own = layer.metadata.get(METADATA_KEY, {})
    source = Path(own.get("source") or "") if isinstance(own, dict) else Path()
    is_picture = source.suffix.lower() in FRAME_SUFFIXES
    if not isinstance(layer, Image) or not is_picture or layer.multiscale:
        return None
    sizes = layer.data.shape[: layer.ndim]
    return source if all(size == 1 for size in sizes[:-2]) else None


class LoosePictures(QWidget):
    """Offers to make one scan of pictures that lie open one by one."""

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Image] = []
        self._worker: Worker | None = None
        self.words = text()
        self.button = push_button(
            tr("Make them one scan"),
            tr("Read them as the frames of one scan, by their numbers."),
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.button)
        self.button.clicked.connect(self.join)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self._look)
        self._look()

    def _look(self, event: Any = None) -> None:
        self._layers = loose_pictures(self._viewer.layers)
        self.setVisible(bool(self._layers))
        if self._layers:
            folder = Path(_source(self._layers[0]) or "").parent.name
            self.words.setText(
                f"{len(self._layers)} pictures of the folder '{folder}' are open one "
                "by one."
            )

    def join(self) -> None:
        """Put one scan in the place of the pictures."""
        if self._worker is not None:
            return
        paths = [str(_source(layer)) for layer in self._layers]
        self.button.setEnabled(False)
        self._worker = start_worker(
            _read,
            paths,
            returned=self._on_volume,
            errored=lambda error: self.words.setText(plain_words(error)),
            finished=self._on_finished,
        )
        self.destroyed.connect(self._worker.forget)

    def _on_volume(self, volume: Volume) -> None:
        pictures = [layer for layer in self._layers if layer in self._viewer.layers]
        name = Path(volume.metadata["source"]).name
        for layer in pictures:
            self._viewer.layers.remove(layer)
        scan = Image(volume.array, name=name, **layer_arguments(volume))
        self._viewer.layers.append(scan)
        self._viewer.layers.selection.active = scan

    def _on_finished(self) -> None:
        self._worker = None
        self.button.setEnabled(True)


def _read(paths: list[str]) -> Generator[None, None, Volume]:
    yield
    return read_volume(paths)
