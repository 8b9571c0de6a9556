"""The adjudicated mask as layers that can be drawn on, until it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_microus.core import colors
from napari_microus.core.colors import AGREED_COLOR, BETWEEN_COLOR, MORE_COLORS
from napari_microus.core.compare.adjudication.document import (
    Origin,
    place_of,
    to_document,
)
from napari_microus.core.compare.adjudication.sidecar import (
    adjudication_files,
)
from napari_microus.core.compare.adjudication.votes import (
    ANNOTATORS,
    CODE_OF_DECISION,
)
from napari_microus.core.compare.naming import HAND_DRAWN_COLOR, Naming
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.widgets._shared.edits import EditWatcher
from napari_microus.widgets._shared.layers import ROLE, derived_metadata, geometry
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.display import DisplayCodes
from napari_microus.widgets.compare.journal_keeper import JournalKeeper
from napari_microus.widgets.compare.outlined import Outlined
from napari_microus.widgets.compare.region_marks import RegionMarks

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_microus.core.compare.adjudication.history import Step
    from napari_microus.core.compare.adjudication.journal import Journal
    from napari_microus.core.compare.adjudication.session import Adjudication
    from napari_microus.core.compare.regions import DisputedRegion
    from napari_microus.core.events import Event
    from napari_microus.widgets.compare.live import LiveComparison

# The disagreement stands back while what is decided is looked at.
_FADED = 0.35


@dataclass(frozen=True, eq=False)
class More:
    """Layers of the third and later annotators, each with one label."""

    layers: tuple[Labels, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(layer.name for layer in self.layers)


class AdjudicationLayers(QObject):
    """An adjudication shown in the viewer.

    ``changed()`` is emitted on a decision or a stroke, ``said(text)`` with what the
    user should read, and ``ended(reason)`` when the adjudicated layer has gone.

    Parameters
    ----------
    comparison : LiveComparison
        The pair that is being adjudicated.
    work : Adjudication
        What was decided so far.
    journal : Journal
        Held for this window; keeps unsaved decisions through a crash.
    settings : dict
        How the regions were found; goes into the sidecar.
    more : More
        Masks of further annotators.
    """

    changed = Signal()
    said = Signal(str)
    ended = Signal(str)

    def __init__(
        self,
        comparison: LiveComparison,
        work: Adjudication,
        journal: Journal,
        settings: dict[str, Any],
        more: More | None = None,
    ) -> None:
        super().__init__()
        self.viewer = comparison.viewer
        self.grid = comparison.grid
        self.work = work
        self.margin_px: int | None = None
        self.is_saved = True
        self.more = more or More()
        self._more_names = self.more.names
        self._settings = settings
        self._pair = comparison.pair
        self._names = comparison.names
        self._naming = comparison.naming
        self._flat = comparison.layer.ndim == 2
        self.marks = RegionMarks(self.viewer, self._pair.expert, work.mask.shape)
        self._locked = [
            (layer, layer.locked, layer.editable)
            for layer in (self._pair.expert, self._pair.nonexpert, *self.more.layers)
        ]
        for layer, _, _ in self._locked:
            layer.locked = True
            layer.editable = False
            layer.events.editable.connect(self._keep_locked)
        self.provenance_layer = self._add_layer("provenance", work.provenance)
        self.provenance_layer.editable = False
        self.provenance_layer.visible = False
        self.layer = self._add_layer("adjudicated", work.mask)
        self.layer.contour = 2
        self._were_visible = [layer.visible for layer in self.more.layers]
        for layer in self.more.layers:
            layer.visible = True
        self._outlined = [
            Outlined(layer, None, color)
            for layer, color in zip(self.more.layers, MORE_COLORS, strict=False)
        ]
        self.show_naming(comparison.naming)
        self._disagreement = (comparison.layer, comparison.layer.opacity)
        comparison.layer.opacity = _FADED
        self._watcher = EditWatcher(self.viewer, self.layer, with_dabs=False)
        self._watcher.edited.connect(self._on_edit)
        self._watcher.replaced.connect(self._on_replaced)
        self.viewer.layers.events.removed.connect(self._on_removed)
        self.keeper = JournalKeeper(journal, self.document, self)
        self.keeper.failed.connect(self.said)

    @property
    def masks(self) -> list[Labels]:
        """The annotators' layers, which cannot be edited meanwhile."""
        return [layer for layer, _, _ in self._locked]

    # --- decisions

    def undo(self) -> Step | None:
        """Undo the last decision or stroke and return it."""
        return self._shown(self.work.undo())

    def redo(self) -> Step | None:
        """Do again what was undone last and return it."""
        return self._shown(self.work.redo())

    def _shown(self, step: Step | None) -> Step | None:
        if step is not None:
            self.show_change()
        return step

    def codes(self) -> NDArray[np.uint8]:
        """Return the disagreement map, (Z, Y, X)."""
        return self.work.codes

    def shown_frame(self) -> int:
        """Return the index of the frame in view."""
        return self._watcher.shown_frame()

    def look_at(self, region: DisputedRegion) -> None:
        """Bring a region into view, centred and large."""
        layer = self.layer
        frame, y, x = region.centre
        self.go_to(frame)
        index = (y, x) if self._flat else (frame, y, x)
        camera = self.viewer.scene.camera
        camera.center = tuple(float(v) for v in layer.data_to_world(index)[-3:])
        rows = region.box[1].stop - region.box[1].start
        columns = region.box[2].stop - region.box[2].start
        size = max(rows * layer.scale[-2], columns * layer.scale[-1])
        # With some of the picture around it, the more the smaller it is.
        width = max(1.4 * size, size + 80 * layer.scale[-1])
        camera.zoom = min(self.viewer.canvas.size) / width
        self.marks.outline(region)

    def go_to(self, frame: int) -> None:
        """Bring a frame into view."""
        if not self._flat:
            world = self.layer.data_to_world((frame, 0, 0))
            axis = self.viewer.dims.ndim - self.layer.ndim
            self.viewer.dims.set_point(axis, float(world[0]))

    # --- layers

    def show_naming(self, naming: Naming) -> None:
        """Use other names and colours."""
        self._naming = naming
        self.layer.colormap = {
            1: AGREED_COLOR,
            IGNORE_VALUE: colors.IGNORED,
            None: "transparent",
        }
        shown = self.work.provenance[0] if self._flat else self.work.provenance
        own = (naming.expert_color, naming.nonexpert_color)
        if naming.is_swapped:  # the numbers must not reveal who is who
            shown = DisplayCodes(shown, 1, 2)
            own = own[::-1]
        if self.provenance_layer.data is not shown:
            self.provenance_layer.data = shown
        self.provenance_layer.colormap = {
            **{
                CODE_OF_DECISION[decision]: color
                for decision, color in zip(
                    ANNOTATORS, (*own, *MORE_COLORS), strict=True
                )
            },
            3: HAND_DRAWN_COLOR,
            4: BETWEEN_COLOR,
            11: AGREED_COLOR,
            IGNORE_VALUE: colors.IGNORED,
            None: "transparent",
        }

    def close(self) -> None:
        """Write the journal, unlock the masks and follow the layer no longer."""
        self.keeper.close()
        self._watcher.close()
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self.marks.remove()
        for outlined in self._outlined:
            outlined.restore()
        for layer, visible in zip(self.more.layers, self._were_visible, strict=True):
            layer.visible = visible
        layer, opacity = self._disagreement
        layer.opacity = opacity
        for layer, locked, editable in self._locked:
            layer.events.editable.disconnect(self._keep_locked)
            layer.locked = locked
            layer.editable = editable

    def remove_layers(self) -> None:
        """Take the adjudicated layers away: others with the same decisions come."""
        for layer in (self.layer, self.provenance_layer):
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def _keep_locked(self, event: Any) -> None:
        # napari gives a layer its tools back when the view changes.
        for layer, _, _ in self._locked:
            if layer.editable:
                layer.editable = False

    def _add_layer(self, name: str, array: NDArray[np.uint8]) -> Labels:
        expert = self._pair.expert
        return self.viewer.add_labels(
            array[0] if self._flat else array,
            name=name,
            opacity=0.8,
            metadata=derived_metadata(
                expert, **({ROLE: name} if name == "provenance" else {})
            ),
            **geometry(expert),
        )

    def _redraw(self) -> None:
        for layer in (self.layer, self.provenance_layer):
            layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _on_edit(self, box: tuple[slice, ...]) -> None:
        three = (slice(0, 1), *box) if self._flat else box
        shape = self.work.mask.shape
        z, y, x = (
            slice(*part.indices(n)[:2]) for part, n in zip(three, shape, strict=True)
        )
        part = self.work.mask[z, y, x]
        strange = (part > 1) & (part != IGNORE_VALUE)
        if strange.any():
            value = int(part[strange].flat[0])
            part[strange] = 1
            self.said.emit(
                f"An adjudicated mask holds 1 (prostate), 0 and 255 (undecided): what "
                f"was painted with label {value} was taken as 1."
            )
        last = self.work.history.done[-1:]
        taken_back = self.work.hand_drawn((z, y, x), margin_px=self.margin_px)
        if taken_back:
            self.said.emit(
                tr(
                    "What was drawn away from disputed pixels was undone. Switch "
                    "the limit off to draw anywhere."
                )
            )
        if self.work.history.done[-1:] != last:
            self.show_change()
        elif taken_back or strange.any():
            self._redraw()

    def _on_replaced(self) -> None:
        array = self.layer.data[None] if self._flat else self.layer.data
        if array is self.work.mask or array.base is self.work.mask:
            return
        if array.shape == self.work.mask.shape:
            taken = np.where(array == IGNORE_VALUE, IGNORE_VALUE, array > 0)
            self.work.take_mask(taken.astype(np.uint8))
            self.show_change()
        else:
            self.said.emit(
                tr("The adjudicated layer keeps its size. Nothing was changed.")
            )
        self.layer.data = self.work.mask[0] if self._flat else self.work.mask

    def _on_removed(self, event: Any) -> None:
        self.marks.forget(event.value)
        if event.value in (self.layer, self.provenance_layer):
            self.ended.emit(f"The layer '{event.value.name}' was removed.")

    def show_change(self) -> None:
        """Show the adjudication after it was changed, and write it down soon."""
        self._redraw()
        self.note_edited()
        self.changed.emit()

    # --- files

    @property
    def names(self) -> tuple[str, ...]:
        """What the masks were called when they were taken."""
        return (*self._names, *self._more_names)

    def origin(self) -> Origin:
        """Return what the sidecar says about the masks."""
        return Origin(
            *self._names,
            self.grid.spacing_mm,
            {**self._settings, "blind": self._naming.as_json()},
            place_of(self.grid),
            self._more_names,
        )

    def document(self) -> dict[str, Any]:
        """Return the adjudication as JSON-ready data."""
        return to_document(self.work, self.origin())

    def note_edited(self) -> None:
        """Write remarks down soon: they are no step of the history."""
        self.is_saved = False
        self.keeper.write_soon()

    def save(
        self, path: Path, overwrite: bool = False
    ) -> Generator[Event, None, Sequence[Path]]:
        """Write mask, provenance and sidecar; run it in a thread."""
        paths = yield from adjudication_files(
            self.work, self.origin(), self.grid, path, overwrite=overwrite
        )
        self.keeper.journal.remove()
        return paths
