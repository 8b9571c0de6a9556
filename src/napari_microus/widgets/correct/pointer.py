"""Tools that are used on the picture: clicks, a scribble, a box, a nudging circle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_microus.core.edit.clicks import (
    Click,
    Scribble,
    apply_box,
    apply_clicks,
)
from napari_microus.core.edit.curve import evened, mask_of, nudge, outline_of, resample
from napari_microus.core.errors import InputError, plain_words
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.correct.live import LiveFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_microus.widgets.correct.dock import CorrectWidget

Mode = Literal["click", "scribble", "box", "nudge"]
#: What to do, by tool.
ADVICE: dict[str, str] = {
    "click": "Click where the outline is wrong; drag to move the picture.",
    "scribble": "Scribble over what is missing, beginning outside the outline, or "
    "over what is too much, beginning inside it.",
    "box": "Drag a box round the gland, from corner to corner.",
    "nudge": "Push the outline with the circle, from inside or outside.",
}
_MOVED_PX = 4  # on the screen: a longer way is no click
_POINTS = 720


class PointerTools:
    """Follows the mouse on the canvas for the dock, while a tool is on.

    Parameters
    ----------
    dock : CorrectWidget
        Whose capsule is corrected.
    viewer : ViewerModel
        Whose canvas is listened to.
    """

    def __init__(self, dock: CorrectWidget, viewer: Any) -> None:
        self._dock, self._viewer = dock, viewer
        self.mode: Mode | None = None
        self._live: LiveFrame | None = None
        #: Clicks of each frame since it was last drawn in another way.
        self.clicks: dict[int, list[Click]] = {}

    @property
    def is_dragging(self) -> bool:
        """Whether a frame is being drawn right now."""
        return self._live is not None

    def use(self, mode: Mode) -> None:
        """Switch a tool on, and any other off."""
        capsule = self._dock.capsule
        assert capsule is not None  # the buttons are off without one
        self.leave()
        layer = capsule.layer
        layer.mode = "pan_zoom"
        self._viewer.layers.selection.active = layer
        self.mode = mode
        if mode != "click":
            layer.mouse_pan = False
            layer.cursor = "cross"
        self.show_circle()
        self._viewer.mouse_drag_callbacks.append(self._on_press)
        layer.events.mode.connect(self._switch_off)
        self._viewer.layers.selection.events.active.connect(self._switch_off)

    def _switch_off(self, event: Any = None) -> None:
        """Give the mouse back: the user took up something else."""
        if self.mode is not None:
            self._dock.tool_buttons[self.mode].setChecked(False)

    def leave(self) -> None:
        """Switch the tool off."""
        callbacks = self._viewer.mouse_drag_callbacks
        if self._on_press in callbacks:
            callbacks.remove(self._on_press)
        capsule = self._dock.capsule
        if self.mode is None or capsule is None:
            return
        layer = capsule.layer
        layer.events.mode.disconnect(self._switch_off)
        self._viewer.layers.selection.events.active.disconnect(self._switch_off)
        if layer.mode == "pan_zoom":
            layer.mouse_pan = True
            layer.cursor = "standard"
        self.mode = None

    def show_circle(self) -> None:
        """Give the mouse the shape of the nudging circle."""
        capsule = self._dock.capsule
        if self.mode == "nudge" and capsule is not None:
            scale = np.abs(capsule.layer.scale[-2:]).min()
            capsule.layer.cursor_size = 2 * self.radius() * float(scale)
            capsule.layer.cursor = "circle"

    def radius(self) -> float:
        """Return the radius of the nudging circle in pixels of the frame."""
        capsule = self._dock.capsule
        assert capsule is not None
        mask = capsule.mask(self._dock.frame)
        # In an empty frame there is nothing to nudge, but the mouse has a shape.
        width = np.ptp(np.flatnonzero(mask.any(0))) + 1 if mask.any() else 40
        share = self._dock.circle.value() / 100
        return max(2.0, 0.5 * share * float(width))

    def _on_press(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        """Follow one press to its release; napari's generator form."""
        if event.button not in (1, None) or event.modifiers or self.mode is None:
            return
        if self.mode == "click":
            start = np.asarray(event.pos, dtype=float)
            yield
            while event.type == "mouse_move":
                yield
            apart = np.linalg.norm(np.asarray(event.pos, dtype=float) - start)
            if apart <= _MOVED_PX:
                self.click(event.position)
            return
        if not self.begin(event.position):
            return
        yield
        while event.type == "mouse_move":
            self.drag(event.position)
            yield
        self.end()

    def _at(self, position: tuple[float, ...]) -> tuple[float, float]:
        """Return the row and column of a point of napari's world."""
        capsule = self._dock.capsule
        assert capsule is not None
        row, column = capsule.layer.world_to_data(position)[-2:]
        return float(row), float(column)

    def click(self, position: tuple[float, ...]) -> None:
        """Correct the frame in view at a point of napari's world."""
        capsule, frame = self._dock.capsule, self._dock.frame
        if capsule is None or self._viewer.dims.ndisplay != 2:
            return
        mask = capsule.mask(frame)
        row, column = self._at(position)
        if not _is_in(mask, row, column):
            self._dock.say(
                tr("The click lies outside the picture. Click on the frame.")
            )
            return
        is_inside = not mask[round(row), round(column)]
        clicks = [*self.clicks.get(frame, []), Click(row, column, bool(is_inside))]
        try:
            fresh = apply_clicks(mask, clicks)
        except InputError as error:
            self._dock.say(plain_words(error))
            return
        self._dock.draw({frame: fresh}, by_person=True)
        self.clicks[frame] = clicks
        self._dock.say("")

    def begin(self, position: tuple[float, ...]) -> bool:
        """Begin to drag a tool at a point of napari's world, if it can be."""
        capsule, frame = self._dock.capsule, self._dock.frame
        if capsule is None or self._viewer.dims.ndisplay != 2:
            self._dock.say(tr("Frames are corrected in napari's 2D view."))
            return False
        mask = capsule.mask(frame)
        start = self._at(position)
        drags: dict[str, Callable[..., _Drag]] = {
            "scribble": _Scribble,
            "box": _Box,
            "nudge": _Nudge,
        }
        try:
            self._drag = drags[str(self.mode)](mask, start, self.radius())
        except InputError as error:
            self._dock.say(plain_words(error))
            return False
        self._live = LiveFrame(capsule, frame, self._drag.mask)
        return True

    def drag(self, position: tuple[float, ...]) -> None:
        """Continue with the tool at a point of napari's world."""
        if self._live is not None:
            self._drag.go(self._at(position))
            self._live.touch()

    def end(self) -> None:
        """Leave what was drawn as one step that can be undone."""
        if self._live is None:
            return
        live, self._live = self._live, None
        live.close()
        self._dock.note_edit(live.frame)
        self._dock.say("")

    def forget(self) -> None:
        """Let the capsule go: it is no longer corrected."""
        self.leave()
        if self._live is not None:
            self._live.release()
            self._live = None
        self.clicks.clear()


