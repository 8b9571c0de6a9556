"""One piece of long work at a time in *Compare*: bar, Cancel, errors, buttons."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from slicer.i18n import tr as _

from MicroUSLib.event_pump import Cancelled, EventPump
from MicroUSLib.failure import shown_plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import SimpleNamespace

    from MicroUSLib.parameters import MicroUSParameterNode
    from napari_microus.core.compare.naming import Naming

    from .annotation_choice import AnnotationChoice
    from .comparison import Comparison

_CLOSED = _(
    "The scene was closed while annotations were compared. Load the case again."
)


class Comparer(Protocol):
    """What the parts below the tables ask of the panel they belong to."""

    found: Comparison | None
    parameters: MicroUSParameterNode | None
    expert: AnnotationChoice
    nonexpert: AnnotationChoice
    model: AnnotationChoice
    ensure_packages: Callable[[], Any]

    def compare(self) -> None:
        """Compare the chosen annotations, and show what differs."""

    def use_naming(self, naming: Naming) -> None:
        """Call and colour the two annotators so, everywhere in the panel."""

    @property
    def is_behind(self) -> bool:
        """Whether somebody painted in an annotation since it was compared."""

    def order_by_difficulty(self, per_frame: list[float]) -> bool:
        """Put the hardest frames first; return whether deciding was begun."""

    def look(self, frame: int, center: tuple[float, float] | None) -> None:
        """Show a frame in all slice views, centred on row and column."""


class CompareWork:
    """Shows that the panel works, and lets the user end it.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    refresh : callable
        Called when work begins and when it has ended.
    """

    def __init__(self, ui: SimpleNamespace, refresh: Callable[[], None]) -> None:
        self._ui = ui
        self._refresh = refresh
        self._pump: EventPump | None = None
        self._is_gone = False
        self._has_said = False
        ui.cancelCompareButton.clicked.connect(self.cancel)

    @property
    def is_busy(self) -> bool:
        """Whether something is at work."""
        return self._pump is not None

    @contextmanager
    def doing(self, failure: str) -> Iterator[EventPump]:
        """Work with the buttons off; an error is shown under the title ``failure``.

        Give what this yields to long work as its ``on_event``.
        """
        if self._pump is not None:  # one job is part of another
            yield self._pump
            return
        self._pump = EventPump(self._show)
        self._has_said = False
        self._refresh()
        try:
            with shown_plainly(failure):
                try:
                    yield self._pump
                except Cancelled:
                    self.say(_("Cancelled; the scene is as it was."))
        finally:
            self._pump = None
            if not self._is_gone:
                self._refresh()
                if not self._has_said:  # what stands there describes a step
                    self._ui.compareStatusLabel.text = ""

    def cancel(self, *args: object) -> None:
        """End the work at its next step."""
        if self._pump is not None:
            self.say(_("Stopping …"))
            self._pump.cancel()

    def scene_closes(self) -> None:
        """End the work with a message: its scene is going away."""
        if self._pump is not None:
            self._pump.cancel(_CLOSED)

    def release(self) -> None:
        """End the work without a word: the module is going away."""
        self._is_gone = True
        if self._pump is not None:
            self._pump.cancel()

    def say(self, words: str) -> None:
        """Show a sentence below the panel."""
        self._has_said = True
        if not self._is_gone:
            self._ui.compareStatusLabel.text = words

    def _show(self, done: int, total: int, message: str) -> None:
        if not self._is_gone:
            self._ui.compareProgressBar.maximum = total
            self._ui.compareProgressBar.value = done
            self._ui.compareStatusLabel.text = message
