"""What is adjudicated now, and whether it may be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_microus.core.compare.naming import OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.compare.naming import Naming
    from napari_microus.core.compare.regions import DisputedRegion
    from napari_microus.widgets.compare.adjudicating import AdjudicationLayers
    from napari_microus.widgets.compare.work_panel import WorkPanel


class Current(QObject):
    """The adjudication at work and the region in view.

    ``said(text)`` carries a sentence for the user.

    Parameters
    ----------
    panel : WorkPanel
        Where the adjudication is shown.
    """

    said = Signal(str)

    def __init__(self, panel: WorkPanel) -> None:
        super().__init__(panel)
        self.panel = panel
        self.shown: AdjudicationLayers | None = None
        self.region: DisputedRegion | None = None
        self.naming: Naming = OPEN
        self.who: Callable[[], str] = str
        self.is_locked = False

    def ready(self) -> AdjudicationLayers | None:
        """Return the adjudication to change now, None while it must not change."""
        if self.shown is None or self.is_locked:
            return None
        self.shown.work.who = self.who()
        self.said.emit("")
        return self.shown
