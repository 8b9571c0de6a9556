"""The small tools of the *Correct* dock: one press, one step, on one frame or many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from napari_microus.core.edit import tools
from napari_microus.core.errors import ConfigError, InputError, plain_words
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.widgets._shared.belonging import lies_over
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_microus.widgets.correct.dock import CorrectWidget

#: To which frames a tool is applied.
THIS, OPEN, RANGE = tr("this frame"), tr("all not approved"), tr("frames…")


class FrameTools:
    """Changes frames of the dock's capsule by functions of their masks.

    Parameters
    ----------
    dock : CorrectWidget
        Whose capsule is corrected; its *Apply to* box says in which frames.
    viewer : ViewerModel
        Where two annotations of the scan are looked for.
    """

    def __init__(self, dock: CorrectWidget, viewer: Any) -> None:
        self._dock, self._viewer = dock, viewer

    def connect(self) -> None:
        """Let the dock's buttons do what they say."""
        dock = self._dock
        dock.smooth_button.clicked.connect(lambda: self.change(tools.smooth))
        dock.fill_button.clicked.connect(lambda: self.change(tools.fill))
        dock.largest_button.clicked.connect(lambda: self.change(tools.largest))
        dock.grow_button.clicked.connect(lambda: self.grow(1))
        dock.shrink_button.clicked.connect(lambda: self.grow(-1))
        dock.copy_button.clicked.connect(self.copy_to_next)
        dock.clear_button.clicked.connect(lambda: self.change(np.zeros_like))
        dock.agreed_menu.aboutToShow.connect(self._list_pairs)

    def frames(self) -> list[int]:
        """Return the frames that a tool is to change; approved ones only by name.

        Raises
        ------
        InputError
            If the range is none, or goes beyond the scan.
        """
        dock = self._dock
        assert dock.capsule is not None
        choice = dock.apply_box.currentText()
        if choice == THIS:
            return [dock.frame]
        count = dock.capsule.count
        approved = dock.capsule.review.approved
        if choice == OPEN:
            return [k for k in range(count) if k not in approved]
        from napari_microus.core.predict.files import parse_frames

        try:
            named = parse_frames(dock.range_edit.text())
        except ConfigError as error:
            raise InputError(str(error), plain=error.plain) from None
        if max(named) >= count:
            raise InputError(
                f"Frames must be among 0 to {count - 1}; got {max(named)}. "
                "Give others.",
                plain=f"This scan has frames 0 to {count - 1}. Give frames of it.",
            )
        return sorted(set(named))

    def change(self, tool: Callable[[Any], Any]) -> None:
        """Change the chosen frames by a function of the mask, as one step."""
        self.change_each(lambda frame, mask: tool(mask))

    def change_each(
        self, tool: Callable[[int, NDArray[np.bool_]], NDArray[np.bool_]]
    ) -> None:
        """Change the chosen frames by a function of frame and mask, as one step."""
        dock = self._dock
        if dock.capsule is None or dock.is_running:
            return
        dock.stop_drawing()
        try:
            frames = self.frames()
            fresh = {k: tool(k, dock.capsule.mask(k)) for k in frames}
        except InputError as error:
            dock.say(plain_words(error))
            return
        done = dock.draw(fresh, by_person=True)
        if not done:
            dock.say(
                tr("The frame was so already.")
                if len(frames) == 1
                else tr("No change.")
            )
        elif len(frames) > 1:
            dock.say(f"Changed {len(done)} of {len(frames)} frames; Ctrl+Z undoes it.")
        else:
            dock.say("")

    def grow(self, sign: int) -> None:
        """Move the outline outwards or inwards by the chosen distance."""
        if self._dock.capsule is not None:
            pixel, _ = self._dock.capsule.pixel()
            distance = sign * self._dock.grow_by.value()
            self.change(lambda mask: tools.grow(mask, distance, pixel))

    def copy_to_next(self) -> None:
        """Put the frame's capsule into the next frame and go there."""
        dock = self._dock
        if dock.capsule is None:
            return
        dock.stop_drawing()
        following = dock.frame + 1
        if following >= dock.capsule.count:
            dock.say(tr("This is the last frame: there is none to copy to."))
            return
        if following in dock.capsule.review.protected:
            dock.say(f"Frame {following} was drawn or approved and stays as it is.")
            return
        dock.draw({following: dock.capsule.mask(dock.frame)}, by_person=True)
        dock.go_to(following)

    # ------------------------------------------------------------- two annotators

    def pairs(self) -> list[tuple[Labels, Labels]]:
        """Return the pairs of other annotations that lie over the scan."""
        capsule = self._dock.capsule
        if capsule is None:
            return []
        others = [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Labels)
            and layer is not capsule.layer
            and lies_over(layer, capsule.scan)
            and set(np.unique(layer.data)) <= {0, 1, IGNORE_VALUE}
        ]
        return [
            (one, other)
            for place, one in enumerate(others)
            for other in others[place + 1 :]
        ]

    def _list_pairs(self) -> None:
        menu = self._dock.agreed_menu
        menu.clear()
        for one, other in self.pairs():
            menu.addAction(
                f"{one.name} and {other.name}",
                lambda one=one, other=other: self.keep_agreed(one, other),
            )
        if menu.isEmpty():
            menu.addAction(
                tr("No two other annotations lie over this scan")
            ).setEnabled(False)

    def keep_agreed(self, one: Labels, other: Labels) -> None:
        """Outside the hard region of two annotations, draw what both of them drew."""
        shape = (-1, *one.data.shape[-2:])
        first, second = (np.asarray(x.data).reshape(shape) for x in (one, other))
        self.change_each(
            lambda frame, mask: tools.keep_agreed(mask, first[frame], second[frame])
        )