class _Drag(ABC):
    """A tool between press and release, in rows and columns of the frame."""

    def __init__(
        self, before: NDArray[np.bool_], start: tuple[float, float], radius: float
    ) -> None:
        self.before, self.start, self.radius = before, start, radius
        self.now = start

    def go(self, point: tuple[float, float]) -> None:
        self.now = point

    @abstractmethod
    def mask(self) -> NDArray[np.bool_] | None:
        """Return the frame's mask as it is now, None where there is nothing to show."""


class _Scribble(_Drag):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if not _is_in(self.before, *self.start):
            raise InputError(
                "A scribble must begin in the picture; got one beside it. Begin on "
                "the frame.",
                plain="Begin the scribble inside the picture.",
            )
        is_inside = not self.before[round(self.start[0]), round(self.start[1])]
        self.scribble = Scribble(self.before, bool(is_inside))
        self.scribble.add([self.start])
        self.last = self.start

    def go(self, point: tuple[float, float]) -> None:
        way = np.linspace(self.last, point, self._steps(point) + 1)[1:]
        self.scribble.add(way.tolist())
        self.last = point

    def _steps(self, point: tuple[float, float]) -> int:
        """Return into how many steps a fast move is divided."""
        apart = float(np.linalg.norm(np.subtract(point, self.last)))
        return max(1, round(apart / max(1.0, 0.2 * self.radius)))

    def mask(self) -> NDArray[np.bool_] | None:
        return self.scribble.mask()


class _Box(_Drag):
    def mask(self) -> NDArray[np.bool_] | None:
        try:
            return apply_box(self.before, self.start, self.now)
        except InputError:  # hardly begun
            return None


class _Nudge(_Drag):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.curve = resample(outline_of(self.before), _POINTS)
        self.is_moved = False

    def go(self, point: tuple[float, float]) -> None:
        pushed = nudge(self.curve, self.now, point, self.radius)
        self.is_moved |= not np.array_equal(pushed, self.curve)
        self.curve, self.now = evened(pushed), point

    def mask(self) -> NDArray[np.bool_] | None:
        # An outline that was not touched stays as it is to the last pixel.
        return mask_of(self.curve, self.before.shape) if self.is_moved else None


def _is_in(mask: NDArray[np.bool_], row: float, column: float) -> bool:
    return bool(0 <= round(row) < mask.shape[0] and 0 <= round(column) < mask.shape[1])
