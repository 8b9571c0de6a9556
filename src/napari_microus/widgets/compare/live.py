"""Keep the disagreement layer true while someone paints in either mask."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_microus.core.colors import HARD_REGION
from napari_microus.core.compare.live import LiveDisagreement
from napari_microus.core.compare.naming import OPEN, Naming
from napari_microus.core.disagreement import (
    EXPERT_ONLY,
    NONEXPERT_ONLY,
    Counts,
    counts,
)
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.widgets._shared.edits import EditWatcher
from napari_microus.widgets._shared.layers import ROLE, derived_metadata, geometry
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.display import DisplayCodes

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_microus.widgets.compare.pair import Pair

    Box = tuple[slice, ...]

# How long the window may be kept busy in one go while frames are compared.
_BUDGET_S = 0.008


class LiveComparison(QObject):
    """Two masks under comparison, and the layers that show how they differ.

    ``changed(frames)`` is emitted with the frames that differ from before,
    ``progressed(done, total)`` of work over all frames, ``noticed(text)`` of
    something the user should read, and ``ended(reason)`` that the masks are no longer
    followed.

    Parameters
    ----------
    viewer : ViewerModel
        Where the masks are and the layers go.
    pair : Pair
        What to compare.
    naming : Naming
        Names and colours of the annotators.
    """

    changed = Signal(object)
    progressed = Signal(int, int)
    ended = Signal(str)
    noticed = Signal(str)

    def __init__(self, viewer: ViewerModel, pair: Pair, naming: Naming = OPEN) -> None:
        super().__init__()
        self.viewer = viewer
        self.pair = pair
        self.grid = pair.volume()
        self.naming = naming
        # As they are called in files; blind work renames the layers.
        self.names = (pair.expert.name, pair.nonexpert.name)
        self.is_open = True
        self.live = LiveDisagreement(
            pair.expert.data,
            pair.nonexpert.data,
            expert_value=pair.expert_value,
            nonexpert_value=pair.nonexpert_value,
        )
        self.hard_layer: Labels | None = None
        self.layer = self._add_layer(
            self.live.codes, "disagreement", naming.color_map(), opacity=0.7
        )
        self._work: Generator[int, None, None] | None = None
        self._widening: Generator[int, None, None] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._work_on)
        self._watchers = [
            EditWatcher(viewer, layer) for layer in (pair.expert, pair.nonexpert)
        ]
        for watcher in self._watchers:
            watcher.edited.connect(self._update)
            watcher.replaced.connect(self._on_new_array)
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in (pair.expert, pair.nonexpert):
            layer.events.paint.connect(self._on_label)
        self.compare_all()

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.live.per_frame)

    @property
    def counts(self) -> Counts:
        """Pixel counts over all frames, up to date."""
        return counts(self.live.per_frame)

    @property
    def is_busy(self) -> bool:
        """True while frames wait to be compared or widened."""
        return self._work is not None or self._widening is not None

    def shown_frame(self) -> int:
        """Return the index of the frame in view."""
        return self._watchers[0].shown_frame()

    def go_to(self, frame: int) -> None:
        """Bring a frame into view."""
        if self.layer.ndim == 2:
            return
        world = self.layer.data_to_world((frame, 0, 0))
        axis = self.viewer.dims.ndim - self.layer.ndim
        self.viewer.dims.set_point(axis, float(world[0]))

    def compare_all(self) -> None:
        """Compare every frame, the one in view first, a few at a time."""
        shown = self.shown_frame()
        order = sorted(range(self.frames), key=lambda frame: abs(frame - shown))
        self._work = self._compare_frames(order)
        self._timer.start()

    def widen(
        self,
        kernel_size: int | tuple[int, int] | None,
        network_size: int | None = None,
    ) -> None:
        """Show the hard region for a square of pixels, or None to hide it.

        With ``network_size`` the pixels are those of the network, as in the losses;
        else of the scan, of which it may be a rectangle (height, width).
        """
        if kernel_size is None:
            self._widening = None
            self.live.stop_widening()
            layer, self.hard_layer = self.hard_layer, None
            if layer is not None and layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        else:
            # A step of the kernel takes the place of one that has not ended.
            self._widening = self._widen_frames(kernel_size, network_size)
            self._timer.start()

    def finish(self) -> None:
        """Do all work that waits, now; for tests and benchmarks."""
        self.look_again()
        self._finish_work()

    def look_again(self) -> None:
        """Compare whatever may have been edited without a word from napari."""
        for watcher in self._watchers:
            watcher.look_again()

    def show_naming(self, naming: Naming) -> None:
        """Use other names and colours; blind, numbers do not reveal who is who."""
        self.naming = naming
        shown: Any = self.live.codes
        first, second = naming.expert_color, naming.nonexpert_color
        if naming.is_swapped:
            shown = DisplayCodes(shown, EXPERT_ONLY, NONEXPERT_ONLY)
            first, second = second, first
        if self.layer.data is not shown:
            self.layer.data = shown
        self.layer.colormap = {
            **naming.color_map(),
            EXPERT_ONLY: first,
            NONEXPERT_ONLY: second,
        }

    def close(self, reason: str = "") -> None:
        """Follow the masks no longer; the layers stay."""
        if not self.is_open:
            return
        self.is_open = False
        self._timer.stop()
        self._work = self._widening = None
        for layer in (self.pair.expert, self.pair.nonexpert):
            layer.events.paint.disconnect(self._on_label)
        for watcher in self._watchers:
            watcher.close()
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self.ended.emit(reason)

    def _add_layer(
        self, array: Any, name: str, colors: dict[int | None, str], opacity: float
    ) -> Labels:
        expert = self.pair.expert
        active = self.viewer.layers.selection.active
        layer = self.viewer.add_labels(
            array,
            name=name,
            colormap=colors,
            opacity=opacity,
            metadata=derived_metadata(expert, **{ROLE: name}),
            **geometry(expert),
        )
        layer.editable = False
        if active is not None:
            self.viewer.layers.selection.active = active
        return layer

    def _on_removed(self, event: Any) -> None:
        gone = event.value
        if gone is self.hard_layer:
            self.hard_layer = None
            self._widening = None
            self.live.stop_widening()
        elif gone is self.layer:
            self.close(
                tr("The disagreement layer was removed. Press Compare to continue.")
            )
        elif gone in (self.pair.expert, self.pair.nonexpert):
            self.close(
                tr(
                    "'{name}' was removed, so the comparison has stopped. Choose two "
                    "masks and press Compare."
                ).format(name=gone.name)
            )

    def _on_label(self, event: Any) -> None:
        """Report that a label that was painted is none that is compared."""
        pair = self.pair
        for layer, value in (
            (pair.expert, pair.expert_value),
            (pair.nonexpert, pair.nonexpert_value),
        ):
            label = layer.selected_label
            if event.source is layer and label not in (0, value, IGNORE_VALUE):
                self.noticed.emit(
                    tr(
                        "Label {label} of '{name}' counts as background: label {value} "
                        "is compared. Paint with {value}, or choose another label and "
                        "press Compare."
                    ).format(label=label, name=layer.name, value=value)
                )

    def _on_new_array(self) -> None:
        for position, watcher in enumerate(self._watchers):
            layer = watcher.layer
            if layer.data.shape != self.live.codes.shape:
                self.close(
                    tr(
                        "'{name}' has changed its size, so the comparison has stopped. "
                        "Choose two masks of one scan and press Compare."
                    ).format(name=layer.name)
                )
                return
            self.live.replace_mask(position, layer.data)
        self.compare_all()

    def _update(self, box: Box) -> None:
        changed = self.live.update(box)
        if changed is None:
            return
        frames = range(1)
        if self.layer.ndim == 3:
            frames = range(changed[0].start, changed[0].stop)
        self._redraw(frames)
        self.changed.emit(set(frames))

    def _redraw(self, frames: range) -> None:
        if self.viewer.dims.ndisplay == 2 and self.shown_frame() not in frames:
            return
        for layer in (self.layer, self.hard_layer):
            if layer is not None:
                layer.refresh(thumbnail=False, highlight=False, extent=False)

    # --- work over all frames, in pieces too small to be felt

    def _work_on(self) -> None:
        began = time.perf_counter()
        while self.is_busy and time.perf_counter() - began < _BUDGET_S:
            self._step()

    def _finish_work(self) -> None:
        while self.is_busy:
            self._step()

    def _step(self) -> None:
        # Widening needs what comparing finds.
        work = self._work or self._widening
        assert work is not None  # looked at by the callers
        try:
            done = next(work)
        except StopIteration:
            if work is self._work:
                self._work = None
            else:
                self._widening = None
            if not self.is_busy:
                self._timer.stop()
            self._redraw(range(self.frames))
            self.changed.emit(set(range(self.frames)))
        else:
            self.progressed.emit(done, self.frames)

    def _compare_frames(self, order: list[int]) -> Generator[int, None, None]:
        for done, frame in enumerate(order, start=1):
            self.live.update((slice(frame, frame + 1),) if self.layer.ndim == 3 else ())
            if done == 1:
                self._redraw(range(frame, frame + 1))
            yield done

    def _widen_frames(
        self, kernel_size: int | tuple[int, int], network_size: int | None
    ) -> Generator[int, None, None]:
        for done, _ in enumerate(self.live.widen(kernel_size, network_size), start=1):
            yield done
        assert self.live.hard is not None  # widening ends with it
        if self.hard_layer is None:
            self.hard_layer = self._add_layer(
                self.live.hard,
                "hard region",
                {1: HARD_REGION, None: "transparent"},
                opacity=0.45,
            )
